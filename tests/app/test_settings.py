"""Which model a machine gets, and what the command line and the environment can set."""

import runpy
import sys
from pathlib import Path

import pytest

from app.shared.settings import GIB, Settings, choose_model
from sinktrack.core.names import BUNDLED

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("gpu_bytes", "expected"),
    [
        (None, str(BUNDLED)),
        (4 * GIB, str(BUNDLED)),
        (8 * GIB, "Qwen/Qwen2.5-VL-3B-Instruct"),
        (8_585_216_000, "Qwen/Qwen2.5-VL-3B-Instruct"),  # what a card sold as 8 GB shows
        (16 * GIB, "Qwen/Qwen2.5-VL-3B-Instruct"),
        (20 * GIB, "Qwen/Qwen2.5-VL-7B-Instruct"),
        (140 * GIB, "Qwen/Qwen2.5-VL-7B-Instruct"),
    ],
)
def test_the_model_follows_from_the_memory_of_the_gpu(gpu_bytes, expected):
    assert choose_model(gpu_bytes) == expected


def test_without_arguments_the_page_is_for_this_machine_alone():
    settings = Settings.read([], {})
    assert (settings.model, settings.host, settings.port) == (None, "127.0.0.1", 7860)


def test_an_argument_wins_over_the_environment():
    environment = {
        "SINKTRACK_MODEL": "some/model",
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": "7000",
        "SINKTRACK_QUEUE_SIZE": "3",
    }
    settings = Settings.read(["--model", "other/model", "--max-new-tokens", "64"], environment)
    assert settings == Settings(
        model="other/model", host="0.0.0.0", port=7000, queue_size=3, max_new_tokens=64
    )


def test_a_space_is_reached_from_outside():
    assert Settings.read([], {"SPACE_ID": "someone/space"}).host == "0.0.0.0"


def test_an_empty_variable_is_like_none():
    assert Settings.read([], {"SINKTRACK_MODEL": "", "GRADIO_SERVER_PORT": ""}) == Settings()


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--port", "many"], {}),
        (["--port", "70000"], {}),
        (["--max-new-tokens", "0"], {}),
        (["--queue-size", "-1"], {}),
        ([], {"GRADIO_SERVER_PORT": "http"}),
    ],
)
def test_a_value_that_cannot_be_used_ends_with_status_2(arguments, environment, capsys):
    with pytest.raises(SystemExit) as exit_:
        Settings.read(arguments, environment)
    assert exit_.value.code == 2
    assert "is not a whole number from 1 to 65535" in capsys.readouterr().err


def test_a_model_that_cannot_be_loaded_is_one_sentence_and_status_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["app.py", "--model", str(tmp_path / "missing")])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    assert exit_.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1 and "There is no model folder" in said.err


def test_a_gallery_is_there_only_where_the_owner_asks_for_one():
    assert Settings.read([], {}).gallery is None
    assert Settings.read(["--gallery"], {}).gallery == "sinktrack-gallery"
    assert Settings.read(["--gallery", "/data/gallery"], {}).gallery == "/data/gallery"
    assert Settings.read([], {"SINKTRACK_GALLERY": "/data"}).gallery == "/data"


def test_origins_that_may_frame_the_page_are_origins():
    said = {"SINKTRACK_FRAME_ANCESTORS": "https://a.example  http://*.b.example:8080"}
    assert Settings.read([], said).frame_ancestors == (
        "https://a.example",
        "http://*.b.example:8080",
    )


@pytest.mark.parametrize(
    "said",
    ["a.example", "https://a.example; script-src *", "*", "https://a/b", "'none'", "https://*"],
)
def test_what_is_no_origin_gets_into_no_policy(said, capsys):
    with pytest.raises(SystemExit) as exit_:
        Settings.read([], {"SINKTRACK_FRAME_ANCESTORS": said})
    assert exit_.value.code == 2
    assert "is no origin: write" in capsys.readouterr().err


def test_the_log_is_text_or_json(capsys):
    assert Settings.read([], {"SINKTRACK_LOG": "json"}).log_json
    assert not Settings.read([], {"SINKTRACK_LOG": ""}).log_json
    with pytest.raises(SystemExit):
        Settings.read([], {"SINKTRACK_LOG": "xml"})
    assert "set it to json or to text" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mcp", "private"])
def test_a_switch_is_off_until_the_owner_says_so(name, monkeypatch):
    monkeypatch.setattr("app.shared.settings.find_spec", lambda _: object())
    variable = "SINKTRACK_" + name.upper()
    assert getattr(Settings.read([], {}), name) is False
    assert getattr(Settings.read([], {variable: "0"}), name) is False
    assert getattr(Settings.read([], {variable: "1"}), name) is True
    assert getattr(Settings.read(["--" + name], {}), name) is True
    with pytest.raises(SystemExit):
        Settings.read([], {variable: "maybe"})


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--private", "--gallery"], {}, "a gallery keeps comparisons"),
        (["--private"], {"SINKTRACK_GALLERY": "/data"}, "a gallery keeps comparisons"),
        ([], {"SINKTRACK_GALLERY": "/data", "SINKTRACK_PRIVATE": "1"}, "a gallery keeps"),
        (["--private", "--keep", "kept"], {}, "leave --keep out"),
        (["--private", "--study", "s"], {}, "--study keeps votes"),
        (["--private", "--results", "r"], {}, "--results shows what is kept"),
        (["--mcp", "--study", "s"], {}, "--mcp offers the page that compares"),
        (["--mcp", "--results", "r"], {}, "--mcp offers the page that compares"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(arguments, environment, words, capsys):
    with pytest.raises(SystemExit) as exit_:
        Settings.read(arguments, environment)
    assert exit_.value.code == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_a_private_page_keeps_no_comparisons_in_the_data_folder():
    assert Settings.read(["--private"], {"SINKTRACK_KEEP": "/data/kept"}).keep is None


def test_tools_need_a_package_and_say_which(monkeypatch, capsys):
    monkeypatch.setattr("app.shared.settings.find_spec", lambda _: None)
    with pytest.raises(SystemExit) as exit_:
        Settings.read(["--mcp"], {})
    assert exit_.value.code == 2
    assert "pip install 'mcp" in capsys.readouterr().err
