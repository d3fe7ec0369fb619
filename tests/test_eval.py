"""Scores, their intervals, and a runner that loses nothing when it is interrupted."""

import json
import sys
from dataclasses import replace

import pytest
from evaluated import counting_task, records_of

import sinktrack
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import MethodError, OutputError, PromptError
from sinktrack.eval import tasks
from sinktrack.eval.result_table import table
from sinktrack.eval.results import Answered, results
from sinktrack.eval.run_files import RECORDS
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.scorers import chair, exact, letter, span, yes_no
from sinktrack.eval.statistics import difference_interval, holm, interval, paired_p, ratio
from sinktrack.eval.task import Item, Task
from sinktrack.eval.tasks.shapes import PASSAGE_PARTS, PASSAGES, POPE, SUITES


def total(scores, measure):
    return ratio([score.get(measure, (0.0, 0.0)) for score in scores])


def test_existence_is_scored_as_pope_does():
    """Accuracy, F1 of yes and the share of yes, over hits, misses and false alarms."""
    said = [("Yes, there is.", True), ("No.", True), ("Yes, a star.", False), ("no", False)]
    said += [("One two. Yes, there is a star.", True), ("Maybe.", False), ("Maybe.", True)]
    scores = [yes_no(answer, present) for answer, present in said]
    assert total(scores, "accuracy") == pytest.approx(3 / 7)
    assert total(scores, "yes ratio") == pytest.approx(3 / 7)
    precision, recall = 2 / 3, 2 / 4
    assert total(scores, "precision") == pytest.approx(precision)
    assert total(scores, "recall") == pytest.approx(recall)
    assert total(scores, "F1") == pytest.approx(2 * precision * recall / (precision + recall))


def test_descriptions_are_scored_as_chair_does():
    """Mentions that are not there, answers that hold one, what was found, and where it happened."""
    scores = [
        chair(["red circle", "blue star"], ["red circle"]),
        chair(["red circle", "green cross"], ["red circle", "green cross", "black star"]),
        chair([], ["blue star"]),
    ]
    assert total(scores, "CHAIR_i") == pytest.approx(1 / 4)
    assert total(scores, "CHAIR_s") == pytest.approx(1 / 3)
    assert total(scores, "recall") == pytest.approx(3 / 5)
    assert total(scores, "CHAIR_i at 1") == 0
    assert total(scores, "CHAIR_i at 2") == pytest.approx(1 / 2)
    assert total(scores, "CHAIR_i at 3") is None
    late = chair(list("abcdefg"), list("abcde"))
    assert late["CHAIR_i at 5+"] == (2.0, 3.0)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("That makes two. **Answer: B**", True),
        ("answer: (b)", True),
        ("**Answer: A** No, wait: **Answer: B**", True),
        ("**Answer: A**", False),
        ("B", False),
        ("Answer: Blue", False),
        ("", False),
    ],
)
def test_the_last_letter_counts_and_no_letter_is_wrong(answer, right):
    assert letter(answer, "B") == {"accuracy": (float(right), 1.0)}


@pytest.mark.parametrize(
    ("answer", "right", "f1", "exactly"),
    [
        ("The garden.", "garden", 1, 1),
        ("in the old garden", "garden", 0.5, 0),
        ("kitchen", "garden", 0, 0),
        ("unanswerable", "garden", 0, 0),
        ("garden", "unanswerable", 0, 0),
        ("Unanswerable.", "unanswerable", 1, 1),
        ("", "garden", 0, 0),
    ],
)
def test_short_answers_are_scored_as_squad_does(answer, right, f1, exactly):
    scores = span(answer, right, "unanswerable")
    assert scores["F1"][0] == pytest.approx(f1)
    assert scores["exact"][0] == exactly
    kind = "unanswerable" if right == "unanswerable" else "answerable"
    assert set(scores) == {"F1", "exact", f"F1 {kind}", f"abstains {kind}"}
    abstains = answer.strip(".").lower() == "unanswerable"
    assert scores[f"abstains {kind}"] == (float(abstains), 1.0)


def test_exact_forgives_spaces_alone():
    assert exact(" Red  circle.\n", "Red circle.")["exact"] == (1.0, 1.0)
    assert exact("Red circle", "Red circle.")["exact"] == (0.0, 1.0)


def test_a_rate_has_wilsons_interval():
    """The worked examples of Newcombe 1998, table I; items without the measure do not count."""
    for right, items, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        scores = [(1.0, 1.0)] * right + [(0.0, 1.0)] * (items - right) + [(0.0, 0.0)] * 7
        assert interval(scores) == pytest.approx((low, high), abs=5e-5)
    low, high = interval([(0.0, 1.0)] * 20)
    assert interval([(0.0, 5.0)] * 20) == (low, high) == interval([(0.0, 2.5)] * 20)
    assert low == 0 and high == pytest.approx(0.1611, abs=5e-5)


def test_any_other_ratio_has_the_bootstraps_interval():
    """Near enough to the textbook: 0.7 of 400 is known to about 0.045, whatever the unit."""
    scores = [(3.0, 3.0)] * 280 + [(0.0, 3.0)] * 120 + [(0.0, 0.0)] * 50
    low, high = interval(scores)
    assert low == pytest.approx(0.7 - 0.045, abs=0.006)
    assert high == pytest.approx(0.7 + 0.045, abs=0.006)
    assert interval(scores) == (low, high)
    assert interval([(1.0, 4.0), (0.0, 0.0)]) == (0.25, 0.25)


def test_an_interval_is_wider_where_mistakes_come_together():
    """Whole items are drawn: 40 wrong of 80 in four answers say less than one in each of 40."""
    together = [(10.0, 10.0)] * 4 + [(0.0, 10.0)] * 4
    apart = [(1.0, 2.0)] * 20 + [(2.0, 2.0)] * 10 + [(0.0, 2.0)] * 10
    widths = [high - low for low, high in map(interval, (together, apart))]
    assert widths[0] > 2 * widths[1]


@pytest.mark.parametrize("unit", [1.0, 3.0])
def test_p_values_tell_differences_from_noise(unit):
    """McNemar's exact test for rates, and for other ratios the permutation test that nears it."""
    right, wrong, unmeasured = (unit, unit), (0.0, unit), (0.0, 0.0)
    base = [right] * 100 + [unmeasured] * 30
    assert paired_p(base, base) == 1.0

    def discordant(better, worse):
        first = [wrong] * better + [right] * worse + base
        second = [right] * better + [wrong] * worse + base
        return paired_p(first, second)

    assert discordant(1, 0) == 1.0
    assert discordant(6, 0) == pytest.approx(2 / 2**6)  # every exchange can be tried
    assert discordant(13, 12) == pytest.approx(1.0)
    assert discordant(20, 10) == pytest.approx(0.0987, abs=5e-5 if unit == 1 else 0.02)
    assert discordant(40, 10) < 0.001


def test_a_difference_is_drawn_with_both_answers_of_an_item():
    """Of 400 items 40 get better: the paired interval of a textbook; where none does, 0 to 0."""
    right, wrong = (1.0, 1.0), (0.0, 1.0)
    first = [right] * 200 + [wrong] * 200
    second = [right] * 240 + [wrong] * 160
    low, high = difference_interval(first, second)
    half = 1.96 * (0.1 * 0.9 / 400) ** 0.5  # unpaired it would be 0.069
    assert (low, high) == pytest.approx((0.1 - half, 0.1 + half), abs=0.004)
    assert difference_interval(first, first) == (0.0, 0.0)
    assert difference_interval(second, first) == pytest.approx((-high, -low))
    rare = [(0.0, 0.0)] * 9 + [right]  # many draws hold nothing that counts
    assert difference_interval(rare, [(0.0, 0.0)] * 9 + [wrong]) == (-1.0, -1.0)


def test_p_values_are_corrected_as_holm_did():
    """By hand: 4 x 0.005, 3 x 0.01, 2 x 0.03; the last would be 0.04 and stays no smaller."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2] and holm([]) == []


def test_two_ratios_are_compared_though_their_denominators_differ():
    """CHAIR: one lane mentions more, and more of it is invented; a third is the same, reworded."""
    first = [(1.0, 3.0), (0.0, 2.0), (0.0, 0.0), (1.0, 2.0)] * 20
    worse = [(2.0, 4.0), (1.0, 2.0), (1.0, 1.0), (1.0, 2.0)] * 20
    assert paired_p(first, worse) == pytest.approx(1 / 100_001)
    assert paired_p(first, first[4:] + first[:4]) == 1.0
    alike = [(numerator * 2, denominator * 2) for numerator, denominator in first]
    assert paired_p(first, alike) > 0.9


def judged(*scores):
    """Return the answers of one item, one a seed, by a method that moved nothing."""
    return [Answered({"accuracy": (float(score), 1.0)}, {}) for score in scores]


def test_every_comparison_of_a_run_counts_in_the_correction():
    """Two tasks, two methods against the first: four comparisons, the smallest p times four."""
    base, better = [judged(0)] * 10, [judged(1)] * 10
    answers = {"plain": base, "good": better, "none": base}
    found = results({"methods": answers}, {"one": answers, "two": answers | {"good": base}})
    assert found["comparisons"] == 4
    good = found["tasks"]["one"]["good"]["accuracy"]
    assert good["p"] == pytest.approx(2 / 2**10) and good["p_holm"] == 4 * good["p"]
    assert found["tasks"]["two"]["good"]["accuracy"]["p_holm"] == 1.0
    assert "p_holm" not in found["tasks"]["one"]["plain"]["accuracy"]
    assert "p = 0.0020, corrected = 0.0078" in table(found) and "all 4 comparisons" in table(found)


def test_an_item_that_is_sampled_often_is_still_one_item():
    """Ten seeds that all say the same are no more evidence than one."""
    once = {"plain": [judged(0)] * 6 + [judged(1)] * 14, "x": [judged(1)] * 20}
    often = {name: [item * 10 for item in items] for name, items in once.items()}
    tasks = [results({"methods": once}, {"t": answers})["tasks"] for answers in (once, often)]
    assert tasks[0] == tasks[1]
    assert tasks[0]["t"]["x"]["accuracy"]["p"] == pytest.approx(2 / 2**6)
    half = {"plain": [judged(0, 1, 1, 1)] * 20, "x": [judged(0, 0, 1, 1), judged(1, 1, 1, 1)] * 10}
    figures = results({"methods": half}, {"t": half})["tasks"]["t"]
    assert figures["plain"]["accuracy"] == {"value": 0.75, "interval": (0.75, 0.75), "items": 20}
    low, high = figures["x"]["accuracy"]["interval"]
    assert figures["x"]["accuracy"]["value"] == 0.75 and low < 0.7 and high > 0.8


def test_items_that_share_a_picture_are_no_more_evidence_than_one():
    """Ten questions about each of six pictures, which all go right together."""
    once = {"plain": [judged(0)] * 6, "x": [judged(1)] * 5 + [judged(0)]}
    often = {name: [item for item in items for _ in range(10)] for name, items in once.items()}
    clusters = {"t": [str(number) for number in range(6) for _ in range(10)]}
    together = results({"methods": once}, {"t": often}, clusters=clusters)
    alone = results({"methods": once}, {"t": often}, clusters={"t": list(map(str, range(60)))})
    shared, own = (found["tasks"]["t"]["x"]["accuracy"] for found in (together, alone))
    assert shared["value"] == own["value"] and shared["items"] == own["items"] == 60
    assert own["p"] < 1e-9 and shared["p"] == pytest.approx(2 / 2**5)
    assert own == results({"methods": once}, {"t": often})["tasks"]["t"]["x"]["accuracy"]
    assert shared["interval"][0] < 0.6 < own["interval"][0]
    assert shared["difference"]["interval"][0] < 0.6 < own["difference"]["interval"][0]
    assert not any("clusters" in note for note in alone["notes"])
    (note,) = [note for note in together["notes"] if "clusters" in note]
    assert note.startswith("In 't', 60 items make 6 clusters, such as those about one picture")


def test_how_far_a_method_moved_things_is_told_by_kind():
    """The median and the most over answers; what an answer does not name was not moved."""
    told = [{"logits": 0.1, "new kind": 3.0}, {"logits": 0.3}, {}, {"logits": 0.2}]
    acted = [[Answered({"a": (1.0, 1.0)}, moved)] for moved in told]
    plain = [[Answered({"a": (1.0, 1.0)}, None)]] * 4
    found = results({"methods": {"plain": 0, "x": 0}}, {"t": {"plain": plain, "x": acted}})
    assert found["moved"]["t"] == {
        "x": {
            "logits": {"median": pytest.approx(0.15), "most": 0.3},
            "new kind": {"median": 0.0, "most": 3.0},
        }
    }
    assert found["notes"] == ["In 't', x moved nothing in 1 of 4 answers."]
    assert "logits 0.15, 0.3; new kind 0, 3 |" in table(found)


@pytest.mark.parametrize("sampled", [False, True])
def test_the_batch_changes_no_answer(checkpoint, tmp_path, sampled):
    """Methods and items are parted differently; a contrast takes two rows."""
    model = checkpoint[0]
    warm = {"decoding": Decoding(do_sample=True, temperature=4.0, top_k=0, seed=3), "seeds": 2}
    run = Run(
        tasks=POPE[:1],
        methods={
            "plain": None,
            "official": sinktrack.SinkTrack.for_model(model, causal="official"),
            "vcd": sinktrack.methods.create("vcd"),
        },
        limit=4,
        **(warm if sampled else {}),
    )
    found = [
        evaluate(*checkpoint, replace(run, batch=batch), tmp_path / str(batch))
        for batch in (1, 4, 100)
    ]
    kept = [records_of(tmp_path / str(batch)) for batch in (1, 4, 100)]
    assert kept[0] == kept[1] == kept[2] and len(kept[0]) == (24 if sampled else 12)
    assert found[0]["tasks"] == found[1]["tasks"] == found[2]["tasks"]
    assert {key[3] for key, *_ in kept[0]} == ({3, 4} if sampled else {0})
    if sampled:
        answers = {key: answer for key, answer, _ in kept[0]}
        seeds = [(answers[(*key[:3], 3)], answers[(*key[:3], 4)]) for key in answers]
        assert any(one != other for one, other in seeds)


def test_seeds_are_for_sampling():
    with pytest.raises(MethodError, match="seeds is 99999999999, but must be at most 10,000"):
        Run(tasks=(), methods={}, decoding=Decoding(do_sample=True), seeds=99_999_999_999)
    with pytest.raises(MethodError, match="seeds is 3, but must be 1 or more, and 1 where nothing"):
        Run(tasks=(), methods={}, seeds=3)


def test_an_interrupted_run_goes_on_and_ends_as_if_it_never_was(checkpoint, tmp_path):
    """Whole records are kept, half of one is not, and nothing is asked twice."""
    asked = []
    method = sinktrack.SinkTrack.for_model(checkpoint[0])
    run = Run(
        tasks=[counting_task(asked)],
        methods={"baseline": None, "sinktrack": method},
        limit=4,
        batch=6,
    )
    straight = evaluate(*checkpoint, run, tmp_path / "straight")
    assert len(asked) == 8
    evaluate(*checkpoint, run, tmp_path / "torn")
    records = tmp_path / "torn" / RECORDS
    lines = records.read_bytes().splitlines(keepends=True)
    records.write_bytes(b"".join(lines[:5]) + lines[5][:20])
    asked.clear()
    assert evaluate(*checkpoint, run, tmp_path / "torn") == straight
    assert asked == ["test/2", "test/3", "test/3"]  # the last of a batch, and the next batch
    assert len(records.read_text().splitlines()) == 8
    assert (tmp_path / "torn" / "results.md").read_text() == table(straight)
    assert json.loads((tmp_path / "torn" / "results.json").read_text())["settings"]["limit"] == 4


def test_a_folder_of_another_run_is_refused(checkpoint, tmp_path):
    run = Run(tasks=[counting_task([])], methods={"baseline": None}, limit=1)
    evaluate(*checkpoint, run, tmp_path)
    warm = Decoding(do_sample=True, temperature=1.0)
    for other in ({"limit": 2}, {"decoding": warm}):
        with pytest.raises(OutputError, match="holds a run with other settings"):
            evaluate(*checkpoint, replace(run, **other), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used for results"):
        evaluate(*checkpoint, run, tmp_path / "file" / "below")


def test_passages_need_no_picture(checkpoint, tmp_path):
    """A vision-language model answers them from text alone, and the method writes the question."""
    method = sinktrack.SinkTrack.for_model(checkpoint[0], context="instruction")
    run = Run(tasks=PASSAGES, methods={"baseline": None, "sinktrack": method}, limit=3)
    results = evaluate(*checkpoint, run, tmp_path)
    assert results["tasks"]["passages"]["sinktrack"]["F1"]["items"] == 3
    records = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert {record["name"]: record["method"] for record in records} == {
        "baseline": None,
        "sinktrack": method.as_dict(),
    }
    assert all(bool(record["moved"]) == (record["name"] == "sinktrack") for record in records)


def test_a_method_whose_context_is_missing_is_refused_before_anything_is_asked(
    checkpoint, tmp_path
):
    """Also where only some questions of a task lack it."""
    method = sinktrack.SinkTrack.for_model(checkpoint[0], context="image")

    def mixed(split, limit):
        with_pictures = next(task for task in POPE).items(split, limit)
        without = PASSAGES[0].items(split, limit)
        for number, pair in enumerate(zip(with_pictures, without, strict=True)):
            yield from (replace(item, id=f"{number}/{which}") for which, item in enumerate(pair))

    task = Task("mixed", mixed, lambda item, answer: {"length": (len(answer), 1)}, 4)
    run = Run(tasks=[task], methods={"baseline": None, "own": method}, limit=3)
    with pytest.raises(PromptError, match="'mixed' cannot be asked: own needs .* has no image"):
        evaluate(*checkpoint, run, tmp_path)
    assert not list(tmp_path.iterdir())


def test_items_may_bring_a_passage(checkpoint, tmp_path):
    item = Item("1", "Where is it?", "attic", passage="The red circle is in the attic.")
    task = Task("rooms", lambda *_: [item], lambda item, answer: {"length": (len(answer), 1)}, 4)
    method = sinktrack.methods.create("cad")
    evaluate(*checkpoint, Run(tasks=[task], methods={"x": None, "cad": method}), tmp_path)
    records = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert [record["method"] for record in records] == [None, method.as_dict()]


def test_answers_in_which_a_method_moved_nothing_are_counted(checkpoint, tmp_path):
    off = sinktrack.SinkTrack.for_model(checkpoint[0], strength=0.0)
    run = Run(tasks=POPE[:1], methods={"baseline": None, "off": off}, limit=2)
    results = evaluate(*checkpoint, run, tmp_path)
    assert results["notes"] == ["In 'existence, random', off moved nothing in 2 of 2 answers."]
    assert results["notes"][0] in (tmp_path / "results.md").read_text()


def test_a_new_task_is_one_file(tmp_path, monkeypatch):
    """It is found by its name, and the command line lists it, before torch is loaded."""
    (tmp_path / "rare.py").write_text(
        "from sinktrack.eval.task import Task\n"
        "TASK = Task('rare', lambda split, limit: [], lambda item, answer: {})\n"
        "SUITES = {'rare': (TASK,)}\n"
    )
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    tasks.available.cache_clear()
    try:
        assert [task.name for task in tasks.find("rare")] == ["rare"]
        assert tasks.find("shapes-pope") == POPE
        (tmp_path / "again.py").write_text("SUITES = {'shapes': ()}\n")
        tasks.available.cache_clear()
        with pytest.raises(ValueError, match=r"shapes\.py defines the tasks 'shapes', but"):
            tasks.available()
    finally:
        monkeypatch.undo()
        tasks.available.cache_clear()
        for name in ("rare", "again"):
            sys.modules.pop(f"sinktrack.eval.tasks.{name}", None)
    with pytest.raises(
        MethodError, match="There is no task 'rare': choose one of amber-generative, amber-"
    ):
        tasks.find("rare")


def test_a_passage_may_be_a_part_of_its_own():
    """Its words are those of the task whose question holds it."""
    whole, parted = (list(task.items("test", 6)) for (task,) in (PASSAGES, PASSAGE_PARTS))
    for one, other in zip(whole, parted, strict=True):
        assert one.question == f"{other.passage}\n{other.question}"
        assert (one.answer, one.id) == (other.answer, other.id)


@pytest.mark.parametrize("name", sorted({task.name for task in SUITES["shapes"]}))
def test_the_reference_answer_of_every_task_scores_best(name):
    """The scorers and the questions agree, on scenes that can be built again."""
    task = next(task for task in SUITES["shapes"] if task.name == name)
    items = list(task.items("test", 20))
    again = list(task.items("test", 20))
    assert [(item.question, item.answer) for item in items] == [
        (item.question, item.answer) for item in again
    ]
    assert {item.id for item in items} != {item.id for item in task.items("validation", 20)}
    for item, same in zip(items, again, strict=True):
        scores = task.score(item, item.answer)
        best = next(measure for measure in ("accuracy", "exact", "F1") if measure in scores)
        assert scores[best] == (1.0, 1.0)
        for image, drawn_again in zip(item.images, same.images, strict=True):
            assert image().tobytes() == drawn_again().tobytes()
