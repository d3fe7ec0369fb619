"""Hugging Face's side of signing in, played here, and a page that takes itself for a Space."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from real_page import ROOT, Server

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


@contextmanager
def provider() -> Iterator[str]:
    """Serve it, and give its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def space(study: Path, folder: Path) -> Iterator[str]:
    """Serve a study as a Space does whose card says `hf_oauth: true`, and give its address.

    Args:
        study: The study's folder.
        folder: A new one, for the log.
    """
    folder.mkdir()
    with provider() as at:
        server = Server(
            folder / "log",
            SINKTRACK_STUDY=str(study),
            SPACE_ID="team/study",
            SYSTEM="spaces",
            GRADIO_SERVER_NAME="127.0.0.1",
            OAUTH_CLIENT_ID="client",
            OAUTH_CLIENT_SECRET="secret",
            OAUTH_SCOPES="openid profile",
            OPENID_PROVIDER_URL=at,
        )
        yield server.ready()
        # on a Space Gradio watches files, and complains of threads of its own
        assert str(ROOT / "app") not in server.stop()
