"""Open streams: what an idle connection holds, and what bringing it a post costs."""

import asyncio
import time
from typing import cast

import msgspec

from bench import fill
from bench.fill import secret_of
from bench.goals import Goal, Result, Run
from bench.load import closed_loop, request
from bench.server import server
from townsquare.boot import open_ports
from townsquare.settings import Settings

CONNECTION = Goal(name="S17", what="memory for an idle stream", unit="KB", must=40, aim=15)
EVENT = Goal(name="S17", what="CPU for bringing a post to one of 5,000 streams, 1 post/s", unit="us", must=60, aim=15)

_HANDSHAKE = (
    "GET /api/v1/streaming?stream=public HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nauthorization: Bearer {}\r\n\r\n"
)
_AT_ONCE = 100
_EVENT = b'{"stream":'  # how each message of a stream begins


class _Stream(asyncio.Protocol):
    """A client that only listens; answers nothing, not even pings, within the minute that this takes."""

    def __init__(self, token: str) -> None:
        self._token, self.open = token, asyncio.Event()
        self.events, self.last_s = 0, 0.0
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(_HANDSHAKE.format(self._token).encode())

    def data_received(self, data: bytes) -> None:
        if not self.open.is_set() and data.startswith(b"HTTP/1.1 101"):
            self.open.set()
        self.events += data.count(_EVENT)
        self.last_s = time.perf_counter()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


async def streams(run: Run) -> list[Result]:
    """S17: one web process and its worker; the public timeline's stream, which everybody may hear."""
    count, seconds = (200, 3) if run.quick else (5_000, 15)
    data = run.folder / "streams"
    async with open_ports(Settings(data=str(data))) as ports:
        author, *listeners = await fill.people(ports, 51)
    loop = asyncio.get_running_loop()
    with server(data, web=1, workers=1, test_mode=True) as running:
        warm = await _open(loop, running.address, [secret_of(each) for each in listeners[:50]])
        before = running.memory()
        tokens = [secret_of(listeners[n % len(listeners)]) for n in range(count)]
        opened = [
            each
            for n in range(0, count, _AT_ONCE)
            for each in await _open(loop, running.address, tokens[n : n + _AT_ONCE])
        ]
        await asyncio.sleep(1)
        held = (running.memory().pss_bytes - before.pss_bytes) / count
        idle = running.cpu_s()
        await asyncio.sleep(seconds)
        idle = running.cpu_s() - idle
        used, delays = running.cpu_s(), list[float]()
        for n in range(seconds):
            begun = time.perf_counter()
            body = msgspec.json.encode({"status": f"News {n}", "visibility": "public"})
            asked = request("/api/v1/statuses", secret_of(author), method="POST", body=body)
            report = await closed_loop(running.address, [asked], connections=1, count=1)
            if report.failed:
                raise RuntimeError("a post failed")
            await asyncio.sleep(max(0.0, begun + 1 - time.perf_counter()))
            delays += [each.last_s - begun for each in opened]
        used = running.cpu_s() - used - idle
        events = sum(each.events for each in opened + warm)
        lost = sum(each.lost for each in opened)
        for each in opened + warm:
            each.transport.close()
    wanted = (count + len(warm)) * seconds
    delays.sort()
    p99_ms = delays[len(delays) * 99 // 100] * 1e3
    note = (
        f"{events:,} of {wanted:,} events came, {lost} streams were lost; p99 {p99_ms:.0f}"
        f" ms from the post; {idle / seconds:.1%} of a core with nothing posted"
    )
    if events < wanted:
        raise RuntimeError(note)
    return [
        Result(goal=CONNECTION, value=held / 1024, note=f"{count:,} WebSockets, PSS of the set"),
        Result(goal=EVENT, value=used / events * 1e6, note=note),
    ]


async def _open(loop: asyncio.AbstractEventLoop, address: tuple[str, int], tokens: list[str]) -> list[_Stream]:
    made = await asyncio.gather(
        *[loop.create_connection(lambda token=token: _Stream(token), *address) for token in tokens]  # type: ignore[misc]
    )
    found = [stream for _, stream in made]
    async with asyncio.timeout(60):
        await asyncio.gather(*[stream.open.wait() for stream in found])
    return found
