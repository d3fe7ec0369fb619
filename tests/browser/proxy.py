"""A proxy in front of a page, as docs/hosting-examples has it."""

import datetime
import os
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from real_page import ROOT

EXAMPLES = ROOT / "docs" / "hosting-examples"
HOMES = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
AROUND_NGINX = """
daemon off;
{user}
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/nginx.conf;
}}
"""
AROUND_CADDY = """
{{
    admin off
    http_port {plain}
    https_port {tls}
    default_bind 127.0.0.1
    grace_period 1s
}}
import {folder}/Caddyfile
"""


class Proxy(ABC):
    """A proxy with its example's configuration, on free ports of this machine.

    Args:
        folder: For its files.
        page: The page's address.
    """

    example: ClassVar[str]
    """The name of its file in docs/hosting-examples."""
    program: ClassVar[str]
    package: ClassVar[str]
    """What Debian calls it."""

    def __init__(self, folder: Path, page: str) -> None:
        folder.mkdir()
        self.plain, self.tls = _free_ports(2)
        self.origin = f"https://localhost:{self.tls}"
        self.root = f"{self.origin}/sinktrack"
        self._folder, self._log = folder, folder / "log"
        _certify(folder)
        text = (EXAMPLES / self.example).read_text()
        for there, here in self._own(page.rstrip("/")).items():
            assert there in text, f"the example no longer has {there!r}"
            text = text.replace(there, here)
        (folder / self.example).write_text(text)
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                self._command(),
                stderr=output,
                env=os.environ | dict.fromkeys(HOMES, str(folder)),
            )
        deadline = time.monotonic() + 30
        while not _listens(self.tls):
            assert self._process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    @classmethod
    def found(cls) -> str | None:
        """Return where the program is; None if it is not installed."""
        return shutil.which(cls.program) or shutil.which(
            cls.program, path="/usr/sbin:/usr/local/sbin"
        )

    @abstractmethod
    def _own(self, page: str) -> dict[str, str]:
        """Return what stands here for words of the example."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Return what starts the proxy, which stays in the foreground."""

    def _around(self, text: str) -> str:
        """Write what the example stands in, and return the file's path."""
        user = "user root;" if os.getuid() == 0 else ""
        here = {"folder": self._folder, "user": user, "plain": self.plain, "tls": self.tls}
        (self._folder / "around").write_text(text.format(**here))
        return str(self._folder / "around")

    def said(self) -> str:
        return self._log.read_text()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


class Nginx(Proxy):
    """nginx, which is given a certificate in the example as well."""

    example, program, package = "nginx.conf", "nginx", "nginx-light"

    def _own(self, page: str) -> dict[str, str]:
        return {
            "listen 80;": f"listen 127.0.0.1:{self.plain};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.tls} ssl;",
            "/etc/nginx/certs": str(self._folder),
            "http://page:7860": page,
            "study.example.org": "localhost",
        }

    def _command(self) -> list[str]:
        around = self._around(AROUND_NGINX)
        return [str(self.found()), "-p", str(self._folder), "-e", "stderr", "-c", around]


class Caddy(Proxy):
    """Caddy, which asks nobody for a certificate here."""

    example, program, package = "Caddyfile", "caddy", "caddy"

    def _own(self, page: str) -> dict[str, str]:
        certificate = f"tls {self._folder}/fullchain.pem {self._folder}/privkey.pem"
        return {
            "study.example.org {": f"localhost:{self.tls} {{\n\t{certificate}",
            "page:7860": page.removeprefix("http://"),
        }

    def _command(self) -> list[str]:
        around = self._around(AROUND_CADDY)
        return [str(self.found()), "run", "--config", around, "--adapter", "caddyfile"]


PROXIES: tuple[type[Proxy], ...] = (Nginx, Caddy)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _certify(folder: Path) -> None:
    """Write a certificate for localhost that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
