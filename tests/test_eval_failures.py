"""Items that fail: counted as wrong, told apart from the others, and tried again."""

import io
import json
from dataclasses import replace

import pytest
from evaluated import counting_task, read_records
from paths import CHECKPOINT
from PIL import Image

import sinktrack
from sinktrack import cli
from sinktrack.core.answer_batch import answer_batch
from sinktrack.core.errors import DataError, DeviceMemoryError, MethodError, ModelError
from sinktrack.eval.asking import MOST_IN_A_ROW
from sinktrack.eval.result_table import table
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.scorers import chair, squad, without_what_is_said
from sinktrack.eval.task import Item, Task

ASKING = "sinktrack.eval.asking.answer_batch"


def broken():
    return Image.open(io.BytesIO(b"no picture"))


def blank():
    return Image.new("RGB", (140, 140), "white")


def right_task(changed):
    """Six questions that every answer is right for; some are changed."""

    def items(split, limit):
        for number in range(6):
            item = Item(str(number), f"Is there a circle? {number}", "No", images=[blank])
            yield replace(item, **changed.get(number, {}))

    def score(item, answer):
        return {"accuracy": (float(bool(answer)), 1.0), "words": (len(answer.split()), 1.0)}

    return Task("right", items, score, max_new_tokens=4)


def two_methods(model, task, **options):
    method = sinktrack.SinkTrack.for_model(model)
    return Run(tasks=[task], methods={"baseline": None, "sinktrack": method}, **options)


def test_a_failed_item_is_wrong_and_counted_and_tried_again(checkpoint, tmp_path):
    """A picture that cannot be read and a question that is too long; both are mended later."""
    spoiled = {1: {"images": [broken]}, 4: {"question": "word " * 3000}}
    found = evaluate(*checkpoint, two_methods(checkpoint[0], right_task(spoiled)), tmp_path)
    assert found["failed"] == {"right": {"baseline": 2, "sinktrack": 2}}
    for name in ("baseline", "sinktrack"):
        assert found["tasks"]["right"][name]["accuracy"]["value"] == pytest.approx(4 / 6)
        assert found["tasks"]["right"][name]["accuracy"]["items"] == 6
        assert found["tasks"]["right"][name]["words"]["items"] == 4  # nothing was said
    note = next(each for each in found["notes"] if "baseline failed" in each)
    assert note.startswith("In 'right', baseline failed in 2 of 6 answers, which count as wrong.")
    written = (tmp_path / "results.md").read_text()
    assert written == table(found) and "| failed |" in written and note in written
    errors = {r["item"]: r["error"] for r in read_records(tmp_path) if "error" in r}
    assert errors["1"].startswith("UnidentifiedImageError: cannot identify image file")
    assert "the limit is 2000: shorten it" in errors["4"]

    asked = []
    task = right_task({})

    def score(item, answer):
        asked.append((item.id, bool(answer)))
        return task.score(item, answer)

    mended = replace(task, score=score)
    found = evaluate(*checkpoint, two_methods(checkpoint[0], mended), tmp_path)
    assert sorted(asked) == [("1", True)] * 2 + [("4", True)] * 2
    assert found["failed"] == {"right": {}} and "failed" not in table(found)
    assert found["tasks"]["right"]["baseline"]["accuracy"]["value"] == 1
    records = read_records(tmp_path)
    assert len(records) == 12 and not any("error" in each for each in records)


def failing(monkeypatch, error_of):
    """Let batches fail; return how many prompts and which methods each had."""
    tried = []

    def answer(model, processor, prompts, methods, **options):
        tried.append((len(prompts), list(methods)))
        error = error_of([prompt.question for prompt in prompts], methods)
        if error is not None:
            raise error
        return answer_batch(model, processor, prompts, methods, **options)

    monkeypatch.setattr(ASKING, answer)
    return tried


def test_a_batch_that_does_not_fit_is_asked_in_halves(checkpoint, tmp_path, monkeypatch):
    """Nothing is lost by it, and the figures are those of batches that fit."""
    run = two_methods(checkpoint[0], right_task({}))
    expected = evaluate(*checkpoint, run, tmp_path / "fits")
    tried = failing(
        monkeypatch,
        lambda asked, methods: (
            DeviceMemoryError("No room.") if len(asked) * len(methods) > 4 else None
        ),
    )
    assert evaluate(*checkpoint, run, tmp_path / "small") == expected
    assert [count for count, _ in tried] == [6, 3, 1, 2, 3, 1, 2]


def test_one_method_may_fail_alone(checkpoint, tmp_path, monkeypatch):
    def error_of(asked, methods):
        bad = any("circle? 3" in each for each in asked) and "sinktrack" in methods
        return ModelError("No numbers.") if bad else None

    failing(monkeypatch, error_of)
    found = evaluate(*checkpoint, two_methods(checkpoint[0], right_task({})), tmp_path)
    assert found["failed"] == {"right": {"sinktrack": 1}}
    assert found["tasks"]["right"]["baseline"]["accuracy"]["value"] == 1
    failed = [each for each in read_records(tmp_path) if "error" in each]
    assert [(each["item"], each["error"]) for each in failed] == [("3", "No numbers.")]
    assert failed[0]["method"]["kind"] == "sinktrack"


@pytest.mark.parametrize("error", [RuntimeError("device lost"), MethodError("It is wrong.")])
def test_a_mistake_that_concerns_every_item_ends_the_run(checkpoint, tmp_path, monkeypatch, error):
    tried = failing(monkeypatch, lambda _, methods: error if "sinktrack" in methods else None)
    run = two_methods(checkpoint[0], counting_task([], 2 * MOST_IN_A_ROW), limit=99, batch=4)
    with pytest.raises(type(error), match=str(error)):
        evaluate(*checkpoint, run, tmp_path)
    assert tried.count((1, ["sinktrack"])) == MOST_IN_A_ROW
    assert not (tmp_path / "results.json").exists()


def test_results_need_an_answer(checkpoint, tmp_path, monkeypatch):
    failing(monkeypatch, lambda *_: DeviceMemoryError("No room."))
    with pytest.raises(DataError, match=r"None of the 12 answers could be given: No room\."):
        evaluate(*checkpoint, two_methods(checkpoint[0], right_task({})), tmp_path)
    assert not (tmp_path / "results.json").exists()


def test_pictures_that_are_all_broken_are_refused_at_once(checkpoint, tmp_path):
    task = right_task({number: {"images": [broken]} for number in range(6)})
    with pytest.raises(Exception, match="cannot identify image file"):
        evaluate(*checkpoint, two_methods(checkpoint[0], task), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_exit_status_tells_that_items_failed(tmp_path, capsys, monkeypatch):
    words = ["eval", "shapes-passages", "--limit", "3", "--context", "instruction", "--out"]
    words += [str(tmp_path), "--model", str(CHECKPOINT), "--device", "cpu"]
    failing(monkeypatch, lambda asked, _: ModelError("No numbers.") if len(asked) == 1 else None)
    assert cli.main([*words, "--batch", "2"]) == 2  # every item alone
    assert "None of the 6 answers could be given: No numbers." in capsys.readouterr().err
    assert cli.main([*words, "--batch", "4"]) == 1  # two items together, and one alone
    printed = capsys.readouterr()
    assert "sinktrack: 2 answers failed; the table says why and how they count." in printed.err
    assert "| failed |" in printed.out
    monkeypatch.undo()
    assert cli.main(words) == 0
    assert "failed" not in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text())["failed"] == {"passages": {}}


def test_an_item_that_failed_invents_nothing_and_abstains_from_nothing():
    scores = without_what_is_said(chair([], ["blue star"]))
    assert scores == {"recall": (0.0, 1.0)}
    scores = without_what_is_said(squad("", [], abstains=False))
    assert scores["accuracy"] == (0.0, 1.0) and not any("abstains" in each for each in scores)
