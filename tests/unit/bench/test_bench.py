"""The bench measures what it says, and its pieces work. No figure is judged here: machines differ.

Suite: unit.
"""

import asyncio
from pathlib import Path
from typing import cast

from bench.goals import Better, Goal, Result, Run
from bench.load import closed_loop, open_loop, request
from bench.scenarios.hot_key import hot_key

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


class _Server(asyncio.Protocol):
    """Answers every request, in two pieces."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for piece in (ANSWER[:30], ANSWER[30:]) * data.count(b"\r\n\r\n"):
            self.transport.write(piece)


async def test_both_loops_count_every_answer() -> None:
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1")
    address = server.sockets[0].getsockname()
    closed = await closed_loop(address, [request("/")], connections=3, count=50)
    opened = await open_loop(address, [request("/", "token")], rate=200, seconds=0.2, connections=4)
    server.close()
    await server.wait_closed()
    assert (closed.answers, closed.failed, closed.statuses, closed.mean_bytes) == (50, 0, {200: 50}, 5)
    assert (opened.failed, opened.mean_bytes) == (0, 5)
    assert opened.answers > 0


async def test_a_crowd_causes_no_more_reads_than_one(tmp_path: Path) -> None:
    run = Run(folder=tmp_path, cache=tmp_path, graph=None, quick=True, full=False, say=print)
    (result,) = await hot_key(run)
    assert result.value == 1


def test_verdicts() -> None:
    less = Goal(name="S0", what="", unit="x", must=3, aim=2)
    more = Goal(name="S0", what="", unit="/s", must=10, better=Better.MORE)
    assert [Result(goal=less, value=value).verdict for value in (1.5, 2.5, 3.5)] == ["aim", "holds", "FAILS"]
    assert [Result(goal=more, value=value).verdict for value in (10, 9)] == ["holds", "FAILS"]
