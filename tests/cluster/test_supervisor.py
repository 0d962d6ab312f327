"""The processes of a server: they end cleanly, come back, leave nothing behind, and work together."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets.sync.client as ws
from websockets.exceptions import ConnectionClosed

from tests.live import LiveServer, environment, eventually, free_port, live_server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


class Posting(threading.Thread):
    """Posts until it is refused, on one connection that it keeps or on a new one for each post."""

    def __init__(self, server: LiveServer, token: str, name: str, *, keeps: bool) -> None:
        super().__init__()
        self._server, self._token, self._name, self._keeps = server, token, name, keeps
        self.acknowledged: set[str] = set()
        self.failed: list[str] = []

    def run(self) -> None:
        with ExitStack() as stack:
            kept = stack.enter_context(self._server.client(self._token)) if self._keeps else None
            for n in range(1_000_000):
                try:
                    if kept is not None:
                        answer = kept.post("/api/v1/statuses", data={"status": f"{self._name} {n}"})
                    else:
                        with self._server.client(self._token) as client:
                            answer = client.post("/api/v1/statuses", data={"status": f"{self._name} {n}"})
                except httpx.ConnectError:
                    return  # refused: the server has gone
                except httpx.TransportError as exc:
                    self.failed.append(repr(exc))
                    return
                if answer.status_code == 200:
                    self.acknowledged.add(answer.json()["id"])
                else:
                    self.failed.append(answer.text)


def test_sigterm_under_load_fails_and_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    with live_server(tmp_path / "data", "--web-processes", "2", port=port) as server:
        ann, ben = server.account("ann"), server.account("ben")
        with server.client(ben["token"]) as client:
            assert client.post(f"/api/v1/accounts/{ann['id']}/follow").status_code == 200
        posting = [Posting(server, ann["token"], f"thread {n}", keeps=n % 2 == 0) for n in range(4)]
        for thread in posting:
            thread.start()
        eventually(lambda: all(len(thread.acknowledged) > 10 for thread in posting), within_s=30)
        assert server.stop() == 0
        for thread in posting:
            thread.join()
    assert [thread.failed for thread in posting] == [[], [], [], []]
    assert "Traceback" not in (tmp_path / "data.log").read_text()
    wanted = set().union(*(thread.acknowledged for thread in posting))
    with live_server(tmp_path / "data", port=port) as server:
        for person in (ann, ben):
            with server.client(person["token"]) as client:
                eventually(lambda: _ids(client, "/api/v1/timelines/home") == wanted, within_s=30)
        with server.client(ben["token"]) as client:
            path = f"/api/v1/accounts/{ann['id']}"
            eventually(lambda: client.get(path).json()["statuses_count"] == len(wanted), within_s=30)


def _ids(client: httpx.Client, path: str) -> set[str]:
    found: set[str] = set()
    below = ""
    while True:
        rows = client.get(f"{path}?limit=40{below}").json()
        if not rows:
            return found
        found |= {row["id"] for row in rows}
        below = f"&max_id={rows[-1]['id']}"


def _socket(server: LiveServer, token: str) -> ws.ClientConnection:
    return ws.connect(f"{server.url.replace('http', 'ws')}/api/v1/streaming?access_token={token}&stream=user")


def test_streams_are_told_to_come_again(tmp_path: Path) -> None:
    with live_server(tmp_path / "data", "--web-processes", "2") as server:
        ann = server.account("ann")
        with ExitStack() as stack:
            streams = [stack.enter_context(_socket(server, ann["token"])) for _ in range(6)]
            assert server.stop() == 0
            for stream in streams:
                with pytest.raises(ConnectionClosed) as closed:
                    stream.recv(timeout=10)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1012


def test_a_killed_supervisor_leaves_no_process_and_no_port(tmp_path: Path) -> None:
    port = free_port()
    with live_server(tmp_path / "data", "--web-processes", "2", port=port) as server:
        children = server.children()
        assert len(children) == 3
        ann = server.account("ann")
        with _socket(server, ann["token"]):
            server.process.kill()
            server.process.wait()
            eventually(lambda: not [pid for pid in children if _lives(pid)])
    with closing(socket.socket()) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
    with live_server(tmp_path / "data", port=port) as server, server.client(ann["token"]) as client:
        assert client.get("/api/v1/accounts/verify_credentials").json()["id"] == ann["id"]


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def kept_files(data: Path) -> set[str]:
    """What lies in a data folder, but for the facts, whose process comes and goes."""
    return {path.name for path in data.iterdir() if not path.name.startswith("facts.")}


def test_a_role_that_dies_again_and_again_is_named(tmp_path: Path) -> None:
    with live_server(tmp_path / "data", "--web-processes", "1") as server:
        web, worker = server.children()
        files = kept_files(tmp_path / "data")
        for _ in range(5):
            os.kill(worker, signal.SIGKILL)
            (worker,) = eventually(lambda: set(server.children()) - {web, worker})  # noqa: B023 - called here
        log = (tmp_path / "data.log").read_text()
        assert "workers 1 ended after" in log
        assert "SIGKILL" in log
        assert "workers 1 does not stay alive: 5 times in a row" in log
        assert server.children()[0] == web
        assert kept_files(tmp_path / "data") == files
        assert server.stop() == 0


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with live_server(tmp_path / "data", "--web-processes", "1") as server:
        done = _type("run", "--data", str(server.data), "--bind", f"127.0.0.1:{free_port()}")
        assert done.returncode == 1
        assert "Another `townsquare run`" in done.stderr
        bind = server.url.rpartition("/")[2].replace("localhost", "127.0.0.1")
        done = _type("run", "--data", str(tmp_path / "other"), "--bind", bind)
        assert done.returncode == 1
        assert "Address already in use" in done.stderr


def _type(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "townsquare", *words],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        timeout=60,
    )


def _sockets_of(pid: int, port: int) -> int:
    """How many TCP connections to `port` a process holds."""
    inodes = {
        line.split()[9]
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01"
    }
    held = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}
    return len({f"socket:[{inode}]" for inode in inodes} & held)


def _shares(stack: ExitStack, server: LiveServer, port: int, *, streams: int, token: str) -> list[int]:
    """Connect 64 at once and open some streams; how many connections each web process holds then."""
    burst = [stack.enter_context(closing(socket.create_connection(("127.0.0.1", port)))) for _ in range(64)]
    for connection in burst:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
    for connection in burst:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    for _ in range(streams):
        stack.enter_context(_socket(server, token))
    return [held for pid in server.children() if (held := _sockets_of(pid, port))]


def test_web_processes_get_equal_shares_also_when_one_comes_anew(tmp_path: Path) -> None:
    port = free_port()
    with live_server(tmp_path / "data", "--web-processes", "2", port=port) as server, ExitStack() as stack:
        token = server.account("ann")["token"]
        first, second = _shares(stack, server, port, streams=20, token=token)
        assert first + second == 84
        assert abs(first - second) <= 4
        old = server.children()
        os.kill(old[0], signal.SIGKILL)
        eventually(lambda: len(server.children()) == 3 and server.children() != old)

        def serves() -> bool:
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
            return _sockets_of(server.children()[-1], port) > 0

        eventually(serves)
        shares = _shares(stack, server, port, streams=0, token=token)
        assert sum(shares) >= 90  # streams of the other one are told to come again too: events may have been lost
        assert min(shares) >= 0.4 * sum(shares)  # the new one may have been slow for a moment


def test_live_events_reach_streams_on_each_web_process(tmp_path: Path) -> None:
    port = free_port()
    with live_server(tmp_path / "data", "--web-processes", "2", port=port) as server, ExitStack() as stack:
        ann, ben = server.account("ann"), server.account("ben")
        webs = server.children()[:2]
        streams: list[ws.ClientConnection] = []
        while not all(_sockets_of(pid, port) for pid in webs):
            assert len(streams) < 50, "one process takes all connections"
            streams.append(stack.enter_context(_socket(server, ben["token"])))
        with server.client(ben["token"]) as client:
            client.post(f"/api/v1/accounts/{ann['id']}/follow")
        with server.client(ann["token"]) as client:
            made = client.post("/api/v1/statuses", data={"status": "Hello @ben"}).json()
        for stream in streams:
            heard = {}
            while set(heard) != {"update", "notification"}:
                event = json.loads(stream.recv(timeout=10))
                heard[event["event"]] = json.loads(event["payload"])
            assert heard["update"]["id"] == made["id"]
            assert heard["notification"]["type"] == "mention"


@contextmanager
def _role(data: Path, *words: str) -> "Iterator[subprocess.Popen[str]]":
    """One role by itself, from the moment when it says that it is ready; it must end well."""
    with (data.parent / "roles.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "townsquare", *words, "--data", str(data)],
            env={**environment(), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        try:
            assert "ready" in process.stdout.readline()
            yield process
        finally:
            process.terminate()
            assert process.wait(timeout=40) == 0
            process.stdout.close()


def _get(url: str) -> int:
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.TransportError:
        return 0


def test_roles_started_alone_work_together(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    url = f"http://localhost:{port}"
    web = ("web", "--bind", f"127.0.0.1:{port}", "--url", url, "--test-mode")
    lanes = "fan_out,counts,graph"
    with _role(data, *web) as first, _role(data, "workers", "--lanes", lanes), _role(data, *web):
        server = LiveServer(first, data, url)  # type: ignore[arg-type]  # its process is only looked at
        ann, ben = server.account("ann"), server.account("ben")
        with server.client(ann["token"]) as of_ann, server.client(ben["token"]) as of_ben:
            of_ben.post(f"/api/v1/accounts/{ann['id']}/follow")
            eventually(lambda: of_ann.get(f"/api/v1/accounts/{ann['id']}").json()["followers_count"] == 1)
            made = of_ann.post("/api/v1/statuses", data={"status": "Hello @ben"}).json()
            eventually(lambda: [s["id"] for s in of_ben.get("/api/v1/timelines/home").json()] == [made["id"]])
            assert of_ben.get("/api/v1/notifications").json() == []  # its lane has nobody yet
            with _role(data, "workers", "--lanes", "notify"):
                eventually(lambda: [n["type"] for n in of_ben.get("/api/v1/notifications").json()] == ["mention"])


def test_a_stopping_process_is_not_ready(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://localhost:{port}"
    with _role(tmp_path / "data", "web", "--bind", f"127.0.0.1:{port}", "--url", url) as process:
        assert _get(f"{url}/health/ready") == 200
        process.terminate()
        seen: list[Any] = []
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (not seen or seen[-1] != 0):
            seen.append(_get(f"{url}/health/ready"))
    assert 503 in seen
    assert seen == sorted(seen, key=[200, 503, 0].index)
