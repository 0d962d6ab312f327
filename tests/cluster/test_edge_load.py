"""NGINX with our file under load, while web processes are killed or replaced and NGINX is reloaded: nothing fails."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import websockets.sync.client as ws

from tests.cluster.listening import Stream
from tests.cluster.town import Town, town
from tests.live import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("edge")]

RATE = 200  # requests a second in all
CLIENTS = 8
STREAMS = 100
_OUT_S = 2.2  # how long NGINX leaves a web server alone that failed


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("load")) as made:
        yield made


@pytest.fixture(scope="module")
def ann(here: Town) -> dict[str, str]:
    return here.account("ann")


class Asking(threading.Thread):
    """Sends requests at a fixed rate, in turn a read and (with `posts`) a post with a key."""

    _numbers = itertools.count()

    def __init__(self, town: Town, token: str, over: threading.Event, *, posts: bool) -> None:
        super().__init__()
        self.ended = 0  # connections that were ended just when they were to be used again
        self._town, self._token, self._over, self._posts = town, token, over, posts
        self.failed: list[str] = []
        self.posted: list[str] = []
        self.asked = 0

    def run(self) -> None:
        with self._town.client(self._token) as client:
            begun = time.monotonic()
            while not self._over.is_set():
                self._ask(client, self.asked)
                self.asked += 1
                self._over.wait(begun + self.asked * CLIENTS / RATE - time.monotonic())

    def _ask(self, client: httpx.Client, n: int) -> None:
        """One request. A connection that is ended before any answer is done again, as browsers do: both kinds of
        request may be repeated."""
        if self._posts and n % 2:
            key = {"Idempotency-Key": f"load {next(self._numbers)}"}
            said = {"status": f"{self.name} {n}"}
            request = client.build_request("POST", "/api/v1/statuses", json=said, headers=key)
        else:
            request = client.build_request("GET", "/api/v1/timelines/home", params={"limit": 2})
        try:
            try:
                answer = client.send(request)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                self.ended += 1
                answer = client.send(request)
        except httpx.TransportError as exc:
            self.failed.append(repr(exc))
            return
        if answer.status_code != 200:
            self.failed.append(f"{request.method} {answer.status_code} {answer.text[:200]}")
        elif request.method == "POST":
            self.posted.append(answer.json()["id"])


@contextmanager
def under_load(here: Town, token: str, *, posts: bool = True) -> Iterator[list[Asking]]:
    """Requests go on meanwhile; what failed and what was posted is known behind it."""
    over = threading.Event()
    asking = [Asking(here, token, over, posts=posts) for _ in range(CLIENTS)]
    for each in asking:
        each.start()
    try:
        eventually(lambda: all(each.asked > 2 for each in asking))
        yield asking
    finally:
        over.set()
        for each in asking:
            each.join()


def failures(asking: list[Asking], *, ended: int = 0) -> list[str]:
    """All of them. `ended`: so many connections may have been ended at a bad moment."""
    assert sum(each.ended for each in asking) <= ended
    return [what for each in asking for what in each.failed]


def home_ids(client: httpx.Client) -> list[str]:
    """The whole home timeline."""
    found: list[str] = []
    while page := client.get(
        "/api/v1/timelines/home", params={"limit": "40", **({"max_id": found[-1]} if found else {})}
    ).json():
        found += [status["id"] for status in page]
    return found


def test_no_read_fails_when_a_web_process_is_killed(here: Town, ann: dict[str, str]) -> None:
    with under_load(here, ann["token"], posts=False) as asking:
        for web in here.webs:
            time.sleep(0.3)  # load meanwhile is the case
            web.kill()
            time.sleep(0.5)
            web.start()
            web.wait_ready()
            time.sleep(_OUT_S)
    assert failures(asking) == []
    assert sum(each.asked for each in asking) > 200


def test_reloading_nginx_loses_nothing(here: Town, ann: dict[str, str]) -> None:
    address = here.url.replace("http", "ws") + f"/api/v1/streaming?access_token={ann['token']}&stream=user"
    with ws.connect(address) as socket:
        with under_load(here, ann["token"]) as asking:
            for _ in range(5):
                here.nginx.reload(whole=False)
                time.sleep(0.2)
        # HTTP/1.1 has no word for a farewell before it, and each reload ends idle connections.
        assert failures(asking, ended=5) == []
        told = json.loads(socket.recv(timeout=10))  # it stays, and what was posted came
        assert told["event"] == "update"


def test_web_processes_are_replaced_under_load_and_nothing_fails(here: Town, ann: dict[str, str]) -> None:
    address = here.url.replace("http", "ws") + f"/api/v1/streaming?access_token={ann['token']}&stream=user"
    over = threading.Event()
    streams = [Stream(address, over) for _ in range(STREAMS)]
    for each in streams:
        each.start()
    try:
        assert all(each.open.wait(20) for each in streams)
        with under_load(here, ann["token"]) as asking:
            for role in here.roles:
                assert role.stop() == 0
                role.start()
                if role.port:
                    role.wait_ready()
                    time.sleep(_OUT_S)
        posted = [status_id for each in asking for status_id in each.posted]
        assert failures(asking) == []
        assert len(posted) == len(set(posted)) > 100
        with here.client(ann["token"]) as client:
            eventually(lambda: set(posted) <= set(home_ids(client)), within_s=30)
            found = home_ids(client)
            assert len(found) == len(set(found))
    finally:
        over.set()
        for each in streams:
            each.join()
    gaps_s = [gap_s for each in streams for gap_s in each.gaps_s]
    assert {code for each in streams for code in each.codes} <= {1012}
    assert len(gaps_s) >= STREAMS
    assert max(gaps_s) < 3
