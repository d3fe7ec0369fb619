"""One line for each request that matters, and nothing in it that somebody typed."""

import json
import logging
import re

import pytest

from app.shared.logs import Counts, Entry, _Json, _Readable, answered, trace_of

TYPED = "my secret question"


def line(record, form):
    return form.format(record)


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.INFO, logger="app")
    return caplog


def fail(words=TYPED):
    try:
        try:
            raise KeyError(words)
        except KeyError as error:
            raise RuntimeError(f"about {words}\nand a forged line") from error
    except RuntimeError as error:
        return error


def test_a_request_is_one_line_of_json(logged):
    entry = Entry("ask")
    entry.end("answered", methods=2)
    entry.end("gone")  # only how it ended first counts
    (record,) = logged.records
    text = line(record, _Json())
    assert "\n" not in text
    said = json.loads(text)
    assert said["event"] == "ask" and said["outcome"] == "answered" and said["methods"] == 2
    assert said["id"] == entry.id and re.fullmatch("[0-9a-f]{8}", said["id"])
    assert said["level"] == "info" and 0 <= said["seconds"] < 5
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said["time"])


def test_a_request_is_one_line_for_people(logged):
    entry = Entry("vote")
    entry.end("done", lanes=2)
    text = line(logged.records[0], _Readable())
    assert re.fullmatch(rf"[\d-]+ [\d:]+ vote {entry.id} done [\d.]+ s lanes=2", text)


@pytest.mark.parametrize("form", [_Json(), _Readable()])
def test_an_error_is_its_class_and_places_and_never_its_words(logged, form):
    entry = Entry("ask")
    sentence = entry.fail(fail(), "Try again.")
    assert sentence.startswith("Try again.") and entry.id in sentence
    text = line(logged.records[0], form)
    assert entry.id in text and "\n" not in text
    assert "RuntimeError at tests/app/test_logs.py:" in text.replace("\\/", "/")
    assert "from KeyError" in text
    assert "secret" not in text and "forged" not in text
    assert logged.records[0].levelno == logging.ERROR


@pytest.mark.parametrize("form", [_Json(), _Readable()])
def test_what_other_code_logs_is_one_line_as_well(form):
    error = fail()
    info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.WARNING, __file__, 1, "one\ntwo %s", ("3",), info)
    text = line(record, form)
    assert "\n" not in text and "two 3" in text
    assert "RuntimeError" in text and "secret" not in text


@pytest.mark.parametrize(
    ("found", "outcome"),
    [({"kept": True}, "done"), ({"kept": False}, "not kept"), ({"error": "No."}, "refused")],
)
def test_how_a_vote_went_is_logged(logged, found, outcome):
    request = {"what": "vote", "comment": TYPED}
    assert answered(request, ("vote",), lambda: found) == found
    (record,) = logged.records
    said = json.loads(line(record, _Json()))
    assert (said["event"], said["outcome"]) == ("vote", outcome)
    assert TYPED not in line(record, _Json())


@pytest.mark.parametrize("request_", [None, [], {"what": TYPED}, {"what": ["vote"]}, {}])
def test_what_a_browser_calls_its_request_is_not_logged(logged, request_):
    assert answered(request_, ("vote",), lambda: {}) == {}
    assert not logged.records

    def broken():
        raise fail()

    told = answered(request_, ("vote",), broken)["error"]
    text = line(logged.records[0], _Json())
    assert json.loads(text)["event"] == "request"
    assert json.loads(text)["id"] in told and "secret" not in told + text


def test_a_trace_is_short(logged):
    def deep(n):
        if n:
            deep(n - 1)
        raise ValueError(TYPED)

    with pytest.raises(ValueError) as caught:
        deep(200)
    assert len(trace_of(caught.value)) < 1000


def test_a_private_page_counts_requests_and_logs_failures_alone(logged):
    counts, logger = Counts(), logging.getLogger("app.requests")
    logger.addFilter(counts)
    try:
        for outcome in ("answered", "answered", "stopped"):
            Entry("ask").end(outcome, tokens=7)
        assert logged.records == []
        failed = Entry("vote")
        failed.fail(fail(), "Try again.")
        (record,) = logged.records
        assert failed.id in line(record, _Readable())
        counts.say()
        counts.say()  # nothing new
    finally:
        logger.removeFilter(counts)
    *_, last = logged.records
    assert len(logged.records) == 2
    assert "counted: 2 ask answered, 1 ask stopped, 1 vote failed" in line(last, _Readable())


def test_counts_are_said_now_and_then(logged):
    counts, logger = Counts(seconds=-1), logging.getLogger("app.requests")
    logger.addFilter(counts)
    try:
        Entry("ask").end("answered")
    finally:
        logger.removeFilter(counts)
    (record,) = logged.records
    assert json.loads(line(record, _Json()))["message"] == "counted: 1 ask answered"
