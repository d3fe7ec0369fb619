"""The report: one file, nothing fetched, nothing run from data, and the trace's own numbers."""

import base64
import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from paths import DATA
from PIL import Image

from sinktrack.core.comparison import Answer, Comparison
from sinktrack.core.errors import OutputError, TraceError
from sinktrack.core.images import Picture
from sinktrack.core.messages import Text, Turn
from sinktrack.core.trace import AttentionTrace, Token
from sinktrack.core.video import Video
from sinktrack.methods import from_dict
from sinktrack.methods.sinktrack import SinkTrack
from sinktrack.report.html import render, write_report
from sinktrack.report.payload import payload

PICTURE = Picture(Image.new("RGB", (64, 48), "navy"), ("A notice with <b>marks</b>.",))
METHOD = SinkTrack(inject_at={1}, refresh_after={1})
HOSTILE = "<img src=x onerror=alert(1)> </script><script>alert(2)</script> {{DATA}} <!--"


SEGMENTS = ("sink", "image", "instruction", "rest", "generated")


def make_trace(texts: list[str], layers: int = 3, heads: int = 2, **changes: Any) -> AttentionTrace:
    count = len(texts)
    generator = torch.Generator().manual_seed(count)
    sink = torch.rand(count, layers, heads, generator=generator) * 0.7
    share = torch.zeros(count, layers, heads, 5)
    share[..., 0], share[..., 4] = sink, 1 - sink
    values = {
        "tokens": tuple(Token(index, text) for index, text in enumerate(texts)),
        "segments": SEGMENTS,
        "sink": sink,
        "share": share,
        "delivered": sink,
        "image_maps": (),
        "image_scale": torch.zeros(count),
        "frames": (),
        "context_attention": torch.zeros(0, heads, 0),
        "write_layers": (),
        "context_positions": torch.zeros(0, dtype=torch.int64),
        "write_sources": torch.zeros(0, 6),
        "write_norm": torch.zeros(0),
        "sinks": torch.zeros(1, dtype=torch.int64),
        "moved": {},
        "candidates": torch.zeros(count, 0, dtype=torch.int64),
        "candidate_probabilities": torch.zeros(count, 0),
        "candidate_texts": ((),) * count,
        "prompt_ids": torch.zeros(1, dtype=torch.int64),
        "prompt_segments": torch.zeros(1, dtype=torch.uint8),
    }
    return AttentionTrace(**(values | changes))


def make_comparison(
    texts: list[str], question: str = "What is it?", trace: AttentionTrace | None = None
) -> Comparison:
    answers = {
        name: Answer(
            name=name,
            text="".join(texts),
            token_ids=tuple(range(len(texts))),
            method=method,
            moved={"output": 0.4} if method else {},
            finish="length",
            trace=trace or make_trace(texts),
            seconds_to_first_token=0.1,
            tokens_per_second=20.0,
        )
        for name, method in (("baseline", None), ("sinktrack", METHOD))
    }
    return Comparison(
        answers=answers,
        turns=(Turn("user", (PICTURE, Text(question, "instruction"))),),
        settings={"max_new_tokens": 16, "do_sample": False, "seed": 0},
        model_name="folder/model",
        versions={"torch": "2.8"},
    )


def unpack(lane: dict) -> np.ndarray:
    steps = np.frombuffer(base64.b64decode(lane["sink"]), np.uint8).astype(float)
    steps[steps == 255] = np.nan
    return (steps * lane["scale"] / 254).reshape(-1, lane["layers"], lane["heads"])


def test_the_numbers_in_the_payload_are_those_of_the_trace():
    comparison = make_comparison(["It", " is", " blue"])
    for lane in payload(comparison)["lanes"]:
        trace = comparison[lane["name"]].trace
        assert np.abs(unpack(lane) - trace.sink.numpy()).max() <= 0.5 * lane["scale"] / 254 + 1e-6


def test_what_a_layer_cannot_see_stays_apart_from_zero():
    trace = make_trace(["a", "b"])
    trace.sink[0, 1, 1] = float("nan")
    trace.sink[1, 0, 0] = 0.0
    numbers = unpack(payload(make_comparison(["a", "b"], trace=trace))["lanes"][0])
    assert np.isnan(numbers[0, 1, 1]) and np.isnan(numbers).sum() == 1
    assert numbers[1, 0, 0] == 0.0


def test_the_payload_says_what_was_done_in_each_lane():
    plain, sinktrack = payload(make_comparison(["x"]))["lanes"]
    assert (plain["title"], plain["injected"], plain["method"]) == ("Plain model", [], None)
    assert sinktrack["title"] == "SinkTrack" and from_dict(sinktrack["method"]) == METHOD
    assert "picture" in sinktrack["subtitle"] and "1" in sinktrack["subtitle"]
    assert sinktrack["moved_words"] == "Changed an attention output by up to 40 % of its length."


def test_an_answer_without_tokens_or_with_nothing_visible_has_a_payload():
    trace = make_trace([])
    assert payload(make_comparison([], trace=trace))["lanes"][0]["tokens"] == []
    hidden = make_trace(["a"])
    hidden.sink[:] = float("nan")
    assert np.isnan(unpack(payload(make_comparison(["a"], trace=hidden))["lanes"][0])).all()


def test_a_report_fetches_nothing(tmp_path):
    path = tmp_path / "report.html"
    write_report(make_comparison(["It", " is"]), path)
    page = path.read_text("utf-8")
    links = re.findall(r"""(?:src|href|url|action|srcset)\s*[=(]\s*["']?([^"')\s>]*)""", page)
    assert links and all(link.startswith("data:image/") for link in links)
    assert "import(" not in page and "@import" not in page and "fetch(" not in page
    assert "default-src 'none'" in page


def test_hostile_text_is_only_ever_text():
    comparison = make_comparison([HOSTILE, "</script>"], question=HOSTILE)
    told = {"model_name": HOSTILE, "settings": {HOSTILE: HOSTILE}, "versions": {HOSTILE: HOSTILE}}
    page = render(payload(Comparison(**{**vars(comparison), **told})))
    assert "<img src=x" not in page and "<b>marks" not in page and "<!--" not in page
    assert page.count("<script") == page.count("</script>") == 2
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert data is not None
    assert json.loads(data[1])["question"] == HOSTILE
    assert json.loads(data[1])["lanes"][0]["tokens"] == [HOSTILE, "</script>"]


def test_an_attribute_ends_where_the_template_ends_it():
    data = payload(make_comparison(["x"]))
    data["visuals"] = [data["visuals"][0] | {"frames": ['data:," onerror="alert(1)']}]
    assert 'src="data:,&#34; onerror=&#34;alert(1)"' in render(data)


def test_a_report_counts_its_answers_and_names_no_method_that_did_not_answer():
    comparison = make_comparison(["x"])
    assert "One question, two answers: Plain model, SinkTrack." in render(payload(comparison))
    alone = {"baseline": comparison["baseline"]}
    page = render(payload(Comparison(**{**vars(comparison), "answers": alone})))
    assert "One question, one answer: Plain model." in page
    assert "arXiv" not in page and "<title>Plain model: What is it?</title>" in page


def test_what_was_asked_stands_in_the_report_without_a_script():
    frames = tuple(Image.new("RGB", (56, 56), (9 * i, 0, 0)) for i in range(24))
    turns = (
        Turn("system", (Text("Be <i>brief</i>.", "system"),)),
        Turn("user", (PICTURE, Text("First?", "history"))),
        Turn("assistant", (Text("Yes.", "history"),)),
        Turn("user", (Video(frames), Text("A long tale.", "passage"), Text("Who?", "instruction"))),
    )
    data = payload(Comparison(**{**vars(make_comparison(["x"])), "turns": turns}))
    page = render(data)
    body = page[page.index("<main>") : page.index("<script")]
    assert "<strong>system:</strong> Be &lt;i&gt;brief&lt;/i&gt;." in body
    assert "<blockquote>A long tale.</blockquote>" in body
    assert body.count("<img") == 8  # of the video's frames; the first turn's picture is above
    assert 'alt="Video, 8 of 8 frames"' in body and "<figcaption>Video</figcaption>" in body


def test_a_report_of_what_was_stored_earlier_is_drawn():
    old = json.loads((DATA / "payload-before.json").read_text("utf-8"))
    assert f'<h1 dir="auto">{old["question"]}</h1>' in render(old)


def test_what_looks_like_a_template_is_text():
    page = render(payload(make_comparison(["x"], question="{{ 6 * 7 }} {% raw %} {# no #}")))
    assert '<h1 dir="auto">{{ 6 * 7 }} {% raw %} {# no #}</h1>' in page


def test_settings_are_said_in_words():
    data = payload(make_comparison(["x"]))
    data |= {"settings": {"do_sample": False, "top_k": None, "sizes": {"a": 1, "b": 2}}}
    facts = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", render(data))
    assert facts[:3] == [("do sample", "no"), ("top k", "not set"), ("sizes", "a 1, b 2")]


def test_the_report_says_all_that_the_answers_depend_on():
    told = {"made": "2026-01-31T12:00:00Z", "revision": "abc123"}
    page = render(payload(Comparison(**vars(make_comparison(["x"])) | told)))
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert facts["date"] == "2026-01-31T12:00:00Z" and facts["revision"] == "abc123"
    assert facts["model"] == "folder/model" and facts["torch"] == "2.8"
    assert page.count("<h2>Method: SinkTrack</h2>") == 1
    for name, value in METHOD.as_dict().items():
        assert name.replace("_", " ") in facts, (name, value)
    assert (facts["inject at"], facts["strength"], facts["normalize context"]) == ("1", "1", "no")


def test_what_is_not_known_has_no_line():
    page = render(payload(make_comparison(["x"])))
    assert "<dt>revision</dt>" not in page and "<dt>date</dt>" not in page


def test_a_large_picture_is_made_smaller():
    comparison = make_comparison(["x"])
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2500, 3), np.uint8)
    turns = (Turn("user", (Picture(Image.fromarray(noise)), Text("What?", "instruction"))),)
    large = Comparison(**{**vars(comparison), "turns": turns})
    (url,) = payload(large)["visuals"][0]["frames"]
    assert url is not None and url.startswith("data:image/jpeg;base64,")
    assert len(url) < 2_000_000


def test_a_report_that_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="cannot be written to"):
        write_report(make_comparison(["x"]), tmp_path / "missing" / "report.html")
    folder = tmp_path / "folder.html"
    folder.mkdir()
    with pytest.raises(OutputError, match="cannot be written to"):
        write_report(make_comparison(["x"]), folder)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.html"]


def test_answers_without_a_recording_are_refused_in_a_sentence():
    comparison = make_comparison(["x"])
    bare = {name: Answer(**{**vars(a), "trace": None}) for name, a in comparison.answers.items()}
    with pytest.raises(TraceError, match="record=True"):
        payload(Comparison(**{**vars(comparison), "answers": bare}))
