"""A server with cache, home timelines and bus in one Redis, which is killed, flushed and started again under load."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.own_servers import OwnRedis
from tests.live import LiveServer, eventually, live_server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("redis")]

ROUNDS = 3
_SETTINGS = """cache = "{url}"
feeds = "{url}"
streaming = "{url}"
web_processes = 2
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis")
    server.start()
    yield server
    server.close()


class Writer(threading.Thread):
    """Posts and reads its own timeline, as fast as it is answered."""

    def __init__(self, client: httpx.Client, reader: httpx.Client) -> None:
        super().__init__()
        self.client, self.reader, self.over = client, reader, threading.Event()
        self.posted: list[str] = []
        self.refused: list[str] = []

    def run(self) -> None:
        while not self.over.is_set():
            key = {"Idempotency-Key": f"{len(self.posted)} {len(self.refused)}"}
            answer = self.client.post("/api/v1/statuses", json={"status": f"no {len(self.posted)}"}, headers=key)
            if answer.status_code == 200:
                self.posted.append(answer.json()["id"])
            else:
                self.refused.append(f"post: {answer.status_code} {answer.text}")
            answer = self.reader.get("/api/v1/timelines/home", params={"limit": 5})
            if answer.status_code != 200:
                self.refused.append(f"home: {answer.status_code} {answer.text}")
            self.over.wait(0.02)


def home_ids(client: httpx.Client) -> list[str]:
    """The whole home timeline."""
    found: list[str] = []
    while True:
        params = {"limit": "40", **({"max_id": found[-1]} if found else {})}
        page = client.get("/api/v1/timelines/home", params=params).raise_for_status().json()
        if not page:
            return found
        found += [status["id"] for status in page]


def change(own: OwnRedis, n: int) -> None:
    """What happens to Redis in the n-th round."""
    if n % 3 == 1:
        own.says(own.flush)
        return
    own.kill()
    time.sleep(0.5 * n)  # how long it is away is part of the case
    own.start()


def test_what_was_acknowledged_is_there_once(tmp_path: Path, own: OwnRedis) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "townsquare.toml").write_text(_SETTINGS.format(url=f"redis://127.0.0.1:{own.port}"))
    with live_server(data) as server:
        ann, ben = server.account("ann"), server.account("ben")
        with server.client(ann["token"]) as author, server.client(ben["token"]) as reader:
            reader.post(f"/api/v1/accounts/{ann['id']}/follow").raise_for_status()
            posted, refused = under_load(server, own, author, reader)
            assert len(posted) == len(set(posted)) > 20
            assert refused == []
            for client in (author, reader):
                eventually(lambda client=client: home_ids(client) == posted[::-1], within_s=30)


def under_load(
    server: LiveServer, own: OwnRedis, author: httpx.Client, reader: httpx.Client
) -> tuple[list[str], list[str]]:
    """What was posted while Redis had its troubles, and what was refused."""
    writer = Writer(author, reader)
    writer.start()
    try:
        for n in range(ROUNDS):
            before = len(writer.posted)
            eventually(lambda before=before: len(writer.posted) > before + 5, within_s=60)
            change(own, n)
        before = len(writer.posted)
        eventually(lambda: len(writer.posted) > before + 5, within_s=60)
    finally:
        writer.over.set()
        writer.join()
    return writer.posted, writer.refused
