"""Scorers of public benchmarks, on examples worked by hand."""

import json

import pytest
from PIL import Image

from sinktrack.core.errors import DataError
from sinktrack.eval.coco_objects import CocoObjects
from sinktrack.eval.results import Answered, Groups, results
from sinktrack.eval.rules import fair_scores, said_at_the_end
from sinktrack.eval.scorers import best_reference, quac
from sinktrack.eval.statistics import ratio
from sinktrack.eval.task import Chosen
from sinktrack.eval.tasks import find
from sinktrack.eval.tasks.hallusion_bench import TOGETHER

SYNONYMS = (
    "person, man, woman, child, people, player",
    "traffic light, street light",
    "train, locomotive",
    "cat, kitten",
    "chair, seat",
    "toilet, urinal",
    "tie, necktie",
    "hot dog",
)


def total(scores, measure):
    return ratio([score.get(measure, (0.0, 0.0)) for score in scores])


def answered(*scores):
    return [[Answered({"accuracy": (float(score), 1.0)}, None)] for score in scores]


@pytest.mark.parametrize(
    ("answer", "references", "f1", "exact"),
    [
        ("The Norman dynasty!", ("Norman dynasty", "Normans"), 1, 1),  # case, marks, articles
        ("in the 10th century", ("10th and 11th centuries", "10th century"), 4 / 5, 0),
        ("France, a country", ("Spain",), 0, 0),
        ("The text is unanswerable.", ("Spain",), 0, 0),  # abstains where an answer stands
        ("The text is unanswerable.", (), 1, 1),
        ("Spain", (), 0, 0),
    ],
)
def test_squads_best_reference_counts(answer, references, f1, exact):
    scores = fair_scores(answer, references)
    assert scores["F1"][0] == pytest.approx(f1) and scores["accuracy"][0] == exact


def test_longbenchs_nearest_reference_counts():
    scores = best_reference("It was Anna Smith", ("Anna", "Anna B. Smith"))
    # 4 words against 3, 2 of them the same
    assert scores["F1"][0] == pytest.approx(2 * 2 / (4 + 3)) and scores["accuracy"][0] == 0
    assert scores["contains"][0] == 1


def test_quac_leaves_each_reference_out_once():
    """F1 against "a b", "b c", "d": 1, 1/2, 0. Without each of them the best is 1/2, 1, 1."""
    scores = quac("x1 x2", ("x1 x2", "x2 x3", "x4"), abstains=False)
    assert scores["F1, all questions"][0] == pytest.approx((1 / 2 + 1 + 1) / 3)
    # the references against each other: 1/2, 1/2, 0, so annotators agree by 1/3 and it is left out
    assert not {"F1", "HEQ-Q"} & set(scores)
    kept = quac("x1 x2", ("x1 x2", "x2 x3"), abstains=False)
    # without the first 1/2, without the second 1; the annotators 1/2
    assert kept["F1"][0] == pytest.approx(3 / 4) and kept["human F1"][0] == pytest.approx(1 / 2)
    assert kept["HEQ-Q"] == (1.0, 1.0)
    assert quac("x9", ("x1 x2", "x2 x3"), abstains=False)["HEQ-Q"] == (0.0, 1.0)
    assert quac("x1", ("x1",), abstains=False)["human F1"] == (1.0, 1.0)
    refused = quac("I cannot tell", (), abstains=True)
    assert refused["F1"] == refused["HEQ-Q"] == refused["abstains unanswerable"] == (1.0, 1.0)
    assert quac("x1", (), abstains=False)["F1"] == (0.0, 1.0)
    assert quac("no answer", ("x1",), abstains=True)["F1"] == (0.0, 1.0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("He ruled it.\nAnswer: a Viking", "a Viking"),
        ("**Answer: a Viking**", "a Viking"),
        ("Answer: no, wait. Answer: a Viking", "a Viking"),
        ("The answer is clear.\nAnswer: a Viking\nThat is all.", "a Viking"),
        ("The answer is clear.\na Viking", "a Viking"),
        ("", ""),
    ],
)
def test_an_answer_at_the_end_is_found(answer, said):
    assert said_at_the_end(answer) == said


def test_a_group_is_right_where_none_of_its_items_is_wrong():
    groups = Groups("pairs", "accuracy", ["a", "a", "b", None, "c", "c"])
    items = [*answered(1, 0, 1, 0, 1), [Answered({}, None)]]  # the last one does not count
    assert sorted(each["pairs"] for each in groups.scores(items)) == [
        (0.0, 1.0),
        (1.0, 1.0),
        (1.0, 1.0),
    ]
    found = results({"methods": {"x": 0}}, {"t": {"x": items}}, {"t": [groups]})
    figure = found["tasks"]["t"]["x"]["pairs"]
    assert figure["value"] == pytest.approx(2 / 3) and figure["items"] == 3
    assert found["tasks"]["t"]["x"]["accuracy"]["items"] == 5
    sampled = [[*one, *other] for one, other in zip(answered(1, 1), answered(1, 0), strict=True)]
    (score,) = Groups("pairs", "accuracy", ["a", "a"]).scores(sampled)
    assert score["pairs"] == (0.5, 1.0)  # right in one seed of two


def test_hallusion_benchs_pairs_and_figures():
    """Two questions about an original and an altered figure, and one asked without a picture."""

    def item(pair, figure, altered):
        return type("Item", (), {"facts": {"pair": pair, "figure": figure, "altered": altered}})

    items = [
        item("q0", "f0", False),
        item("q1", "f0", False),
        item("q0", "f1", True),
        item("q1", "f1", True),
        item("q2", None, False),
    ]
    right = answered(1, 1, 1, 0, 1)
    measured = {
        name: total(Groups(name, each.of, [each.group(one) for one in items]).scores(right), name)
        for name, each in TOGETHER.items()
    }
    assert measured == {
        "question pairs": 2 / 3,
        "figures": 1 / 2,
        "easy questions": 1,
        "hard questions": 1 / 2,
    }


@pytest.mark.parametrize(
    ("caption", "mentions"),
    [
        ("Two men and a woman wait.", ["person", "person"]),
        ("A kitten sits on a seat of the train.", ["cat", "chair", "train"]),
        ("The train tracks and street lights", ["traffic light"]),
        ("the seat of a toilet", ["toilet"]),
        ("a toilet seat", ["toilet"]),
        ("An adult cat wears a bow tie.", ["cat", "tie"]),
        ("a passenger train", ["train"]),
        ("Hot dogs for the people's children", ["hot dog", "person", "person"]),
        ("Nothing is here.", []),
    ],
)
def test_cocos_objects_are_found_in_captions(caption, mentions):
    assert CocoObjects(SYNONYMS).mentions(caption) == mentions


@pytest.fixture
def coco(tmp_path):
    """Return a place for each of COCO's files, with two pictures."""
    images = [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "b.png"}]
    captions = [
        {"image_id": 7, "id": 1, "caption": "A kitten waits."},
        {"image_id": 8, "id": 2, "caption": "Rails."},
    ]
    boxes = [{"image_id": 7, "category_id": 3}, {"image_id": 99, "category_id": 3}]
    (tmp_path / "images").mkdir()
    for each in images:
        Image.new("RGB", (56, 56)).save(tmp_path / "images" / each["file_name"])
    (tmp_path / "captions.json").write_text(json.dumps({"images": images, "annotations": captions}))
    (tmp_path / "instances.json").write_text(
        json.dumps(
            {"images": images, "annotations": boxes, "categories": [{"id": 3, "name": "person"}]}
        )
    )
    (tmp_path / "synonyms.txt").write_text("\n".join(SYNONYMS) + "\n")
    (tmp_path / "list.jsonl").write_text('{"image_id": 8, "caption": "x"}\n')
    (tmp_path / "list.txt").write_text("b.png\n7\n")
    named = {"captions": "captions.json", "instances": "instances.json", "images": "images"}
    return {
        name: str(tmp_path / file) for name, file in (named | {"synonyms": "synonyms.txt"}).items()
    }


def test_chair_counts_what_neither_boxes_nor_captions_have(coco, tmp_path):
    (task,) = find("coco-chair", Chosen(data=coco))
    first, second = task.items("test", task.limit)
    assert (first.id, first.answer, second.answer) == ("7", "cat, person", "")
    assert first.question == "Please describe this image in detail." and first.images[0]().size
    scores = [
        task.score(first, "A man and his cat. The cat sits on a chair; two chairs are there."),
        task.score(second, "A train."),
    ]
    assert total(scores, "CHAIR_i") == pytest.approx(3 / 6)  # a thing named twice counts twice
    assert total(scores, "CHAIR_s") == 1
    assert total(scores, "recall") == 1
    for listed, ids in (("list.jsonl", ["8"]), ("list.txt", ["8", "7"])):
        (task,) = find("coco-chair", Chosen(data=coco | {"list": str(tmp_path / listed)}))
        assert [item.id for item in task.items("test", 10)] == ids
    (tmp_path / "list.txt").write_text("12\n")
    with pytest.raises(DataError, match="lists the picture 12, which the captions lack"):
        list(task.items("test", 10))
    with pytest.raises(DataError, match="There is no file nowhere: check the path"):
        find("coco-chair", Chosen(data=coco | {"synonyms": "nowhere"}))[0].about("test")


@pytest.fixture
def amber(tmp_path):
    """Return a place for a small copy of AMBER: one description and four questions."""
    data = tmp_path / "data"
    (data / "query").mkdir(parents=True)
    queries = [
        {"id": 1, "image": "AMBER_1.jpg", "query": "Describe this image."},
        {"id": 2, "image": "AMBER_1.jpg", "query": "Is the sky sunny in this image?"},
        {"id": 3, "image": "AMBER_1.jpg", "query": "Is there a cloud in this image?"},
        {"id": 4, "image": "AMBER_1.jpg", "query": "Is there a person in this image?"},
        {"id": 5, "image": "AMBER_1.jpg", "query": "Is there direct contact?"},
    ]
    annotations = [
        {
            "id": 1,
            "type": "generative",
            "truth": ["person", "lake", "tree"],
            "hallu": ["dog", "sun"],
        },
        {"id": 2, "type": "discriminative-attribute-state", "truth": "yes"},
        {"id": 3, "type": "discriminative-hallucination", "truth": "no"},
        {"id": 4, "type": "discriminative-hallucination", "truth": "yes"},
        {"id": 5, "type": "relation", "truth": "no"},
    ]
    alike = {"person": ["man", "woman"], "lake": ["water"], "tree": [], "dog": ["puppy"], "sun": []}
    for name, value in (
        ("query/query_all.json", queries),
        ("annotations.json", annotations),
        ("relation.json", alike | {"house": []}),
    ):
        (data / name).write_text(json.dumps(value))
    (data / "safe_words.txt").write_text("house\nlight\n")
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (56, 56)).save(tmp_path / "pictures" / "AMBER_1.jpg")
    return {"amber": str(tmp_path), "images": str(tmp_path / "pictures")}


def test_ambers_descriptions_are_held_against_its_lists(amber):
    """Nouns: man, woman, water, puppy, house, dog. Two are not there, house never counts."""
    (task,) = find("amber-generative", Chosen(data=amber))
    (item,) = task.items("test", task.limit)
    scores = task.score(item, "A man and women at the water. A puppy runs to a house, as dogs do.")
    assert scores["CHAIR"] == (2.0, 6.0) and scores["Hal"] == (1.0, 1.0)
    assert scores["Cover"] == (2.0, 3.0)  # person and lake
    assert scores["Cog"] == (1.0, 2.0)  # the dog, twice
    assert task.score(item, "A person.")["Hal"] == (0.0, 1.0)
    assert item.question == "Describe this image." and item.images[0]().size == (56, 56)


def test_ambers_questions_count_the_answer_no(amber):
    (task,) = find("amber-discriminative", Chosen(data=amber))
    items = list(task.items("test", task.limit))
    answers = ("No.", "No.", "Yes.", "Yes.")
    scores = [task.score(*pair) for pair in zip(items, answers, strict=True)]
    assert total(scores, "accuracy") == 1 / 2
    assert total(scores, "accuracy, existence") == 1 and total(scores, "accuracy, relation") == 0
    precision, recall = 1 / 2, 1 / 2  # no was said twice, and is right twice
    assert total(scores, "precision of no") == precision
    assert total(scores, "recall of no") == recall
    assert total(scores, "F1 of no") == 1 / 2
    assert task.score(items[1], "Maybe.")["unparsed"] == (1.0, 1.0)


def test_a_folder_that_is_no_copy_of_amber_is_refused(amber, tmp_path):
    (tmp_path / "data" / "relation.json").unlink()
    with pytest.raises(DataError, match=r"is no copy of AMBER: it has no data/relation\.json"):
        find("amber-generative", Chosen(data=amber))[0].about("test")
    with pytest.raises(DataError, match="AMBER is read from a folder: add --data amber=FOLDER"):
        find("amber-generative")
