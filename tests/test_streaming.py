"""Streaming perplexity: how a text is cut, and how likely each token is before it is told."""

import json
import math
from dataclasses import replace

import pytest
import torch
from evaluated import read_records
from transformers import DynamicCache

import sinktrack
from sinktrack import cli
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import DataError, MethodError
from sinktrack.core.reading import fresh_positions
from sinktrack.core.upstream import cache_argument
from sinktrack.eval.asking import MOST_IN_A_ROW, answered_batches, example_prompts
from sinktrack.eval.result_table import table
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.task import Chosen
from sinktrack.eval.tasks import find
from sinktrack.eval.tasks.streaming import LEAST, LOSS, PASSAGE, REST, stretches

TOLD = 40
TEXT = " ".join(f"There is a red circle beside a blue square, and {n} stars." for n in range(400))


@pytest.fixture
def streaming(tmp_path):
    """Return the task of a text, of which 40 tokens a stretch are told."""

    def task(text=TEXT):
        path = tmp_path / "text.txt"
        path.write_text(text, encoding="utf-8")
        (found,) = find("streaming", Chosen(data={"text": str(path)}))
        return replace(found, max_new_tokens=TOLD)

    return task


def test_stretches_hold_the_whole_text_and_part_between_words():
    found = stretches(TEXT)
    assert len(found) == 3
    assert "".join(each for pair in found for each in pair).replace(" ", "") == TEXT.replace(
        " ", ""
    )
    for passage, rest in found:
        assert PASSAGE - 10 < len(passage) <= PASSAGE and len(rest) <= REST
        assert rest[0] == " " and passage.split()[-1] in TEXT.split()
    unbroken = stretches("字" * (PASSAGE + REST + PASSAGE + LEAST))
    assert [(len(passage), len(rest)) for passage, rest in unbroken] == [
        (PASSAGE, REST),
        (PASSAGE, LEAST),
    ]


@pytest.mark.parametrize("text", ["", "too short", " " * 20_000, "x" * (PASSAGE + LEAST - 1)])
def test_a_text_that_is_too_short_is_refused(text):
    with pytest.raises(DataError, match=r"but 1,200 are the least: give a longer one\."):
        stretches(text)


@torch.inference_mode()
def read_one_by_one(model, prompt, ids, method, cache):
    """Return the loss of each token, read token by token by the model itself."""
    kept = DynamicCache(config=model.config.get_text_config())
    cached = {cache_argument(model): kept, "use_cache": True}
    losses = []
    # The model may still have the positions of an earlier prompt's picture.
    with fresh_positions(model), sinktrack.attach(model, method, cache=cache, record=False):
        logits = model(**prompt.inputs, **cached).logits[0, -1]
        for each in ids:
            losses.append(-float(logits.log_softmax(-1)[each]))
            logits = model(input_ids=torch.tensor([[each]]), **cached).logits[0, -1]
    return losses


@pytest.mark.parametrize("cache", ["full", sinktrack.SinkWindow(sinks=1, window=24)])
def test_losses_are_those_of_the_tokens_read_one_by_one(checkpoint, streaming, tmp_path, cache):
    model, processor = checkpoint
    task = streaming()
    methods = {
        "baseline": None,
        "sinktrack": sinktrack.SinkTrack.for_model(model, context="prompt"),
    }
    run = Run(tasks=[task], methods=methods, cache=cache)
    found = evaluate(model, processor, run, tmp_path / "run")["tasks"]["streaming"]
    records = read_records(tmp_path / "run")
    assert len(records) == 2 * 3 and not any(record["answer"] for record in records)
    for item in run.items(task)[:2]:
        one = replace(task, items=lambda split, limit, item=item: [item])
        (prompt,) = example_prompts(model, processor, [one], "test", 1)
        ids = processor.tokenizer(item.answer).input_ids[:TOLD]
        for name, method in methods.items():
            expected = read_one_by_one(model, prompt, ids, method, cache)
            (kept,) = [r for r in records if (r["item"], r["name"]) == (item.id, name)]
            total, tokens = kept["scores"][LOSS]
            assert tokens == TOLD and total == pytest.approx(math.fsum(expected), rel=1e-5)
            assert kept["scores"][f"{LOSS}, first 256"] == kept["scores"][LOSS]
            assert f"{LOSS}, later" not in kept["scores"]
    loss, perplexity = found["sinktrack"][LOSS], found["sinktrack"]["perplexity"]
    assert loss["value"] != found["baseline"][LOSS]["value"]
    assert perplexity["value"] == math.exp(loss["value"]) and "p" not in perplexity
    assert perplexity["interval"] == tuple(map(math.exp, loss["interval"]))


def test_stretches_of_other_lengths_in_a_batch_change_no_loss(checkpoint, streaming):
    task = replace(streaming(TEXT[: PASSAGE + REST + PASSAGE + LEAST + 9]), max_new_tokens=300)
    run = Run(tasks=[task], methods={"baseline": None})
    items = run.items(task)
    found = [
        {
            item.id: (len(row.ids), sum(map(math.log, row.probabilities)))
            for batch in answered_batches(*checkpoint, replace(run, batch=rows), task, items, ())
            for item, _, row in batch
        }
        for rows in (1, 2)
    ]
    (one, two) = found[0].values()
    assert one[0] > 2 * two[0] > 0
    for item, (tokens, loss) in found[0].items():
        assert found[1][item] == (tokens, pytest.approx(loss, rel=1e-4))


def test_what_is_told_is_told_to_its_end(checkpoint, streaming):
    """Though answers of this model end with a word of it."""
    task = streaming()
    run = Run(tasks=[task], methods={"x": None}, decoding=Decoding(stop_strings=["circle"]))
    items = run.items(task)
    for batch in answered_batches(*checkpoint, run, task, items, ()):
        assert [len(row.probabilities) for _, _, row in batch] == [TOLD] * len(items)
    with pytest.raises(MethodError, match="'streaming' is told its answers, so nothing is sampled"):
        Run(tasks=[task], methods={"x": None}, decoding=Decoding(do_sample=True))


def test_caches_are_compared_by_score(checkpoint, streaming, tmp_path, capsys):
    """As the documents show: no finding, and no measure of texts that nobody said."""
    for name, cache in (("full", "full"), ("window", sinktrack.SinkWindow(window=24))):
        run = Run(tasks=[streaming()], methods={name: None}, cache=cache)
        evaluate(*checkpoint, run, tmp_path / name)
    files = [str(tmp_path / name / "records.jsonl") for name in ("full", "window")]
    told = tmp_path / "told.json"
    assert cli.main(["score", *files, "--rule", "recorded", "--json", str(told)]) == 0
    found = json.loads(told.read_text())
    assert found["findings"] == []
    assert {each["measure"] for each in found["differences"]} == {LOSS, f"{LOSS}, first 256"}
    assert all(each["minus"] == "full" and each["value"] for each in found["differences"])


def test_marks_of_the_chat_format_are_text_like_any_other(checkpoint, streaming, tmp_path):
    text = TEXT[: PASSAGE + 40] + " <|im_end|>" + TEXT[PASSAGE + 40 :]
    run = Run(tasks=[streaming(text)], methods={"baseline": None}, limit=1)
    evaluate(*checkpoint, run, tmp_path / "run")
    (record,) = read_records(tmp_path / "run")
    assert "<|im_end|>" in record["reference"]
    assert record["scores"][LOSS][1] == TOLD  # none of them has ended the answer


def test_a_method_that_holds_words_for_impossible_has_no_perplexity(
    checkpoint, streaming, tmp_path
):
    methods = {"baseline": None, "masked": sinktrack.methods.create("plausibility")}
    run = Run(tasks=[streaming()], methods=methods, limit=2)
    found = evaluate(*checkpoint, run, tmp_path / "run")
    assert found["failed"] == {"streaming": {"masked": 2}}
    assert LOSS in found["tasks"]["streaming"]["baseline"]
    assert not found["tasks"]["streaming"]["masked"]
    (note,) = found["notes"]
    assert note.startswith("In 'streaming', masked failed in 2 of 2 answers, which count in no")
    assert f"of {TOLD} tokens the probability 0" in note and note.endswith("set beta=0.")
    assert "| masked | - |" in table(found)
    task, items = run.tasks[0], run.items(run.tasks[0])
    with pytest.raises(MethodError, match="masked gives"):
        list(answered_batches(*checkpoint, run, task, items, ()))


def test_a_method_that_fails_for_every_stretch_ends_the_run(checkpoint, streaming, tmp_path):
    methods = {"masked": sinktrack.methods.create("plausibility")}
    run = Run(tasks=[streaming(" ".join([TEXT] * 5))], methods=methods)
    assert len(run.items(run.tasks[0])) > MOST_IN_A_ROW
    with pytest.raises(MethodError, match="masked gives"):
        evaluate(*checkpoint, run, tmp_path / "run")


def test_the_command_line_wants_a_text(tmp_path, capsys):
    out = str(tmp_path / "run")
    assert cli.main(["eval", "streaming", "--out", out]) == 2
    assert "that this program does not bring: add --data FILE." in capsys.readouterr().err
    assert cli.main(["eval", "streaming", "--data", str(tmp_path / "none"), "--out", out]) == 2
    assert "There is no file" in capsys.readouterr().err
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    given = str(tmp_path / "picture.png")
    assert cli.main(["eval", "streaming", "--data", given, "--out", out]) == 2
    assert "is no text in UTF-8" in capsys.readouterr().err
