"""Which requests of a browser are taken for those of a foreign page, and refused."""

import pytest

from app.shared.guards import OwnMachine, OwnOrigin, is_local

HOST = "localhost:7860"
OWN = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
PART = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
FORM = LINK | {"origin": "https://evil.example"}


def refused(guard, method, path, headers):
    raw = [(name.encode(), value.encode()) for name, value in ({"host": HOST} | headers).items()]
    return guard.refusal({"type": "http", "method": method, "path": path, "headers": raw})


@pytest.mark.parametrize(
    ("method", "path", "headers", "is_refused"),
    [
        ("POST", "/gradio_api/component_server", OWN, False),
        ("POST", "/gradio_api/component_server", {}, False),  # a program
        ("GET", "/", LINK, False),  # from a mail, or Hugging Face's frame
        ("GET", "/login/callback", LINK, False),  # from Hugging Face
        ("GET", "/logout", OWN, False),
        ("GET", "/logout", {"sec-fetch-site": "none"}, False),  # typed
        ("GET", "/logout", LINK, True),
        ("GET", "/logout", PART, True),
        ("GET", "/config", PART, True),
        ("GET", "/config", {"origin": "https://evil.example"}, True),  # of an old browser
        ("GET", "/config", PART | {"sec-fetch-site": "same-site"}, True),
        ("POST", "/gradio_api/component_server", FORM, True),
        ("POST", "/gradio_api/component_server", FORM | {"origin": "null"}, True),
    ],
)
def test_what_a_foreign_page_sends_is_told_from_all_else(method, path, headers, is_refused):
    assert (refused(OwnOrigin(None), method, path, headers) is not None) == is_refused


def test_a_part_of_the_addresses_can_be_guarded():
    guard = OwnOrigin(None, ("/owner",))
    assert refused(guard, "POST", "/owner", FORM) and refused(guard, "GET", "/owner/now", PART)
    assert not refused(guard, "POST", "/gradio_api/upload", FORM)
    assert not refused(guard, "POST", "/owner", OWN)


@pytest.mark.parametrize(
    ("method", "headers", "is_refused"),
    [
        ("POST", FORM, True),
        ("POST", FORM | {"origin": "null"}, True),
        ("POST", FORM | {"origin": "http://localhost.evil.example"}, True),
        ("POST", FORM | {"origin": "http://127.0.0.1:3000"}, False),  # of this machine as well
        ("POST", OWN, False),
        ("POST", OWN | {"origin": "https://page.example"}, False),  # through a tunnel
        ("POST", {"origin": "http://page.example"}, False),  # through a proxy without TLS
        ("POST", {}, False),
        ("GET", LINK, False),
    ],
)
def test_other_sites_send_nothing_to_a_server_of_one_machine(method, headers, is_refused):
    found = refused(OwnMachine(None), method, "/gradio_api/upload", headers)
    assert (found is not None) == is_refused


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "::1", "[::1]"])
def test_a_server_of_one_machine_is_known_however_its_address_is_written(host):
    assert is_local(host)
    assert not any(map(is_local, ("0.0.0.0", "::", "[::]", "192.168.1.5", "lab.example", "")))
