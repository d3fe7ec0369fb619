"""When a study ends, and the platform that sends its annotators: read, or said what to write."""

import json
from datetime import datetime, timezone

import pytest

from sinktrack.core.errors import StudyError
from sinktrack.study.folder import read_study
from sinktrack.study.until import in_words

YAML = """
title: Shapes
model: none
lanes: {baseline: , vcd: {kind: vcd}}
"""


@pytest.fixture
def read(tmp_path):
    (tmp_path / "items.jsonl").write_text(json.dumps({"passage": "p", "question": "?"}))

    def read(line):
        (tmp_path / "study.yaml").write_text(YAML + line)
        return read_study(tmp_path)

    return read


def utc(*numbers):
    return datetime(*numbers, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-12-24", utc(2026, 12, 25)),
        ("'2026-12-24'", utc(2026, 12, 25)),
        ("2026-12-24 18:00", utc(2026, 12, 24, 18)),
        ("2026-12-24T18:30Z", utc(2026, 12, 24, 18, 30)),
        ("2026-12-24 18:00+01:00", utc(2026, 12, 24, 17)),
        ("2026-12-24 18:00:00 -05:00", utc(2026, 12, 24, 23)),
    ],
)
def test_a_date_counts_as_a_whole_and_a_time_is_utc_without_an_offset(read, said, moment):
    assert read(f"until: {said}\n").until == moment


def test_without_a_date_a_study_does_not_end(read):
    assert read("").until is None and read("until:\n").until is None


@pytest.mark.parametrize("said", ["Christmas", "3", "[2026-12-24]", "9999-12-31", "24.12.2026"])
def test_what_is_no_date_is_said(read, said):
    with pytest.raises(StudyError, match=r"until is .*must be a date such as 2026-12-24"):
        read(f"until: {said}\n")


def test_midnight_is_the_end_of_a_day():
    assert in_words(utc(2026, 12, 25)) == "at the end of 2026-12-24 (UTC)"
    assert in_words(utc(2026, 12, 24, 18, 5)) == "on 2026-12-24 at 18:05 (UTC)"


def test_a_platform_is_read(read):
    found = read('platform: {id: PROLIFIC_PID, done: "https://a.com/b?cc=C1"}').platform
    assert (found.id, found.done) == ("PROLIFIC_PID", "https://a.com/b?cc=C1")
    assert read("platform: {id: workerId}").platform.done == ""
    assert read("").platform is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Prolific", "must be written such as {id: PROLIFIC_PID"),
        ("{id: a b}", "id is 'a b'"),
        ("{id: code}", "and not code"),
        ("{}", "has no id: add one"),
        ("{id: a, doen: x}", "write 'done' if that is meant"),
        ('{id: a, done: "http://a.com"}', "begins with https://"),
        ('{id: a, done: "javascript:alert(1)"}', "begins with https://"),
        ('{id: a, done: "https://"}', "begins with https://"),
        ('{id: a, done: "https://a.com@b.com/"}', "begins with https://"),
        ('{id: a, done: "https://a.com/ b"}', "begins with https://"),
        ('{id: a, done: "https://[a"}', "begins with https://"),
        ("{id: a, done: 3}", "done is 3"),
    ],
)
def test_a_wrong_platform_is_said(read, said, words):
    with pytest.raises(StudyError) as caught:
        read(f"platform: {said}\n")
    assert words in str(caught.value) and "study.yaml, platform" in str(caught.value)
