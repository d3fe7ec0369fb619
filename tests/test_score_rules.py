"""What each rule reads in an answer, and how answers are scored."""

import pytest

from sinktrack.core.errors import AnswersError
from sinktrack.eval.answer_files import Row
from sinktrack.eval.prediction_rows import Prediction
from sinktrack.eval.rules import ABSTAINING, Rule, find_rule, kind_of
from sinktrack.eval.scorers import squad

OPTIONS = {"A": "left", "B": "straight on", "C": "right"}
FAIR, STRICT, FIRST = Rule("fair"), Rule("strict"), Rule("first-answer")


def prediction(answer, gold, options=None):
    return Prediction("1", answer, gold, "?", options or {}, (), "1", Row("a.jsonl", 1, {"x": 5}))


@pytest.mark.parametrize(
    ("answer", "fair", "strict", "first"),
    [
        ("**Answer: B**", "B", "B", "B"),
        ("**Answer:** B", "B", "B", "B"),
        ("Answer\uff1aB, not the others", "B", None, "B"),  # a full-width colon, as of Chinese text
        ("**Answer:\u3010B\u3001straight on\u3011", "B", None, "B"),
        ("Final answer: b", "B", "B", "B"),
        (r"The answer is $\boxed{B}$", "B", None, "B"),
        ("Answer: straight on", "B", "B", "B"),
        ("B", "B", "B", "B"),
        ("(B).", "B", "B", "B"),
        ("Straight on.", "B", "B", "B"),
        ("So it is option B.", "B", None, "B"),
        ("A is wrong.\nHence (B).", "B", None, "B"),
        ("(A) is wrong.\nHence it turns.", None, None, None),
        ("It turns right.\n\nB", "B", None, "B"),
        ("B\nbecause it turns right.", None, None, None),
        ("Answer: A. But no.\nAnswer: B", "B", "B", "A"),
        ("The answer is a puzzle", None, None, None),
        ("Answer: D", None, None, None),
        ("", None, None, None),
    ],
)
def test_which_option_an_answer_chooses(answer, fair, strict, first):
    rules = (FAIR, STRICT, FIRST)
    assert [rule.letter(answer, OPTIONS) for rule in rules] == [fair, strict, first]


def test_an_answer_equal_to_two_options_chooses_neither():
    assert FAIR.letter("left", OPTIONS | {"D": "Left."}) is None


@pytest.mark.parametrize(
    ("answer", "fair", "strict"),
    [
        ("**Answer:*No*'", "no", "no"),
        ("No.", "no", "no"),
        ("There is none.\nTherefore, no.", "no", None),
        ("Yes and no?\nAnswer: Yes", "yes", "yes"),
        ("Answer\uff1aYes, no doubt", "yes", None),
        ("Yes, there is one.\nIt is red.", None, None),
        ("nothing", None, None),
    ],
)
def test_whether_an_answer_says_yes(answer, fair, strict):
    assert [rule.yes_or_no(answer) for rule in (FAIR, STRICT)] == [fair, strict]


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("Answer: Three", "3", True),
        ("1,000", "1000", True),
        ("The answer is 3.0.", "3", True),
        ("I count the cars.\nThe stop sign.", "stop sign", True),
        ("13", "3", False),
        ("There are three cars in this picture", "3", False),
        ("Do not enter this road at night", "do not enter this road at night", True),
    ],
)
def test_words_and_numbers_count_where_they_are_equal(answer, gold, right):
    assert FAIR.score(prediction(answer, gold))["accuracy"] == (float(right), 1.0)


def test_what_is_right_tells_what_is_asked():
    assert kind_of(prediction("", "Yes")) == "yes-no"
    assert kind_of(prediction("", "B", OPTIONS)) == kind_of(prediction("", "(B)")) == "choice"
    assert kind_of(prediction("", "D", OPTIONS)) == kind_of(prediction("", "12")) == "word"
    assert kind_of(prediction("", "No, there is none.")) == "yes-no"
    assert kind_of(prediction("", "It is B. **Answer: B**", OPTIONS)) == "choice"
    assert kind_of(prediction("", ())) == kind_of(prediction("", ("x",))) == "span"


def test_a_right_answer_may_be_a_sentence():
    sentence = "It turns. **Answer: B**"
    assert FAIR.score(prediction("Answer: B", sentence, OPTIONS))["accuracy"] == (1.0, 1.0)
    assert FAIR.score(prediction("Answer: C", sentence, OPTIONS))["accuracy"] == (0.0, 1.0)
    assert FAIR.score(prediction("No.", "No, there is none."))["accuracy"] == (1.0, 1.0)
    assert FAIR.score(prediction("So: 72", "24 + 48 = 72\n#### 72"))["accuracy"] == (0.0, 1.0)
    assert FAIR.score(prediction("Answer: 72", "24 + 48 = 72\n#### 72"))["accuracy"] == (1.0, 1.0)


def test_an_unparsed_answer_is_wrong_and_counted():
    scores = FAIR.score(prediction("no idea", "B", OPTIONS))
    assert scores["accuracy"] == (0.0, 1.0) and scores["unparsed"] == (1.0, 1.0)
    assert scores["accuracy among parsed"] == (0.0, 0.0)


def test_squad_is_scored_as_its_own_scorer_does():
    """Worked by hand: "10th century" has 2 words, both in the answer's 5."""
    scores = squad("In the first half of 10th century.", ["10th", "the 10th century"], False)
    assert scores["F1"] == (pytest.approx(2 * 2 / (6 + 2)), 1.0)
    assert scores["accuracy"] == (0.0, 1.0) and scores["contains"] == (1.0, 1.0)
    assert squad("The Rollo!", ["a rollo"], False)["accuracy"] == (1.0, 1.0)
    assert squad("Hrolf", ["Rollo", "Hrolf"], False)["accuracy"] == (1.0, 1.0)
    assert squad("centuries", ["century"], False)["F1"] == (0.0, 1.0)


def test_what_a_model_thinks_before_is_no_part_of_its_answer():
    thought = "<think>\nThe answer is A? No.\n</think>\n\nB"
    assert FAIR.score(prediction(thought, "B", OPTIONS))["accuracy"] == (1.0, 1.0)
    assert STRICT.score(prediction(thought, "B", OPTIONS))["accuracy"] == (1.0, 1.0)
    assert FAIR.score(prediction("<think>no answer?</think>Rollo", ("Rollo",)))["F1"] == (1.0, 1.0)
    for cut in ("</think>", "<think>The answer is B? Let me see"):
        assert FAIR.score(prediction(cut, "B", OPTIONS))["unparsed"] == (1.0, 1.0)


def test_abstaining_is_right_for_the_unanswerable_alone():
    answer = "The context does not provide the answer."
    lost = FAIR.score(prediction(answer, ("France",)))
    assert lost["F1"] == (0.0, 1.0) and lost["abstains answerable"] == (1.0, 1.0)
    won = FAIR.score(prediction(answer, ()))
    assert won["F1"] == won["accuracy"] == won["abstains unanswerable"] == (1.0, 1.0)
    assert FAIR.score(prediction("France", ()))["F1"] == (0.0, 1.0)
    assert STRICT.score(prediction(answer, ()))["F1"] == (0.0, 1.0)
    assert STRICT.score(prediction("Cannotanswer.", ()))["F1"] == (1.0, 1.0)
    for name in ("fair", "strict"):
        official = find_rule(name, None, [""])
        assert official.abstains(" ") and not official.abstains("...")
    other = find_rule("fair", None, ["Weiß  NICHT"])
    assert other.score(prediction("Das weiß nicht jeder", ()))["F1"] == (1.0, 1.0)
    assert other.score(prediction(answer, ()))["F1"] == (0.0, 1.0)


def mine(answer, gold, row):
    return {
        "accuracy": None if answer == "?" else answer == gold,
        "length": (len(answer), row["x"]),
    }


def broken(answer, gold, row):
    return row["y"]


def test_a_rule_of_ones_own_may_return_anything_that_is_a_score():
    rule = find_rule("test_score_rules:mine", None, ABSTAINING)
    assert rule.score(prediction("abc", "abc")) == {
        "accuracy": (1.0, 1.0),
        "length": (3.0, 5.0),
        "accuracy among parsed": (1.0, 1.0),
        "unparsed": (0.0, 1.0),
    }
    assert rule.score(prediction("?", "abc"))["unparsed"] == (1.0, 1.0)


def test_scores_that_were_recorded_are_taken_as_they_are():
    row = Row("records.jsonl", 4, {"scores": {"CHAIR_i": [1.0, 3.0], "recall": [2, 4]}})
    recorded = find_rule("recorded", None, ABSTAINING)
    scores = recorded.score(Prediction("1", "", "x", "", {}, (), "1", row))
    assert scores["CHAIR_i"] == (1.0, 3.0) and scores["recall"] == (2.0, 4.0)
    with pytest.raises(AnswersError, match="line 1 .* the row has no scores"):
        recorded.score(prediction("", ""))


def test_a_rule_that_fails_or_is_missing_is_refused():
    with pytest.raises(AnswersError, match=r"failed at a.jsonl, line 1 \(id 1\): KeyError: 'y'"):
        find_rule("test_score_rules:broken", None, ABSTAINING).score(prediction("", ""))
    for name, sentence in (
        ("test_score_rules:none", "cannot be loaded"),
        ("no_such_module:f", "cannot be loaded"),
        ("test_score_rules:OPTIONS", "is no function"),
        ("fairer", "choose one of fair, strict, first-answer, recorded"),
    ):
        with pytest.raises(AnswersError, match=sentence):
            find_rule(name, None, ABSTAINING)
