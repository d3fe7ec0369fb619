"""Signing in with Hugging Face, where the page is a Space; its side of it is played here."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annotators import Annotator
from played_hub import space
from playwright.sync_api import expect
from studies import make_study

from app.shared.settings import Settings


@pytest.fixture
def space_url(tmp_path: Path) -> Iterator[str]:
    with space(make_study(tmp_path / "study").folder, tmp_path / "page") as url:
        yield url


def forge(ann: Annotator, url: str) -> None:
    """Send what a foreign page could, with the cookie that a browser would add for it."""
    ask = ann.page.request
    config = ask.get(f"{url}/config").json()
    (judge,) = [one["id"] for one in config["components"] if one["props"].get("elem_id") == "judge"]
    call = {"component_id": judge, "fn_name": "answer", "session_hash": "x"}
    for what in ("sign in", "next", "vote"):
        body = json.dumps(call | {"data": {"what": what}})
        for kind in ("text/plain", "application/json"):
            headers = {"Origin": "https://evil.example", "Content-Type": kind}
            answer = ask.post(f"{url}/gradio_api/component_server", data=body, headers=headers)
            assert answer.status == 403 and "token" not in answer.text()
    own = {"Origin": url, "Content-Type": "application/json"}
    body = json.dumps(call | {"data": {"what": "sign in"}})  # with this cookie it would have worked
    answer = ask.post(f"{url}/gradio_api/component_server", data=body, headers=own).json()
    assert answer["name"] == "ann" and answer["token"]
    body = json.dumps(call | {"data": {"what": "vote", "place": answer["pair"]["place"]}})
    refused = ask.post(f"{url}/gradio_api/component_server", data=body, headers=own).json()
    assert refused["signed_out"]  # the cookie alone is not enough


def test_who_signs_in_with_hugging_face_needs_no_code(
    visit: Callable[..., Any], space_url: str
) -> None:
    ann: Annotator = visit(space_url, Annotator)
    expect(ann.said()).to_contain_text("Sign in with Hugging Face first")
    expect(ann.page.locator(".sj-sign input")).to_have_count(0)
    ann.page.click("#sign-in")
    expect(ann.count()).to_have_text("0 judged · 3 to go")
    expect(ann.page.locator("#sign-in")).to_have_text("Logout (ann)")
    ann.page.keyboard.press("3")
    forge(ann, space_url)
    ann.page.reload()
    expect(ann.count()).to_have_text("0 judged · 3 to go")
    ann.page.click("#sign-in")
    expect(ann.said()).to_contain_text("Sign in with Hugging Face first")
    ann.page.close()
    # on a Space the page asks the hub for fonts, and here for the signing in
    ann.troubles[:] = [trouble for trouble in ann.troubles if trouble.startswith("error:")]


@pytest.mark.parametrize(
    ("environment", "hub"),
    [
        ({}, False),
        ({"OAUTH_CLIENT_ID": "1"}, False),
        ({"SPACE_ID": "a/b"}, False),
        ({"SPACE_ID": "a/b", "OAUTH_CLIENT_ID": "1"}, True),
        ({"SPACE_ID": "a/b", "OAUTH_CLIENT_ID": "1", "SINKTRACK_INVITE": "code"}, False),
    ],
)
def test_it_is_off_elsewhere_and_where_a_code_is_set(environment, hub):
    assert Settings.read([], environment).hub_sign_in is hub
