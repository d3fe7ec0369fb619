"""`sinktrack study new`: a folder that can be prepared as it is, from a few questions or none."""

import io
import sys

import pytest

from sinktrack import cli
from sinktrack.methods import described, from_dict
from sinktrack.study.folder import read_study


class Typed(io.StringIO):
    """What a person types."""

    def isatty(self):
        return True


@pytest.mark.parametrize("words", [["--yes"], []])
def test_without_a_terminal_it_takes_what_is_proposed(tmp_path, capsys, monkeypatch, words):
    monkeypatch.setattr(sys, "stdin", Typed() if words else io.StringIO("no terminal\n"))
    folder = tmp_path / "Käse am Stück"
    assert cli.main(["study", "new", str(folder), *words]) == 0
    study = read_study(folder, pictures=True)
    assert (study.title, study.votes_per_item) == ("Which answer is better?", 2)
    assert study.lanes == {
        "baseline": None,
        "sinktrack": {"kind": "sinktrack", "context": "prompt"},
    }
    kinds = {(len(item.images), bool(item.passage)) for item in study.items}
    assert kinds == {(1, False), (2, False), (0, True), (1, True)}
    said = capsys.readouterr().out
    assert f"sinktrack study prepare '{folder}'" in said
    assert f"sinktrack study serve '{folder}'" in said


def test_it_asks_again_until_an_answer_can_be_used(tmp_path, capsys, monkeypatch):
    typed = ["Mine: all", "", "some/model", "baseline nonsense", "baseline", "baseline vcd:alpha=2"]
    monkeypatch.setattr(sys, "stdin", Typed("\n".join([*typed, "many", "0", "3"]) + "\n"))
    assert cli.main(["study", "new", str(tmp_path / "s")]) == 0
    study = read_study(tmp_path / "s")
    assert (study.title, study.model, study.votes_per_item) == ("Mine: all", "some/model", 3)
    assert study.lanes == {"baseline": None, "vcd": {"kind": "vcd", "alpha": 2.0}}
    said = capsys.readouterr().out
    assert "Title? [Which answer is better?]" in said
    assert "no method 'nonsense'" in said and "two methods or more" in said
    assert said.count("from 1 to 100") == 2


def test_an_input_that_ends_takes_the_rest_as_proposed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Typed("Mine\n"))
    assert cli.main(["study", "new", str(tmp_path / "s")]) == 0
    assert read_study(tmp_path / "s").title == "Mine"


def test_a_study_that_is_there_stays(tmp_path, capsys):
    (tmp_path / "items.jsonl").write_text("mine")
    assert cli.main(["study", "new", str(tmp_path), "--yes"]) == 2
    assert "holds items.jsonl already" in capsys.readouterr().err
    assert (tmp_path / "items.jsonl").read_text() == "mine"
    assert not (tmp_path / "study.yaml").exists()


@pytest.mark.parametrize(
    "text",
    ["vcd:alpha=1", "mild=vcd:alpha=0.2", "baseline", "sinktrack:inject_at=2+4,causal=official"],
)
def test_a_method_as_a_text_is_one_of_a_study(text):
    name, said = described(text)
    assert name == text.split("=")[0].split(":")[0]
    method = from_dict(said)
    assert (method is None) == (text == "baseline")
    if method is not None:
        given = {key: value for key, value in said.items() if key != "kind"}
        assert all(
            getattr(method, key) in (value, frozenset(value) if isinstance(value, list) else value)
            for key, value in given.items()
        )
