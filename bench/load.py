"""A light HTTP load generator: raw sockets, keep-alive, one request at a time on each connection.

Closed loop: each connection asks again as soon as it was answered; tells what a server can do. Open loop: requests are
sent at a fixed rate whatever the answers do, and latency counts from when a request was due: tells what people feel.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

TICK_S = 0.001
_LAST_ANSWERS_S = 10.0  # that an open loop waits for what is still out at its end; the rest counts as dropped


@dataclass(slots=True)
class Report:
    """What a run saw. Latencies in seconds, in the order of the answers."""

    seconds: float = 0.0
    body_bytes: int = 0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    dropped: int = 0  # connections that ended, and requests that were due with nobody free to send them

    @property
    def answers(self) -> int:
        return len(self.latencies)

    @property
    def failed(self) -> int:
        return self.dropped + sum(n for status, n in self.statuses.items() if not 200 <= status < 300)

    @property
    def mean_bytes(self) -> float:
        return self.body_bytes / max(1, self.answers)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    def ms(self, percent: float) -> float:
        """A percentile of the latencies, in milliseconds."""
        return float(np.percentile(self.latencies, percent)) * 1e3 if self.latencies else float("nan")


def request(path: str, token: str = "", *, method: str = "GET", body: bytes = b"") -> bytes:
    """A request as bytes, with the headers that a client of a browser's kind sends."""
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\nuser-agent: bench\r\n"
    if token:
        head += f"authorization: Bearer {token}\r\n"
    if body:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class _Connection(asyncio.Protocol):
    def __init__(self, load: "_Load") -> None:
        self._load = load
        self.transport: asyncio.Transport | None = None
        self._due, self._parts, self._missing, self._status = 0.0, list[bytes](), -1, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, data: bytes, due: float) -> None:
        self._due, self._missing = due, -1
        assert self.transport is not None
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            if self._parts:
                self._parts.append(data)
                data = b"".join(self._parts)
                self._parts.clear()
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._parts.append(data)
                return
            head = data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._status = int(head[9:12])
            self._load.report.body_bytes += length
            self._missing = length - (len(data) - end - 4)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._load.answered(self, self._status, time.perf_counter() - self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self)


class _Load:
    """One run."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.report, self.requests, self._at = Report(), requests, 0
        self.connections = list[_Connection]()
        self.on_free: Callable[[_Connection], None] = lambda connection: None
        self.ending = False

    async def connect(self, address: tuple[str, int], count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, connection = await loop.create_connection(lambda: _Connection(self), *address)
            self.connections.append(connection)

    def next(self) -> bytes:
        data = self.requests[self._at % len(self.requests)]
        self._at += 1
        return data

    def answered(self, connection: _Connection, status: int, latency: float) -> None:
        self.report.latencies.append(latency)
        self.report.statuses[status] = self.report.statuses.get(status, 0) + 1
        self.on_free(connection)

    def lost(self, connection: _Connection) -> None:
        if not self.ending:
            self.report.dropped += 1

    def close(self) -> None:
        self.ending = True
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.close()


async def closed_loop(
    address: tuple[str, int],
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float = 0.0,
    count: int = 0,
) -> Report:
    """Ask all the time on each connection, the requests in turn, for some seconds or `count` requests."""
    load = _Load(requests)
    await load.connect(address, connections)
    done, asked, flying = asyncio.Event(), 0, 0
    begun = time.perf_counter()

    def ask(connection: _Connection) -> None:
        nonlocal asked, flying
        now = time.perf_counter()
        if (count and asked >= count) or (seconds and now - begun >= seconds):
            flying -= 1
            if not flying:
                done.set()
            return
        asked += 1
        connection.ask(load.next(), now)

    load.on_free = ask
    flying = len(load.connections)
    for connection in load.connections:
        ask(connection)
    limit_s = seconds + 30 if seconds else 600
    try:
        async with asyncio.timeout(limit_s):
            await done.wait()
    except TimeoutError:
        load.report.dropped += flying
    load.report.seconds = time.perf_counter() - begun
    load.close()
    return load.report


async def open_loop(
    address: tuple[str, int], requests: Sequence[bytes], *, rate: float, seconds: float, connections: int = 64
) -> Report:
    """Send at `rate` a second. A request that finds no free connection waits for one; its latency counts from when it
    was due."""
    load = _Load(requests)
    await load.connect(address, connections)
    free, waiting = deque(load.connections), deque[float]()

    def now_free(connection: _Connection) -> None:
        if waiting:
            connection.ask(load.next(), waiting.popleft())
        else:
            free.append(connection)

    load.on_free = now_free
    begun, sent = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begun) < seconds:
        due = int(elapsed * rate)
        while sent < due:
            at = begun + (sent + 1) / rate
            if free:
                free.popleft().ask(load.next(), at)
            else:
                waiting.append(at)
            sent += 1
        await asyncio.sleep(TICK_S)
    await _until(lambda: len(free) == len(load.connections))
    load.report.dropped += len(load.connections) - len(free) + len(waiting)
    load.report.seconds = time.perf_counter() - begun
    load.close()
    return load.report


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(int(_LAST_ANSWERS_S / TICK_S)):
        if holds():
            return
        await asyncio.sleep(TICK_S)
