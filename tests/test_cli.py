"""The command line: answers that grow, files that open, one sentence for bad input."""

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from paths import CHECKPOINT, ROOT
from PIL import Image

from sinktrack import cli
from sinktrack.machine import tolerate_any_text
from sinktrack.terminal import Answers

QUESTION = "Is there a red circle?"


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (112, 112), "white").save(path)
    return str(path)


def ask(*words):
    return cli.main(["ask", "--device", "cpu", *words])


def test_both_answers_are_printed(picture, capsys):
    assert ask(picture, QUESTION, "--max-new-tokens", "6") == 0
    printed = capsys.readouterr().out
    assert printed.index("baseline:") < printed.index("sinktrack:")


def test_json_holds_the_answers_and_how_they_came_about(picture, capsys):
    assert ask(picture, QUESTION, "--json", "--max-new-tokens", "6", "--causal", "official") == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["lanes"]) == ["baseline", "sinktrack"]
    assert result["lanes"]["sinktrack"]["method"]["causal"] == "official"
    assert result["lanes"]["baseline"]["method"] is None
    assert 0 < result["lanes"]["baseline"]["mean_sink_attention"] < 1
    assert result["question"] == QUESTION and result["settings"]["max_new_tokens"] == 6
    again = ["--json", "--max-new-tokens", "6", "--sample", "--seed", "4", "--temperature", "2"]
    answers = []
    for _ in range(2):
        assert ask(picture, QUESTION, *again) == 0
        answers.append(json.loads(capsys.readouterr().out)["lanes"]["baseline"]["token_ids"])
    assert answers[0] == answers[1]


def test_the_report_is_written(picture, tmp_path, capsys):
    report = tmp_path / "out.html"
    assert ask(picture, QUESTION, "--max-new-tokens", "4", "--report", str(report)) == 0
    assert report.read_text("utf-8").lstrip().lower().startswith("<!doctype html>")
    assert str(report) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "nowhere.png"}, "nowhere.png cannot be opened"),
        ({"question": "  "}, "The question is blank"),
        ({"question": "red " * 3000}, "the limit is 2000"),
        ({"more": ["--model", "nowhere"]}, "There is no model folder"),
        ({"more": ["--max-new-tokens", "0"]}, "max_new_tokens is 0"),
        ({"more": ["--sample", "--temperature", "-1"]}, "temperature is -1.0"),
        ({"more": ["--report", "no/such/folder/out.html"]}, "make its folder first"),
        ({"more": ["--device", "gpu"]}, "There is no device 'gpu'"),
        ({"more": ["--sample", "--seed", "9" * 30]}, "The seed is 999"),
        ({"image": "-"}, "There is no picture"),
        ({"more": ["--temperature", "9", "--seed", "3"]}, "--temperature, --seed is for sampling"),
        ({"more": ["--sinks", "4"]}, "--sinks is for a window alone"),
        ({"more": ["--device", "privateuseone"]}, "device privateuseone cannot be used"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(picture, capsys, change, words):
    words_given = [change.get("image", picture), change.get("question", QUESTION)]
    assert ask(*words_given, "--max-new-tokens", "2", *change.get("more", [])) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    assert len([line for line in error.splitlines() if line.startswith("sinktrack: ")]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["page.png", QUESTION],
        ["picture.png", " "],
        ["picture.png", QUESTION, "--max-new-tokens", "0"],
        ["picture.png", QUESTION, "--report", "no/such/folder/out.html"],
        ["picture.png", QUESTION, "--report", "."],
        ["picture.png", QUESTION, "--save", "."],
    ],
)
def test_what_can_be_refused_is_refused_before_the_model_loads(picture, monkeypatch, words):
    monkeypatch.setattr(
        "sinktrack.core.models.load", lambda *_, **__: pytest.fail("the model was loaded")
    )
    monkeypatch.chdir(Path(picture).parent)
    Path("page.png").write_text("<html>")
    assert ask(*words) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ask", "x.png", "Why?", "--model", "./nowhere"], "There is no model folder ./nowhere"),
        (["ask", "x.png", "Why?", "--report", "."], "it is a folder"),
        (["ask", "x.png"], "There is nothing to ask"),
        (["eval", "shapes", "--out", "README.md"], "README.md is a file"),
        (["study", "nowhere"], "There is no study folder nowhere"),
        (["study", "docs"], "it has no study.yaml"),
        (["bench", "--model", "docs"], "docs has no config.json"),
        (["ask", "x.png", "Why?", "--model", "m" * 5000], "There is no model folder mmm"),
        (["ask", "x.png", "Why?", "--report", "r" * 5000], "The report cannot be written to rrr"),
        (["ask", "x.png", "Why?", "--report", "a", "--save", "./a"], "name the same file"),
        (["ask", "x.png", "Why?", "--save", "x.png"], "name the same file"),
        (["study", "s" * 5000], "There is no study folder sss"),
    ],
)
def test_what_needs_no_torch_is_refused_before_it_is_imported(words, sentence):
    program = (
        "import sys; from sinktrack.cli import main; status = main(sys.argv[1:]);"
        "sys.exit('torch was imported' if 'torch' in sys.modules else status)"
    )
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 2 and sentence in done.stderr


def test_an_answer_that_the_console_cannot_encode_is_printed_all_the_same(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw
    tolerate_any_text()
    with Answers(sys.stdout, ["one"]) as shown:
        shown.show({"one": "naïve 😊 日本"}, final=True)
    sys.stdout.flush()
    sys.stderr.close()
    assert written.getvalue().decode("cp1252") == "one:\n  naïve ? ??\n\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
def test_what_never_ends_is_not_replayed(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert cli.main(["ask", "--replay", str(tmp_path / "pipe")]) == 2
    assert "There is no file" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="shells differ")
@pytest.mark.parametrize(("redirection", "status"), [(">&-", 0), ("> /dev/full", 2), ("| true", 0)])
def test_an_output_that_takes_nothing_is_no_traceback(picture, redirection, status):
    if not Path("/dev/full").exists() and "full" in redirection:
        pytest.skip("this system has no /dev/full")
    words = [sys.executable, "-m", "sinktrack.cli", "ask", picture, QUESTION]
    words += ["--model", str(CHECKPOINT), "--json", "--max-new-tokens", "2"]
    done = subprocess.run(
        f"{shlex.join(words)} {redirection}",
        shell=True,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == status and "Traceback" not in done.stderr


def test_unknown_words_end_with_status_2():
    with pytest.raises(SystemExit) as caught:
        cli.main(["dream"])
    assert caught.value.code == 2
    assert cli.main(["bench", "--rounds", "0", "--device", "cpu"]) == 2


def test_it_runs_as_a_program(picture):
    command = [
        sys.executable,
        "-m",
        "sinktrack.cli",
        "ask",
        picture,
        "",
        "--model",
        str(CHECKPOINT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 2
    assert "sinktrack: The question is blank" in done.stderr and "Traceback" not in done.stderr


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self):
        return True


def test_a_terminal_is_redrawn_in_place():
    out = Terminal()
    with Answers(out, ["one", "two"]) as shown:
        shown.show({"one": "a", "two": ""}, final=False)
        first = out.getvalue()
        shown.show({"one": "a b", "two": "c"}, final=True)
    assert out.getvalue()[len(first) :].startswith(f"\x1b[{first.count(chr(10))}F")
    assert "a b" in out.getvalue()


def test_nothing_in_an_answer_can_steer_the_terminal():
    out = Terminal()
    with Answers(out, ["one"]) as shown:
        shown.show({"one": "\x1b[2Jgone\x07\x9b31m"}, final=True)
    assert "\x1b" not in out.getvalue() and "\x07" not in out.getvalue()


def test_a_pipe_gets_the_final_answers_once():
    out = io.StringIO()
    with Answers(out, ["one"]) as shown:
        shown.show({"one": "a"}, final=False)
        shown.show({"one": "a b"}, final=True)
    assert out.getvalue() == "one:\n  a b\n\n"


def evaluate(tmp_path, *words):
    words = ["eval", *words, "--model", str(CHECKPOINT), "--device", "cpu"]
    return cli.main([*words, "--out", str(tmp_path / "out")])


def test_a_task_is_measured_and_resumed(tmp_path, capsys):
    words = ("shapes-passages", "--limit", "3", "--context", "instruction")
    assert evaluate(tmp_path, *words) == 0
    first = capsys.readouterr().out
    assert first.startswith("| task | measure | baseline | sinktrack |")
    assert "| passages | F1 |" in first
    assert evaluate(tmp_path, *words) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "out" / "results.md").read_text() == first


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pope"], "There is no task 'pope': choose one of shapes"),
        (["shapes", "--lanes", "baseline,magic"], "There is no lane 'magic'"),
        (["shapes", "--limit", "0"], "limit is 0, but must be at least 1"),
        (["shapes", "--window", "1"], "window is 1, but must be a whole number of 2 or more"),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path, capsys, words, sentence):
    assert evaluate(tmp_path, *words) == 2
    printed = capsys.readouterr().err
    assert sentence in printed and printed.count("\n") == 1


def test_a_window_can_be_asked_for(picture, capsys):
    assert ask(picture, QUESTION, "--json", "--max-new-tokens", "12", "--window", "5") == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["cache"] == {"sinks": 1, "window": 5}
