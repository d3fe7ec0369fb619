"""The owner's page opens to whoever has the code, and tells nothing of visitors."""

import logging

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.shared.guesses import FREE
from app.shared.measures import Measures
from app.shared.owner import OwnerPage
from app.shared.owner_code import SECONDS, OwnerCode
from app.shared.settings import Settings

CODE = "correct horse battery"


@pytest.fixture
def measures():
    return Measures()


@pytest.fixture
def visitor(measures, clock):
    page = OwnerPage(Starlette(), measures, OwnerCode(CODE, clock=clock))
    return TestClient(page, base_url="http://page.example", follow_redirects=False)


def sign_in(visitor, code=CODE):
    return visitor.post("/owner", data={"code": code})


def test_strangers_get_a_form_and_nothing_else(visitor):
    assert visitor.get("/elsewhere").status_code == 404
    shown = visitor.get("/owner")
    assert "The owner’s code" in shown.text and "Memory" not in shown.text
    assert visitor.get("/owner/now").status_code == 401
    assert visitor.get("/owner/now").text == ""


def test_the_code_opens_the_page_and_the_browser_keeps_something_else(visitor, clock):
    answer = sign_in(visitor)
    assert (answer.status_code, answer.headers["location"]) == (303, "?")
    kept = answer.headers["set-cookie"]
    assert CODE not in kept and "HttpOnly" in kept and "SameSite=strict" in kept
    assert "Secure" not in kept
    for path in ("/owner", "/owner/", "/owner/now"):
        shown = visitor.get(path)
        assert shown.status_code == 200 and "Memory" in shown.text
        assert shown.headers["cache-control"] == "no-store"
    clock.now += SECONDS + 1
    assert visitor.get("/owner/now").status_code == 401


@pytest.mark.parametrize("sign", ["", "x", "99999999999", "99999999999.00", "."])
def test_a_made_up_sign_opens_nothing(visitor, sign):
    visitor.headers["cookie"] = f"sinktrack-owner={sign}"
    assert visitor.get("/owner/now").status_code == 401
    assert not OwnerCode(CODE).signed(f"{sign}ü")


def test_a_sign_of_another_process_opens_nothing():
    assert OwnerCode(CODE).signed(OwnerCode(CODE).sign()) is False
    own = OwnerCode(CODE)
    assert own.signed(own.sign())


def test_whoever_guesses_waits_and_is_told(visitor):
    for _ in range(FREE):
        refused = sign_in(visitor, "wrong")
        assert refused.status_code == 401 and "not the owner" in refused.text
    sign_in(visitor, "wrong")
    waits = sign_in(visitor)
    assert waits.status_code == 401 and "Too many wrong codes" in waits.text
    assert "set-cookie" not in waits.headers
    assert visitor.post("/owner", content=b"x" * 1_000_000).status_code == 401


def test_what_happened_is_shown_as_text(visitor, measures):
    sign_in(visitor)
    fields = {"event": "<b>", "id": "ab12cd34", "outcome": "failed", "seconds": 1.5}
    record = logging.makeLogRecord({"fields": fields | {"trace": "KeyError at x.py:1 f"}})
    measures.emit(record)
    measures.add("sinktrack_turned_away_total", limit="uploads")
    measures.turn("answer", 2.0, 1.0)
    shown = visitor.get("/owner/now").text
    assert "ab12cd34" in shown and "KeyError" in shown and "x.py" not in shown
    assert "<b>" not in shown and "&lt;b&gt;" in shown
    assert "<td>uploads</td><td>1</td>" in shown and "2.0 s" in shown


def test_the_code_comes_from_the_environment_and_is_not_short(capsys):
    assert Settings.read([], {}).owner is None
    assert Settings.read([], {"SINKTRACK_OWNER": CODE}).owner == CODE
    for environment in ({"SINKTRACK_OWNER": "short"}, {"SINKTRACK_METRICS": "yes"}):
        with pytest.raises(SystemExit):
            Settings.read([], environment)
        (name,) = environment
        assert f"app.py: {name} is" in capsys.readouterr().err
