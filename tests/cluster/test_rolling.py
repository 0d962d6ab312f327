"""All web and worker processes are started anew, one after the other, while people read and post: nobody notices.

A balancer of the smallest kind stands in for NGINX: it asks for readiness, leaves out who is not ready, and sends again
only what was not answered, posts under their Idempotency-Key.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets.sync.client as ws
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.live import LiveServer, environment, eventually, free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


_AGAIN_S = 0.05


class Role:
    """One process, which is stopped and started anew."""

    def __init__(self, data: Path, *words: str) -> None:
        self._data, self._words = data, words
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        with (self._data.parent / "roles.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "townsquare", *self._words, "--data", str(self._data)],
                env={**environment(), "PYTHONUNBUFFERED": "1", "TOWNSQUARE_NOTICE_S": "0.3"},
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        return process

    def restart(self) -> None:
        self.stop()
        self.process = self._start()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=40) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()


class Balancer(threading.Thread):
    """Knows which web processes are ready."""

    def __init__(self, urls: Sequence[str]) -> None:
        super().__init__()
        self.urls, self.ready, self.ended = urls, set(urls), threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            for url in self.urls:
                try:
                    fine = httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
                except httpx.TransportError:
                    fine = False
                (self.ready.add if fine else self.ready.discard)(url)


class Person(threading.Thread):
    """Reads and posts until told to stop."""

    def __init__(self, balancer: Balancer, token: str, name: str) -> None:
        super().__init__()
        self._balancer, self._name = balancer, name
        self._headers = {"Authorization": f"Bearer {token}"}
        self.posted: set[str] = set()
        self.failed: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        with ExitStack() as stack:
            clients = {url: stack.enter_context(httpx.Client(base_url=url)) for url in self._balancer.urls}
            for n in range(1_000_000):
                if self.ended.wait(0.02):
                    return
                key = {"Idempotency-Key": f"{self._name} {n}"}
                made = self._ask(
                    clients, "POST", "/api/v1/statuses", n, headers=key, data={"status": f"{self._name} {n}"}
                )
                if made is not None:
                    self.posted.add(made.json()["id"])
                self._ask(clients, "GET", "/api/v1/timelines/home", n)

    def _ask(
        self, clients: dict[str, httpx.Client], method: str, path: str, n: int, **request: Any
    ) -> httpx.Response | None:
        headers = {**self._headers, **request.pop("headers", {})}
        for again in range(4):
            ready = sorted(self._balancer.ready) or list(clients)
            with suppress(httpx.TransportError):
                answer = clients[ready[(n + again) % len(ready)]].request(method, path, headers=headers, **request)
                if answer.status_code == 200:
                    return answer
                self.failed.append(f"{method} {answer.status_code} {answer.text[:100]}")
                return None
        self.failed.append(f"{method} was never answered")
        return None


class Stream(threading.Thread):
    """Listens, and comes again when told to."""

    def __init__(self, balancer: Balancer, token: str) -> None:
        super().__init__()
        self._balancer, self._token = balancer, token
        self.codes: list[int] = []
        self.away_s: list[float] = []
        self._left_at = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            url = sorted(self._balancer.ready)[0].replace("http", "ws")
            # One that is about to stop says 503, or takes no connection; the balancer learns of it a moment later.
            with suppress(OSError, TimeoutError, ConnectionClosed, InvalidStatus):
                self._listen(f"{url}/api/v1/streaming?access_token={self._token}&stream=user")
            self.ended.wait(_AGAIN_S)

    def _listen(self, url: str) -> None:
        with ws.connect(url) as stream:
            if self._left_at:
                self.away_s.append(time.monotonic() - self._left_at)
            while not self.ended.is_set():
                try:
                    with suppress(TimeoutError):
                        stream.recv(timeout=0.2)
                except ConnectionClosed as exc:
                    self._left_at = time.monotonic()
                    self.codes.append(exc.rcvd.code if exc.rcvd else 0)
                    return


@contextmanager
def ending(*threads: Any) -> Any:
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.ended.set()
        for thread in threads:
            thread.join()


def test_all_roles_are_started_anew_and_nobody_notices(tmp_path: Path) -> None:
    data, ports = tmp_path / "data", [free_port(), free_port()]
    urls = [f"http://localhost:{port}" for port in ports]
    roles = [Role(data, "web", "--bind", f"127.0.0.1:{port}", "--url", urls[0], "--test-mode") for port in ports]
    roles += [Role(data, "workers"), Role(data, "workers")]
    try:
        server = LiveServer(roles[0].process, data, urls[0])  # type: ignore[arg-type]  # its process is not looked at
        ann, ben = server.account("ann"), server.account("ben")
        with server.client(ben["token"]) as client:
            assert client.post(f"/api/v1/accounts/{ann['id']}/follow").status_code == 200
        balancer = Balancer(urls)
        people = [Person(balancer, ann["token"], f"person {n}") for n in range(3)]
        streams = [Stream(balancer, ben["token"]) for _ in range(3)]
        with ending(balancer, *people, *streams):
            eventually(lambda: all(len(person.posted) > 5 for person in people), within_s=30)
            for role in roles:
                role.restart()
                eventually(lambda: len(balancer.ready) == 2, within_s=10)
                before = [len(person.posted) for person in people]
                eventually(lambda: all(len(p.posted) > n + 3 for p, n in zip(people, before, strict=True)))  # noqa: B023
        assert [person.failed for person in people] == [[], [], []]
        assert {code for stream in streams for code in stream.codes} == {1012}
        assert max(away for stream in streams for away in stream.away_s) < 3
        posted = set().union(*(person.posted for person in people))
        with server.client(ben["token"]) as client:
            eventually(lambda: _ids(client, "/api/v1/timelines/home") == posted, within_s=30)
        with server.client(ann["token"]) as client:
            path = f"/api/v1/accounts/{ann['id']}"
            eventually(lambda: client.get(path).json()["statuses_count"] == len(posted), within_s=30)
            assert _ids(client, f"{path}/statuses") == posted
    finally:
        for role in roles:
            if role.process.poll() is None:
                role.stop()
    assert "Traceback" not in (tmp_path / "roles.log").read_text()


def _ids(client: httpx.Client, path: str) -> set[str]:
    found: set[str] = set()
    below = ""
    while rows := client.get(f"{path}?limit=40{below}").json():
        found |= {row["id"] for row in rows}
        below = f"&max_id={rows[-1]['id']}"
    return found
