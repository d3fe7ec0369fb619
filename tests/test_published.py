"""The page about published answers holds its figures, and the public rules do what they say."""

import json

import pytest
from paths import ROOT


@pytest.fixture(autouse=True)
def beside_the_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


def test_the_page_is_what_its_figures_give():
    from published_page import page

    figures = json.loads((ROOT / "benchmarks/results/published.json").read_text("utf-8"))
    written = (ROOT / "docs/published.md").read_text("utf-8")
    assert written == page(figures), "run `python benchmarks/published.py --page`"


@pytest.mark.parametrize(
    ("pred", "answer", "question", "right"),
    [
        ("**Answer: B**\nAnswer: A", "B", "", True),  # the first marker counts
        ("Answer: A, no, B", "B", "", False),
        ("Answer: 2 or 3", "2", "", True),  # the first number counts
        ("I see none.", "0", "", True),  # "no" is zero, and "i see none" holds it
        ("The left one", "A", "Where?\nA. left\nB. right", True),
        ("", "A", "Where?\nA. left\nB. right", True),  # nothing is held by any option
        ("Answer: b", "A", "Where?\nA. b or c\nB. right", False),
        ("Answer: A", "yes", "", True),
        ("Answer: A?", "A", "", False),
        ("Answer: A\uff1f", "A", "", True),
    ],
)
def test_the_repositorys_rule_for_pictures(pred, answer, question, right):
    import published_rules

    row = {"pred": pred, "answer": answer, "question": question}
    assert published_rules.vision(row) == right


@pytest.mark.parametrize(
    ("said", "references", "accuracy", "f1"),
    [
        ("In the 10th century.", ["10th"], True, 0.5),  # "in 10th century" holds one word of three
        ("France", ["France, West"], True, pytest.approx(2 / 3)),
        ("", ["Rollo"], True, 0.0),  # nothing is held by any reference
        ("It does Not provide it.", [], True, 0.0),
        ("Rollo", [], False, 0.0),
        ("So I cannot answer the question based on the provided text.", [], None, 0.0),
        ("So I cannot answer the question based on the provided text.", ["Rollo"], None, 0.0),
    ],
)
def test_the_repositorys_rule_for_squad(said, references, accuracy, f1):
    import published_rules

    row = {"predicted_answer": said, "ground_truth_answers": references}
    assert published_rules.squad_accuracy(row) is accuracy
    assert published_rules.squad_f1(row) == f1


@pytest.mark.parametrize(
    ("pred", "answer", "right"),
    [("It isn't there.", "no", True), ("A red jacket.", "yes", True), ("Nothing.", "no", False)],
)
def test_the_repositorys_rule_for_llava(pred, answer, right):
    import published_rules

    assert published_rules.vision_negation({"pred": pred, "answer": answer}) == right
