"""NGINX with our file, in front of web servers that drop what they are given: what is sent again, what never."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.own_nginx import OwnNginx, own_nginx

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("edge")]


class Dropping(threading.Thread):
    """Reads requests and ends the connection without a word, as a killed web server does."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.seen: list[str] = []

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                head = connection.recv(65536)
                if head:
                    self.seen.append(head.split(b" ", 2)[0].decode())

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.join()


@pytest.fixture
def dropping() -> Iterator[list[Dropping]]:
    made = [Dropping(), Dropping()]
    for each in made:
        each.start()
    yield made
    for each in made:
        each.close()


@pytest.fixture
def nginx(tmp_path: Path, dropping: list[Dropping]) -> Iterator[OwnNginx]:
    with own_nginx(tmp_path / "nginx", edge_upstreams=[f"127.0.0.1:{each.port}" for each in dropping]) as nginx:
        yield nginx


STATUSES = "/api/v1/statuses"
KEY = {"Idempotency-Key": "a1"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "times"),
    [
        ("GET", STATUSES, {}, 2),
        ("GET", "/local", {}, 2),
        ("DELETE", f"{STATUSES}/1", {}, 2),
        ("PUT", f"{STATUSES}/1", {}, 2),
        ("POST", STATUSES, {}, 1),
        ("POST", STATUSES, KEY, 2),
        ("POST", f"{STATUSES}/1/favourite", KEY, 1),  # does not look at the key
        ("POST", "/api/v2/media", KEY, 1),
        ("PATCH", "/api/v1/profile", KEY, 1),
    ],
)
def test_what_is_sent_again(
    nginx: OwnNginx, dropping: list[Dropping], method: str, path: str, headers: dict[str, str], times: int
) -> None:
    answer = httpx.request(method, f"{nginx.url}{path}", headers=headers)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["cache-control"] == "private, no-store"
    if path == "/local":
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
    else:
        assert answer.json() == {"error": "The server is not available just now"}
    assert [name for each in dropping for name in each.seen] == [method] * times


def test_a_web_server_that_is_marked_down_gets_nothing(nginx: OwnNginx, dropping: list[Dropping]) -> None:
    first, second = dropping
    nginx.write(edge_upstreams=[f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port} down"])
    nginx.reload()
    with httpx.Client(base_url=nginx.url) as client:
        for _ in range(4):
            client.get(STATUSES)
    assert second.seen == []
    assert first.seen
