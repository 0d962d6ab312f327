"""NGINX with our file and a certificate: TLS by its lines, plain requests led to it."""

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cluster.own_nginx import OwnNginx
from tests.live import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("edge")]


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say how NGINX tells of the client."""
        body = "\n".join(f"{name}: {value}" for name, value in self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """A certificate for these names, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate", folder / "certificate-key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def served(web: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnNginx, int, ssl.SSLContext]]:
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    chain, key = certificate(folder, "localhost", "files.localhost")
    nginx = OwnNginx(
        folder / "nginx",
        edge_upstreams=[f"127.0.0.1:{web}"],
        edge_listen_tls=[f"127.0.0.1:{port}"],
        edge_certificate=str(chain),
        edge_certificate_key=str(key),
        url=f"https://localhost:{port}",
        media_url=f"https://files.localhost:{port}",
    )
    try:
        nginx.start()
        yield nginx, port, ssl.create_default_context(cafile=str(chain))
    finally:
        nginx.close()


def test_requests_come_by_tls(served: tuple[OwnNginx, int, ssl.SSLContext]) -> None:
    _, port, context = served
    with httpx.Client(verify=context) as client:
        answer = client.get(f"https://localhost:{port}/api/v1/x")
        assert "X-Forwarded-Proto: https" in answer.text
        assert answer.headers["strict-transport-security"] == "max-age=63072000"
        assert client.get(f"https://localhost:{port}/about").headers["strict-transport-security"]


def test_plain_requests_are_led_to_tls(served: tuple[OwnNginx, int, ssl.SSLContext]) -> None:
    nginx, _, _ = served
    answer = httpx.get(f"http://localhost:{nginx.port}/about?x=1")
    assert answer.status_code == 308
    assert answer.headers["location"] == "https://localhost/about?x=1"


@pytest.mark.parametrize(("host", "path", "status"), [("files.localhost", "/about", 404), ("localhost", "/about", 200)])
def test_each_name_has_its_own_paths(
    served: tuple[OwnNginx, int, ssl.SSLContext], host: str, path: str, status: int
) -> None:
    _, port, context = served
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert int(connection.recv(65536).split(b" ")[1]) == status


def test_http2_is_offered_and_old_tls_is_not(served: tuple[OwnNginx, int, ssl.SSLContext]) -> None:
    _, port, context = served
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.selected_alpn_protocol() == "h2"
        assert connection.version() in ("TLSv1.2", "TLSv1.3")
