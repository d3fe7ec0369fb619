"""Signing in with Hugging Face, where the page is a Space; its side of it is played here."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from annotators import Annotator
from joserfc import jwt
from joserfc.jwk import RSAKey
from playwright.sync_api import expect
from real_page import ROOT, Server
from studies import make_study

from app.shared.settings import Settings

KEY = RSAKey.generate_key(2048, parameters={"kid": "one"})


class Provider(BaseHTTPRequestHandler):
    """Says of whoever comes that it is ann."""

    nonce = ""

    def do_GET(self):
        at = f"http://127.0.0.1:{self.server.server_port}"
        if self.path.startswith("/authorize"):
            asked = {name: value[0] for name, value in parse_qs(urlsplit(self.path).query).items()}
            Provider.nonce = asked["nonce"]
            back = {"code": "1", "state": asked["state"]}
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}&{urlencode(back)}")
            self.end_headers()
        elif "openid-configuration" in self.path:
            self._send(
                issuer=at,
                authorization_endpoint=f"{at}/authorize",
                token_endpoint=f"{at}/token",
                jwks_uri=f"{at}/keys",
                id_token_signing_alg_values_supported=["RS256"],
            )
        else:
            self._send(keys=[KEY.as_dict(private=False)])

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        now = int(time.time())
        claims = {
            "iss": f"http://127.0.0.1:{self.server.server_port}",
            "aud": "client",
            "sub": "1",
            "iat": now,
            "exp": now + 600,
            "nonce": Provider.nonce,
            "name": "Ann Example",
            "preferred_username": "ann",
            "profile": "https://huggingface.co/ann",
            "picture": "",
        }
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
        self._send(access_token="x", token_type="bearer", expires_in=600, id_token=token)

    def _send(self, **found):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def provider():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def space_url(tmp_path: Path, provider: str) -> Iterator[str]:
    """A study's page that takes itself for a Space whose card says `hf_oauth: true`."""
    (tmp_path / "page").mkdir()
    server = Server(
        tmp_path / "page" / "log",
        SINKTRACK_STUDY=str(make_study(tmp_path / "study").folder),
        SPACE_ID="team/study",
        SYSTEM="spaces",
        GRADIO_SERVER_NAME="127.0.0.1",
        OAUTH_CLIENT_ID="client",
        OAUTH_CLIENT_SECRET="secret",
        OAUTH_SCOPES="openid profile",
        OPENID_PROVIDER_URL=provider,
    )
    yield server.ready()
    # on a Space Gradio watches files, and complains of threads of its own
    assert str(ROOT / "app") not in server.stop()


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
