"""The compose file and the proxies' examples fit each other, the documents, and hold no secret."""

import re
import shutil
import subprocess

import pytest
import yaml
from paths import ROOT

FOLDER = ROOT / "docs" / "hosting-examples"
HOSTING = (ROOT / "docs" / "hosting.md").read_text("utf-8")
TEXT = (FOLDER / "compose.yaml").read_text("utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
SECRETS = {"DATABASE_PASSWORD", "SINKTRACK_INVITE", "SINKTRACK_COORDINATOR"}


def test_secrets_come_from_a_file_that_git_ignores():
    asked = re.findall(r"\$\{([A-Z_]+)", TEXT)
    assert set(asked) == SECRETS
    assert len(re.findall(r"\$\{[A-Z_]+:\?write it in \.env\}", TEXT)) == len(asked)
    printed = re.search(r"printf '(.*)' \\", HOSTING)[1]
    assert set(re.findall(r"([A-Z_]+)=%s", printed)) == SECRETS
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_what_the_page_is_told_stands_where_hosting_is_told():
    for name in SERVICES["page"]["environment"]:
        assert f"`{name}`" in HOSTING, name


def test_only_proxies_are_reached_from_outside_and_only_they_are_believed():
    for name, service in SERVICES.items():
        proxy = name in ("caddy", "nginx")
        assert ("ports" in service) == ("world" in service["networks"]) == proxy
        assert ("front" in service["networks"]) == (proxy or name == "page")
    networks = COMPOSE["networks"]
    assert networks["front"]["internal"] and networks["back"]["internal"]
    (subnet,) = networks["front"]["ipam"]["config"]
    assert SERVICES["page"]["environment"]["FORWARDED_ALLOW_IPS"] == subnet["subnet"]
    assert SERVICES["database"]["networks"] == ["back"]


def test_the_proxies_show_the_page_where_it_takes_itself_to_be():
    root = SERVICES["page"]["environment"]["GRADIO_ROOT_PATH"]
    for name, file in (("caddy", "Caddyfile"), ("nginx", "nginx.conf")):
        text = (FOLDER / file).read_text("utf-8")
        assert f"{root}/" in text and "page:7860" in text
        assert any(f"./{file}:" in volume for volume in SERVICES[name]["volumes"])
    assert (FOLDER / SERVICES["page"]["build"]["context"]).resolve() == ROOT


def test_compose_itself_reads_the_file(tmp_path):
    docker = shutil.which("docker") or "docker-of-nobody"
    try:
        there = subprocess.run([docker, "compose", "version"], capture_output=True)
    except OSError:
        there = None
    if there is None or there.returncode:
        pytest.skip("docker compose is not installed here")
    own = tmp_path / ".env"
    command = [docker, "compose", "--env-file", str(own), "--file", str(FOLDER / "compose.yaml")]
    own.write_text("")
    done = subprocess.run([*command, "config", "--quiet"], capture_output=True, text=True)
    assert done.returncode and "write it in .env" in done.stderr
    own.write_text("".join(f"{name}=x\n" for name in SECRETS))
    command += ["--profile", "caddy", "--profile", "nginx"]
    done = subprocess.run([*command, "config", "--quiet"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
