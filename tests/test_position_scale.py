"""Position scaling: its formula, and what it leaves in the cache."""

import itertools

import pytest
import torch
from small_models import small_inputs, small_model

import sinktrack
from sinktrack.core.attach import attach
from sinktrack.core.errors import AttachError, MethodError, PromptError
from sinktrack.core.upstream import merged_axes

DIMENSION, FACTOR, LAYERS = 5, -3.0, (4, 7)


def scaling(**changes):
    return sinktrack.methods.create(
        "position-scale", **{"dimension": DIMENSION, "factor": FACTOR, "layers": LAYERS} | changes
    )


def turned(vector, cos, sin):
    """Turn a vector (d,) as rotary embeddings say, pair by pair."""
    half = len(vector) // 2
    out = vector.clone()
    for at in range(half):
        first, second = vector[at], vector[at + half]
        out[at] = first * cos[at] - second * sin[at]
        out[at + half] = second * cos[at + half] + first * sin[at + half]
    return out


class Layer:
    """One layer's attention in float64, a head and a position at a time.

    It keeps what entered the layer since the prompt began, and takes the model's weights.
    """

    def __init__(self, attention, config, scaling, window):
        self.attention, self.config = attention, config
        self.scaling, self.window = scaling, window
        self.entered, self.cos, self.sin = [], [], []

    def see(self, hidden, rotary):
        cos, sin = (merged_axes(part, self.config) for part in rotary)
        for at in range(hidden.shape[1]):
            self.entered.append(hidden[:, at].double())
            self.cos.append(cos[:, at].double().expand(len(hidden), -1))
            self.sin.append(sin[:, at].double().expand(len(hidden), -1))

    def made(self, name, row, at, head, scaled):
        """Return one head's query, key or value of one token."""
        state = self.entered[at][row].clone()
        if scaled:
            state[DIMENSION] = state[DIMENSION] * FACTOR
        projection = getattr(self.attention, f"{name}_proj")
        size = self.attention.head_dim
        rows = slice(head * size, (head + 1) * size)
        vector = projection.weight[rows].double() @ state
        if projection.bias is not None:
            vector = vector + projection.bias[rows].double()
        if name == "v":
            return vector
        norm = getattr(self.attention, f"{name}_norm", None)
        if norm is not None:
            weight = norm.weight.double() + ("Gemma" in type(norm).__name__)
            epsilon = getattr(norm, "variance_epsilon", getattr(norm, "eps", None))
            vector = vector / (vector.pow(2).mean() + epsilon).sqrt() * weight
        return turned(vector, self.cos[at][row], self.sin[at][row])

    def output(self, row, query, scaled, hidden):
        """Return what one token's query receives, (H * d,); `hidden` tells what is padding."""
        config, outputs = self.config, []
        group = config.num_attention_heads // config.num_key_value_heads
        for head in range(config.num_attention_heads):
            q = self.made("q", row, query, head, scaled)
            scores, values = [], []
            for key in range(query + 1):
                if hidden[row, key] or (self.window and query - key >= self.window):
                    continue
                k = self.made("k", row, key, head // group, scaled)
                scores.append(q @ k * self.scaling)
                values.append(self.made("v", row, key, head // group, False))
            weights = torch.stack(scores).softmax(0)
            outputs.append(sum(w * v for w, v in zip(weights, values, strict=True)))
        return torch.cat(outputs)


@pytest.mark.parametrize("name", ["llama", "qwen3_vl", "gemma3_text", "qwen2_5_vl"])
@pytest.mark.parametrize("padding", [None, 3])
def test_it_is_its_formula_in_the_prompt_and_while_writing(name, padding, close):
    """In the prompt the last query alone sees scaled keys; later every query and key is scaled."""
    model = small_model(name, **({"sliding_window": 8} if name == "gemma3_text" else {}))
    config = model.config.get_text_config()
    inputs = small_inputs(model, text_tokens=9)
    if padding is not None:
        short = small_inputs(model, text_tokens=9 - padding, padding=padding, seed=1)
        inputs = {each: torch.cat([inputs[each], short[each]]) for each in inputs}
    decoder = model.get_decoder()
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * 12
    slow = {
        at: Layer(
            decoder.layers[at].self_attn,
            config,
            decoder.layers[at].self_attn.scaling,
            config.sliding_window if kinds[at] == "sliding_attention" else None,
        )
        for at in LAYERS
    }
    seen = {at: [] for at in LAYERS}  # what left the attention, a forward pass each

    def keep(at):
        def entering(module, args, kwargs):
            hidden = kwargs.get("hidden_states", args[0] if args else None)
            slow[at].see(hidden, kwargs["position_embeddings"])

        attention = decoder.layers[at].self_attn
        attention.register_forward_pre_hook(entering, with_kwargs=True)
        attention.o_proj.register_forward_pre_hook(lambda module, args: seen[at].append(args[0]))

    for at in LAYERS:
        keep(at)
    with torch.no_grad(), attach(model, scaling()):
        model.generate(**inputs, max_new_tokens=4, do_sample=False)
    length = inputs["input_ids"].shape[1]
    hidden = torch.nn.functional.pad(inputs["attention_mask"] == 0, (0, 3))
    for at, row in itertools.product(LAYERS, range(len(hidden))):
        assert len(seen[at]) == 4
        received = torch.cat(seen[at], dim=1)[row].double()  # of the prompt and of three steps
        for query in range(hidden.shape[1]):
            if not hidden[row, query]:
                expected = slow[at].output(row, query, query >= length - 1, hidden)
                close(received[query], expected, 1e-5)


def test_without_a_known_dimension_it_does_not_pretend():
    model = small_model("llama")
    kind = sinktrack.methods.kind("position-scale")
    with pytest.raises(MethodError, match="sinktrack.methods.find_dimension"):
        kind.for_model(model)
    model.config.sinktrack_position_dimension = 9
    method = kind.for_model(model)
    assert method.dimension == 9 and method.layers == frozenset(range(4, 10))
    assert kind.for_model(model, dimension=3).dimension == 3
    with pytest.raises(MethodError, match="from 0 to 63"):
        kind.for_model(model, dimension=64)
    model.config.sinktrack_position_dimension = "many"
    with pytest.raises(MethodError, match="dimension is 'many'"):
        kind.for_model(model)


def test_texts_give_a_whole_number():
    said = "position-scale:dimension=7,factor=0.5"
    name, method = sinktrack.methods.parse(said, small_model("llama"))
    assert (name, method.dimension, method.factor) == ("position-scale", 7, 0.5)
    with pytest.raises(MethodError, match="a whole number of 0 or more"):
        sinktrack.methods.check("position-scale:dimension=1.5")


def written(model, method, inputs=None, **options):
    with attach(model, method, **options.pop("attach", {})):
        return model.generate(
            **(inputs or small_inputs(model)), max_new_tokens=12, do_sample=False, **options
        )


def test_behind_a_window_new_keys_are_scaled_at_the_place_where_they_stand():
    """A window that forgets nothing is the full cache; one that forgets goes on without a fault."""
    model = small_model("llama")
    wide = {"cache": sinktrack.SinkWindow(sinks=1, window=64)}
    assert torch.equal(written(model, scaling()), written(model, scaling(), attach=wide))
    narrow = {"cache": sinktrack.SinkWindow(sinks=2, window=6)}
    assert written(model, scaling(), attach=narrow).shape == written(model, scaling()).shape


def test_a_static_cache_gives_the_same_answer_and_one_that_copies_is_refused():
    model = small_model("llama")
    static = {"cache_implementation": "static", "disable_compile": True}
    assert torch.equal(written(model, scaling()), written(model, scaling(), **static))
    windowed = small_model("gemma3_text", sliding_window=8)
    with pytest.raises(AttachError, match="keeps a copy of the keys of layer"):
        written(windowed, scaling(), **static)


def test_an_attention_that_makes_other_queries_is_refused():
    model = small_model("llama")
    calls = itertools.count()  # the module projects first, and then the method does
    model.model.layers[4].self_attn.q_proj.register_forward_hook(
        lambda module, args, output: output * 2 if next(calls) % 2 == 0 else None
    )
    with pytest.raises(AttachError, match="makes other queries of its input"):
        written(model, scaling())


def test_padding_on_the_right_is_refused():
    model = small_model("llama")
    padded = {k: torch.nn.functional.pad(v, (0, 2)) for k, v in small_inputs(model).items()}
    with (
        pytest.raises(PromptError, match="padding on the right"),
        attach(model, scaling(), record=False),
    ):
        model(**padded)


@pytest.mark.parametrize(
    "other", [scaling(dimension=9), sinktrack.SinkTrack(inject_at={7}, context="prompt")]
)
def test_it_may_be_the_first_row_beside_another_method(other):
    """The keys that it put into its own row say nothing of what the model makes."""
    model = small_model("llama")
    one = small_inputs(model)
    both = {name: torch.cat([value, value]) for name, value in one.items()}
    together = written(model, [scaling(), other], both)
    for row, method in enumerate([scaling(), other]):
        assert torch.equal(together[row], written(model, method, one)[0])
