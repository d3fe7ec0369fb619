"""Key-value retrieval: what is asked, and how it is scored."""

import importlib.util
import json

import pytest
from paths import ROOT

import sinktrack
from sinktrack.eval.runner import Run, evaluate, table
from sinktrack.eval.tasks import find
from sinktrack.eval.tasks.key_value import (
    PLACES,
    independent_items,
    key_value,
    measure,
    pairs_items,
)


def test_the_same_pairs_are_asked_about_from_ten_places():
    items = list(pairs_items(30, "test", 2 * PLACES))
    assert items == list(pairs_items(30, "test", 2 * PLACES))
    for drawn in (items[:PLACES], items[PLACES:]):
        assert len({(item.question, item.answer) for item in drawn}) == 1
        places = []
        for item in drawn:
            pairs = json.loads(item.passage)
            assert len(pairs) == 30 and len(set(pairs) | set(pairs.values())) == 60
            key = item.question.split('"')[1]
            assert pairs.pop(key) == item.answer
            places.append(list(json.loads(item.passage)).index(key))
            assert pairs == {k: v for k, v in json.loads(drawn[0].passage).items() if k != key}
        assert places == [0, 3, 6, 10, 13, 16, 19, 23, 26, 29]
    others = pairs_items(30, "validation", 2 * PLACES)
    assert not {item.answer for item in items} & {item.answer for item in others}


def test_independent_items_share_no_pairs():
    items = independent_items(10, "validation", 12)
    assert [item.facts["place"] for item in items] == [*range(PLACES), 0, 1]
    words = [word for item in items for pair in json.loads(item.passage).items() for word in pair]
    assert len(set(words)) == 12 * 20


def test_an_answer_is_right_where_it_holds_the_value():
    (task,) = find("key-value")
    item = next(iter(task.items("test", 1)))
    assert task.score(item, f'The value is "{item.answer.upper()}".')["accuracy"] == (1.0, 1.0)
    assert task.score(item, item.answer[:-1]) == {"accuracy": (0.0, 1.0), measure(0): (0.0, 1.0)}


def test_results_tell_places_apart_and_are_drawn(checkpoint, tmp_path):
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("key_value", ROOT / "benchmarks" / "key_value.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    method = sinktrack.methods.kind("position-scale").for_model(checkpoint[0], dimension=3)
    methods = {"baseline": None, "scaled": method}
    run = Run(tasks=[key_value(10)], methods=methods, limit=PLACES, batch=2)
    results = evaluate(*checkpoint, run, tmp_path)
    measured = results["tasks"]["key-value, 10 pairs"]
    for name in methods:
        assert measured[name]["accuracy"]["items"] == PLACES
        found = [measured[name][measure(place)]["value"] for place in range(PLACES)]
        assert (
            set(found) <= {0.0, 1.0} and sum(found) / PLACES == measured[name]["accuracy"]["value"]
        )
    assert "accuracy at place 10" in table(results)
    benchmark.draw(results, tmp_path / "places.png")
    assert (tmp_path / "places.png").stat().st_size > 5000
