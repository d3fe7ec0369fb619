"""Who is believed about under which address a page is reached, and who asks."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.shared.forwarded import Forwarded
from app.shared.settings import Settings

SAID = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "example.org",
    "X-Forwarded-Proto": "https",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;host=example.org",
}


def heard(peer="10.0.0.5", **options):
    """Return what a page hears of a request with all that a proxy might say."""

    def echo(request):
        headers = {name: value for name, value in request.headers.items() if name in LOWER}
        return JSONResponse([request.client.host, request.url.scheme, headers])

    LOWER = {name.lower() for name in SAID}  # noqa: N806
    around = [Middleware(Forwarded, **options)]
    page = Starlette(routes=[Route("/", echo)], middleware=around)
    return TestClient(page, client=(peer, 5000)).get("/", headers=SAID).json()


def test_nobody_is_believed_by_default():
    assert heard() == ["10.0.0.5", "http", {}]


def test_a_proxy_that_is_named_is_believed():
    for trusted in ("10.0.0.5", "127.0.0.1, 10.0.0.0/24", "*"):
        client, scheme, headers = heard(trusted=trusted)
        assert (client, scheme, headers["x-forwarded-host"]) == (
            "203.0.113.9",
            "https",
            "example.org",
        )
    assert heard(peer="10.0.1.5", trusted="10.0.0.0/24") == ["10.0.1.5", "http", {}]


def test_a_platform_says_where_the_page_is_and_not_who_asks():
    client, _, headers = heard(platform=True)
    assert client == "10.0.0.5"
    assert headers == {"x-forwarded-host": "example.org", "x-forwarded-proto": "https"}


def test_a_proxy_that_is_not_named_is_said_once(caplog):
    around = Forwarded(Starlette(routes=[Route("/", lambda _: JSONResponse(1))]))
    client = TestClient(around, client=("10.0.0.5", 5000))
    for _ in range(3):
        client.get("/", headers=SAID)
    (line,) = caplog.messages
    assert "set FORWARDED_ALLOW_IPS=10.0.0.5" in line and "example.org" not in line


@pytest.mark.parametrize("root", ["/a", "/a/b-c", "https://example.org", "http://h:80/a", ""])
def test_a_root_path_is_a_path_or_an_address(root):
    assert Settings.read(["--root-path", root], {}).root_path == root
    assert Settings.read([], {"GRADIO_ROOT_PATH": root + "/"}).root_path == root


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--root-path", "a"], {}, "write a path like /sinktrack"),
        (["--root-path", "/a b"], {}, "write a path like /sinktrack"),
        (["--root-path", "ftp://example.org"], {}, "write a path like /sinktrack"),
        ([], {"GRADIO_ROOT_PATH": "//example.org/a"}, "write a path like /sinktrack"),
        ([], {"FORWARDED_ALLOW_IPS": "10.0.0.5,proxy"}, "'proxy', which is no address"),
    ],
)
def test_what_is_neither_is_one_sentence(arguments, environment, words, capsys):
    with pytest.raises(SystemExit) as ended:
        Settings.read(arguments, environment)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
