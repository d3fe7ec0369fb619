"""A saved comparison runs again to the same answers, and a damaged one is a sentence."""

import json
import re

import pytest
from asked import PASSAGE, everything
from paths import CHECKPOINT, ROOT
from PIL import Image

import sinktrack
from sinktrack import cli
from sinktrack.core.errors import ReplayError
from sinktrack.core.messages import Text
from sinktrack.core.video import Video
from sinktrack.report.html import render, write_report
from sinktrack.report.payload import payload
from sinktrack.report.replay import read_replay, record, whole_pictures

QUESTION = "Describe the picture."


@pytest.fixture(scope="module")
def saved(checkpoint):
    """Two sampled lanes behind a window, of a picture that is no square."""
    picture = Image.new("RGB", (150, 120), "white")
    picture.paste("red", (10, 10, 40, 40))
    return sinktrack.compare(
        *checkpoint,
        image=picture,
        question=QUESTION,
        max_new_tokens=20,
        do_sample=True,
        temperature=3.0,
        seed=5,
        cache=sinktrack.SinkWindow(sinks=1, window=12),
        methods={
            "baseline": None,
            "late": sinktrack.SinkTrack.for_model(checkpoint[0], inject_at={9}, strength=0.5),
        },
    )


def test_what_was_saved_is_what_was_asked(saved, tmp_path):
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(record(saved)))
    replay = read_replay(path)
    assert replay.question == QUESTION
    assert replay.pictures[0].image.tobytes() == saved.pictures[0].image.tobytes()
    assert replay.messages[-1]["content"][-1] == {"type": "text", "text": QUESTION}
    assert replay.methods == {name: answer.method for name, answer in saved.items()}
    assert replay.cache == sinktrack.SinkWindow(sinks=1, window=12)
    assert replay.decoding.seed == 5 and replay.decoding.temperature == 3.0
    assert replay.differing(saved) == []


def test_a_whole_conversation_comes_back_to_the_same_answers(checkpoint, tmp_path):
    """Pictures, video, passage and every method, through a file and the model again."""
    first = everything(*checkpoint)
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(record(first)))
    replay = read_replay(path)
    assert replay.question == first.question
    assert len(replay.turns) == 4 and replay.turns[-1].content[2] == Text(PASSAGE, "passage")
    assert len(replay.pictures) == 2
    video = replay.turns[-1].content[1]
    assert isinstance(video, Video) and len(video.frames) == 6
    assert replay.methods == {name: answer.method for name, answer in first.items()}
    again = sinktrack.compare(
        *checkpoint, messages=replay.messages, methods=replay.methods, max_new_tokens=8
    )
    assert replay.differing(again) == []
    assert again.turns == first.turns


def test_words_that_were_told_are_told_again(checkpoint, tmp_path, capsys):
    asked = {"image": Image.new("RGB", (140, 140), "white"), "question": QUESTION}
    free = sinktrack.compare(*checkpoint, **asked, max_new_tokens=6)
    words = (*free["baseline"].token_ids[:2], free["baseline"].token_ids[0])
    forced = sinktrack.compare(
        *checkpoint, **asked, max_new_tokens=6, beginnings={"sinktrack": words}
    )
    assert forced.settings["beginnings"] == {"sinktrack": list(words)}
    assert "beginnings" not in free.settings
    assert forced["sinktrack"].token_ids[:3] == words
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(record(forced)))
    replay = read_replay(path)
    assert replay.beginnings == {"sinktrack": words}
    assert cli.main(["ask", "--replay", str(path), "--model", str(CHECKPOINT)]) == 0
    assert "the same answers" in capsys.readouterr().err
    told = {lane["name"]: lane["told"] for lane in payload(forced)["lanes"]}
    assert told == {"baseline": 0, "sinktrack": 3}
    assert re.search(r"words that were told</dt><dd>SinkTrack 3<", render(payload(forced)))
    damaged = record(forced)
    damaged["settings"]["beginnings"]["sinktrack"][0] += 1
    path.write_text(json.dumps(damaged))
    with pytest.raises(ReplayError, match="does not begin with the words that it was told"):
        read_replay(path)


def test_what_the_first_version_saved_is_still_read(saved, tmp_path):
    """It knew one question, pictures, and SinkTrack without its kind."""
    old = record(saved) | {"format": "sinktrack-comparison-1"}
    picture = old.pop("messages")[-1]["content"][0]["png"]
    del old["lanes"]["late"]["method"]["kind"]
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(old | {"pictures": [picture]}))
    replay = read_replay(path)
    assert replay.question == QUESTION
    assert replay.pictures[0].image.tobytes() == saved.pictures[0].image.tobytes()
    assert replay.methods == {name: answer.method for name, answer in saved.items()}
    assert replay.differing(saved) == []


def test_the_command_line_runs_it_again_to_the_same_answers(saved, tmp_path, capsys):
    path, again = tmp_path / "saved.json", tmp_path / "again.json"
    path.write_text(json.dumps(record(saved)))
    model = str(ROOT / "assets" / "shapes-vl")
    arguments = ["ask", "--device", "cpu", "--replay", str(path), "--save", str(again)]
    assert cli.main([*arguments, "--model", model]) == 0
    said = capsys.readouterr()
    assert "late:" in said.out and "the same answers" in said.err
    answers = [json.loads(each.read_text())["lanes"] for each in (path, again)]
    ids = [[lane["token_ids"] for lane in lanes.values()] for lanes in answers]
    assert ids[0] == ids[1]

    changed = record(saved)
    changed["lanes"]["late"]["token_ids"] = [1, 2]
    path.write_text(json.dumps(changed))
    assert cli.main(["ask", "--device", "cpu", "--replay", str(path)]) == 0  # found by its name
    assert "answered differently: late" in capsys.readouterr().err


def test_a_report_and_its_data_run_again_to_the_same_answers(checkpoint, saved, tmp_path):
    """What the page and the command line give away beside the replay file."""
    report, data = tmp_path / "report.html", tmp_path / "data.json"
    write_report(saved, report)
    data.write_text(json.dumps(payload(saved)))
    for path in (report, data):
        replay = read_replay(path)
        assert replay.turns == saved.turns and replay.cache == sinktrack.SinkWindow(
            sinks=1, window=12
        )
        assert replay.methods == {name: answer.method for name, answer in saved.items()}
        assert replay.texts == {name: answer.text for name, answer in saved.items()}
        assert replay.decoding.temperature == 3.0 and replay.decoding.seed == 5
        assert replay.differing(saved) == []


@pytest.mark.parametrize("name", ["describe-1", "delayed-phrase-1"])
def test_the_stored_examples_run_again_from_their_own_files(name, capsys):
    path = ROOT / "assets" / "examples" / f"{name}.json"
    model = str(ROOT / "assets" / "shapes-vl-anchored")
    assert cli.main(["ask", "--device", "cpu", "--replay", str(path), "--model", model]) == 0
    said = capsys.readouterr()
    assert "the same answers" in said.err and "sinktrack:" in said.out


def test_a_report_of_a_video_says_what_to_choose_instead(checkpoint, tmp_path):
    path = tmp_path / "report.html"
    write_report(everything(*checkpoint), path)
    with pytest.raises(ReplayError, match="about a video.*choose the replay file"):
        read_replay(path)


def test_pictures_that_a_report_made_smaller_are_told_from_whole_ones(saved):
    data = payload(saved)
    assert whole_pictures(data)
    large = sinktrack.core.images.load_picture(Image.new("RGB", (1500, 900), "red"))
    turn = saved.turns[-1]
    turns = (type(turn)(turn.role, (large, *turn.content[1:])),)
    assert not whole_pictures(payload(type(saved)(**vars(saved) | {"turns": turns})))


def test_what_a_page_shows_does_not_count(saved, tmp_path):
    """Of a web page the data of a report alone is read, and only where there is one."""
    path = tmp_path / "page.html"
    for page in (
        "<p>{}</p>",
        "<html></html>",
        '<script type="application/json" id="data">{</script>',
    ):
        path.write_text(page)
        with pytest.raises(ReplayError, match=r"page\.html"):
            read_replay(path)


def test_a_method_is_typed_as_the_command_line_reads_it(checkpoint):
    model, _ = checkpoint
    for text in ("vcd:alpha=0.5", "sinktrack:inject_at=2+4,strength=0.3,sinks=all", "off", "pai"):
        kind = text if text != "off" else "sinktrack:strength=0"
        _, method = sinktrack.methods.parse(kind, model)
        assert sinktrack.methods.parse(method.as_text(), model)[1] == method


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"format": "other"}',
        '{"format": "sinktrack-comparison-1"}',
        '{"format": "sinktrack-comparison-1", "settings": 3, "lanes": []}',
        '{"format": "sinktrack-comparison-2", "settings": {}, "lanes": {"a": {}}}',
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(text, tmp_path, capsys):
    path = tmp_path / "saved.json"
    path.write_text(text)
    with pytest.raises(ReplayError, match=r"saved\.json"):
        read_replay(path)
    assert cli.main(["ask", "--replay", str(path)]) == 2
    assert cli.main(["ask", "--replay", str(tmp_path / "missing")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 2 and "Traceback" not in said


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [{"role": "user", "content": [{"type": "image", "png": "no picture"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "png": ""}]}]},
        {"messages": [{"role": "user", "content": [{"type": "video", "fps": 2, "pngs": []}]}]},
        {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "Hm."}]}]},
        {"messages": []},
        {"messages": "none"},
        {"settings": {"max_new_tokens": 0, "do_sample": False, "cache": "full"}},
        {"settings": {"max_new_tokens": 9, "do_sample": False, "cache": {"window": "x"}}},
        {"lanes": {"a": {"method": {"inject_at": [-1]}, "token_ids": []}}},
        {"lanes": {"a": {"method": {"kind": "unknown"}, "token_ids": []}}},
        {"lanes": {"a": {"method": None, "token_ids": ["x"]}}},
        {"lanes": {"a": {"method": None, "token_ids": [float("inf")]}}},
        {"lanes": {}},
    ],
)
def test_a_damaged_one_is_refused_in_a_sentence(saved, change, tmp_path):
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(record(saved) | change))
    with pytest.raises(ReplayError, match="is damaged: ") as error:
        read_replay(path)
    assert not re.search(r"(Method|Prompt|Picture)Error", str(error.value))


def test_what_a_replay_settles_is_not_settled_twice(capsys):
    assert cli.main(["ask", "a.png", "--replay", "saved.json", "--max-new-tokens", "3"]) == 2
    assert "settles IMAGE or QUESTION, --max-new-tokens already" in capsys.readouterr().err


def test_nothing_to_ask_is_said(capsys):
    assert cli.main(["ask"]) == 2
    assert "give a QUESTION, --messages FILE or --replay" in capsys.readouterr().err
