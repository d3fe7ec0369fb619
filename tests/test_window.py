"""A SinkWindow: StreamingLLM's cache, shared by lanes, at constant memory."""

import pytest
import torch
import transformers
from PIL import Image
from small_models import small_inputs, small_model, stacked

import sinktrack
from sinktrack.core.errors import AttachError, MethodError
from sinktrack.core.upstream import cache_argument, cache_of

ROTARY = ["qwen2_5_vl", "qwen2_vl", "qwen3_vl", "qwen2", "llama"]
STEPS = 24


def generated(model, inputs, cache, method=None, **options):
    """The ids and logits of a greedy answer inside `attach`, and its recorder."""
    with sinktrack.attach(model, method, cache=cache) as recorder:
        out = model.generate(
            **inputs,
            max_new_tokens=STEPS,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
            **options,
        )
    return out.sequences, torch.stack(out.logits, 1), recorder


@pytest.mark.parametrize("kind", ["qwen2_5_vl", "qwen2", "llama"])
@pytest.mark.parametrize("sinks", [0, 1, 4])
def test_a_step_sees_the_kept_tokens_at_positions_inside_the_cache(kind, sinks, close):
    """In a model of one layer a step equals reading the kept tokens alone, from position 0 on.

    Only there: in a deeper one, keys remember what has left the window.
    """
    model = small_model(kind, num_hidden_layers=1)
    inputs = small_inputs(model, images=0)
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    window = sinktrack.SinkWindow(sinks=sinks, window=8)
    ids, logits, _ = generated(model, inputs, window)
    length = inputs["input_ids"].shape[1]
    for step in (1, 5, STEPS - 1):
        seen = ids[:, : length + step]
        kept = torch.cat([seen[:, :sinks], seen[:, sinks:][:, -8:]], dim=1)
        alone = model(input_ids=kept).logits[:, -1]
        close(logits[:, step], alone, 1e-4)


@pytest.mark.parametrize("kind", ROTARY)
def test_a_window_over_everything_changes_nothing(kind, close):
    """Until something is forgotten, the cache is the full one."""
    model = small_model(kind)
    inputs = small_inputs(model)
    full = generated(model, inputs, "full")
    cut = generated(model, inputs, sinktrack.SinkWindow(window=200))
    assert torch.equal(full[0], cut[0])
    close(cut[1], full[1], 1e-5)


@pytest.mark.parametrize("kind", ROTARY)
def test_padded_rows_answer_as_they_do_alone(kind, close):
    """The sinks of a left-padded row are its own first tokens."""
    model = small_model(kind)
    window = sinktrack.SinkWindow(sinks=2, window=9)
    short, long = (small_inputs(model, text_tokens=n, seed=n) for n in (5, 20))
    padded = small_inputs(model, text_tokens=5, seed=5, padding=15)
    batch_ids, batch_logits, _ = generated(model, stacked(padded, long), window)
    for row, alone in enumerate((short, long)):
        ids, logits, _ = generated(model, alone, window)
        count = alone["input_ids"].shape[1]
        assert torch.equal(batch_ids[row, -STEPS:], ids[0, count:])
        close(batch_logits[row], logits[0], 1e-4)


def test_lanes_equal_solo_runs(checkpoint):
    """All lanes of a comparison share one window, and none notices the other."""
    model, processor = checkpoint
    method = sinktrack.SinkTrack.for_model(model)
    window = sinktrack.SinkWindow(sinks=1, window=12)
    arguments = {"image": Image.new("RGB", (140, 140), "white"), "question": "Describe it."}
    both = sinktrack.compare(model, processor, **arguments, cache=window, max_new_tokens=40)
    for name, one in (("baseline", None), ("sinktrack", method)):
        alone = sinktrack.compare(
            model, processor, **arguments, methods={"x": one}, cache=window, max_new_tokens=40
        )
        assert alone["x"].token_ids == both[name].token_ids
    assert both.settings["cache"] == {"sinks": 1, "window": 12}


def test_the_trace_follows_what_is_left(close):
    """Shares sum to one, the picture's goes to zero when it has left, the maps with it."""
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model, text_tokens=6)
    method = sinktrack.SinkTrack.for_model(model)
    recorder = generated(model, inputs, sinktrack.SinkWindow(window=10), method)[2]
    trace = recorder.trace()
    close(trace.share.sum(-1), torch.ones(trace.share.shape[:-1]), 1e-4)
    assert not trace.sink.isnan().any()
    close(trace.sink, trace.share[..., 0], 0)
    # of the prompt, whose last tokens are the text, nothing but the sink is left in the end
    assert trace.on("image")[1].sum() > 0
    assert trace.share[-1, ..., 1:-1].sum() == 0
    maps = trace.image_maps[0].float() * trace.image_scale[:, None, None, None] / 255
    close(maps.sum((2, 3))[1:], trace.on("image")[1:].mean(-1), 2e-2)


def test_without_sinks_there_is_no_attention_to_one():
    """A sink that has been forgotten is recorded as unseen, not as unattended."""
    model = small_model("llama")
    inputs = small_inputs(model)
    recorder = generated(model, inputs, sinktrack.SinkWindow(sinks=0, window=6))[2]
    sink = recorder.trace().sink
    assert not sink[0].isnan().any()
    assert sink[1:].isnan().all()


@pytest.mark.parametrize("record", [True, False])
def test_the_cache_stops_growing(record):
    """However long the answer, no more than the sinks and the window are kept."""
    model = small_model("llama")
    inputs = small_inputs(model, text_tokens=30)
    sizes = []
    watch = model.model.layers[3].self_attn.register_forward_hook(
        lambda module, args, kwargs, output: sizes.append(cache_of(kwargs).layers[3].keys.shape[2]),
        with_kwargs=True,
    )
    with sinktrack.attach(model, cache=sinktrack.SinkWindow(sinks=2, window=7), record=record):
        model.generate(**inputs, max_new_tokens=60, do_sample=False)
    watch.remove()
    assert sizes[0] == 31
    assert set(sizes[1:]) == {9}


@pytest.mark.parametrize("kind", ["qwen2_5_vl", "llama"])
def test_a_stream_without_position_ids_can_be_read_token_by_token(kind, close):
    """As a researcher's own loop does it; while nothing is forgotten it equals one reading."""
    model = small_model(kind)
    ids = torch.randint(3, 300, (1, 12), generator=torch.Generator().manual_seed(0))
    kept = transformers.DynamicCache(config=model.config.get_text_config())
    cached = {cache_argument(model): kept, "use_cache": True}
    with torch.no_grad(), sinktrack.attach(model, cache=sinktrack.SinkWindow(window=20)):
        for token in ids[0]:
            logits = model(input_ids=token.view(1, 1), **cached).logits
    with torch.no_grad():
        close(logits[:, -1], model(input_ids=ids).logits[:, -1], 1e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"window": 1}, "window is 1, but must be a whole number of 2 or more"),
        ({"window": 8, "sinks": -1}, "sinks is -1"),
        ({"window": True}, "window is True"),
    ],
)
def test_windows_out_of_range_are_refused(arguments, sentence):
    with pytest.raises(MethodError, match=sentence):
        sinktrack.SinkWindow(**arguments)


def test_what_cannot_be_cut_is_refused():
    """Layers with windows of their own, caches of a fixed size, and other values."""
    window = sinktrack.SinkWindow(window=8)
    with (
        pytest.raises(AttachError, match='use cache="full"'),
        sinktrack.attach(small_model("gemma3"), cache=window),
    ):
        pass
    model = small_model("llama")
    with pytest.raises(AttachError, match="leave out cache_implementation"):
        generated(model, small_inputs(model), window, cache_implementation="static")
    with (
        pytest.raises(MethodError, match="cache is 'window', but must be"),
        sinktrack.attach(model, cache="window"),
    ):
        pass
