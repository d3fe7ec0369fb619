"""Whether an answer is right: what decides, and what does not."""

import random

import pytest

from sinktrack.eval.tasks import find
from sinktrack.eval.truth import Truth
from sinktrack.shapes.questions import existence
from sinktrack.shapes.scenes import sample_scene


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("There is a red star. There is a blue cross.", True),
        ("There is a blue cross. There is a red star.", True),
        ("there is a red star, there is a blue cross", False),
        ("THERE IS A RED STAR! There is a blue cross", True),
        ("There is a red star.", False),
        ("There is a red star. There is a red star. There is a blue cross.", False),
        ("", False),
    ],
)
def test_the_same_sentences_are_right_in_any_order_case_and_punctuation(said, right):
    truth = Truth(answer="There is a red star. There is a blue cross.")
    assert truth.admits(said) is right


def test_where_a_thing_stands_in_its_row_counts():
    truth = Truth(answer="Row one: - red star - - -.")
    assert truth.admits("Row one: - red star - - -.")
    assert not truth.admits("Row one: - - red star - -.")


def test_of_existence_yes_or_no_decides_as_the_task_scores_it():
    truth = Truth.of_task("No, there is no red star.", "existence, adversarial")
    assert truth.admits("No.") and not truth.admits("Yes, there is a red star.")


def test_of_a_lettered_choice_the_last_letter_decides():
    truth = Truth.of_task("I see a red star. **Answer: B**", "choice")
    assert truth.admits("I see none. Answer: (b)") and not truth.admits("B")


def test_a_reference_that_is_yes_or_no_alone_is_judged_by_it():
    assert Truth.of_reference("Yes").admits("Yes, I do see a cat.")
    assert not Truth.of_reference("Yes, a cat.").admits("Yes, I do see a cat.")


@pytest.mark.parametrize("suite", ["shapes", "shapes-words"])
def test_the_reference_answers_of_all_tasks_are_right(suite):
    for task in find(suite):
        for item in task.items("test", 6):
            truth = Truth.of_task(item.answer, task.name)
            assert truth.admits(item.answer), (task.name, item.answer)
            assert not truth.admits("I know only coloured shapes.")


def test_present_and_absent_are_told_apart():
    rng = random.Random(0)
    scene = sample_scene(rng, 3)
    for present in (True, False):
        question = existence(rng, scene, present)
        truth = Truth.of_task(question.answer, question.task)
        assert truth.admits("Yes") is present and truth.admits("No") is not present
