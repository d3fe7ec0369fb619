"""nginx in front of a page, as docs/hosting-examples/nginx.conf has it."""

import datetime
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from real_page import ROOT

EXAMPLE = ROOT / "docs" / "hosting-examples" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
AROUND = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/example.conf;
}}
"""


class Nginx:
    """nginx with the example's configuration, on free ports of this machine.

    Args:
        folder: For its files.
        page: The page's address.
        **changes: Other words for some of the example's.
    """

    def __init__(self, folder: Path, page: str, changes: dict[str, str] | None = None) -> None:
        folder.mkdir()
        plain, tls = _free_ports(2)
        self.root = f"https://localhost:{tls}/sinktrack"
        self.origin = f"https://localhost:{tls}"
        _certify(folder)
        example = EXAMPLE.read_text()
        own = {
            "listen 80;": f"listen 127.0.0.1:{plain};",
            "listen 443 ssl;": f"listen 127.0.0.1:{tls} ssl;",
            "/etc/nginx/certs": str(folder),
            "http://page:7860": page.rstrip("/"),
            "study.example.org": "localhost",
        }
        for there, here in (own | (changes or {})).items():
            assert there in example, f"the example no longer has {there!r}"
            example = example.replace(there, here)
        (folder / "example.conf").write_text(example)
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
        assert NGINX is not None
        command = [NGINX, "-p", str(folder), "-e", f"{folder}/error.log", "-c"]
        self._process = subprocess.Popen([*command, str(folder / "nginx.conf")])
        self._log = folder / "error.log"
        deadline = time.monotonic() + 30
        while not _listens(tls):
            assert self._process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


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
