"""The bus over Unix sockets: several members, in one process and in several.

Suite: streaming.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from townsquare.streaming.links import MAX_UNSENT_BYTES
from townsquare.streaming.local import LocalStreaming

DEADLINE_S = 10

Join = Callable[[], Awaitable["Member"]]


class Member:
    """A bus whose messages and gaps can be waited for."""

    def __init__(self, folder: Path) -> None:
        self.bus = LocalStreaming(folder)
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.gaps: asyncio.Queue[None] = asyncio.Queue()
        self.bus.listen("t", lambda _, payload: self.heard.put_nowait(payload))
        self.bus.on_gap(lambda: self.gaps.put_nowait(None))

    async def next(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.heard.get()

    async def gap(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.gaps.get()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "bus"
    path.mkdir(mode=0o700)
    return path


def sockets(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.fixture
async def join(folder: Path) -> AsyncIterator[Join]:
    members: list[Member] = []

    async def joined() -> Member:
        member = Member(folder)
        await member.bus.start()
        members.append(member)
        return member

    yield joined
    for member in members:
        await member.bus.close()


async def test_messages_reach_all_members_in_order(join: Join) -> None:
    ann, ben, cid = await join(), await join(), await join()
    sent = [str(n).encode() for n in range(500)]
    for payload in sent:
        ann.bus.publish("t", payload)
    for member in (ann, ben, cid):
        assert [await member.next() for _ in sent] == sent


async def test_a_newcomer_is_in_the_mesh_both_ways_when_start_returns(join: Join) -> None:
    ann = await join()
    ben = await join()
    ann.bus.publish("t", b"from ann")
    assert await ben.next() == b"from ann"
    ben.bus.publish("t", b"from ben")
    assert [await ann.next(), await ann.next()] == [b"from ann", b"from ben"]
    assert ann.gaps.empty()
    assert ben.gaps.empty()


async def test_members_that_start_at_the_same_time_find_each_other(join: Join) -> None:
    members = await asyncio.gather(*(join() for _ in range(5)))
    for n, member in enumerate(members):
        member.bus.publish("t", str(n).encode())
    for member in members:
        assert {await member.next() for _ in members} == {b"0", b"1", b"2", b"3", b"4"}
        assert member.heard.empty()
        assert member.gaps.empty()


async def test_one_who_leaves_has_sent_all_and_is_no_gap(join: Join, folder: Path) -> None:
    ann, ben, cid = await join(), await join(), await join()
    ben.bus.publish("t", b"last words")
    await ben.bus.close()
    assert await ann.next() == b"last words"
    cid.bus.publish("t", b"after")
    assert await ann.next() == b"after"
    assert ann.gaps.empty()
    assert len(sockets(folder)) == 2


async def test_a_folder_with_a_long_path_works(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "bus"
    ann, ben = Member(folder), Member(folder)
    await ann.bus.start()
    await ben.bus.start()
    ben.bus.publish("t", b"x")
    assert await ann.next() == b"x"
    await ann.bus.close()
    await ben.bus.close()


async def test_dead_and_foreign_sockets_are_no_obstacle(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "1-ab.sock"))
    (folder / "notes.sock").write_text("not ours")
    ann = Member(folder)
    await ann.bus.start()
    assert not (folder / "1-ab.sock").exists()
    assert (folder / "notes.sock").exists()
    await ann.bus.close()


async def test_noise_on_the_socket_ends_that_link_alone(join: Join, folder: Path) -> None:
    ann, ben = await join(), await join()
    for path in sockets(folder):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"\xff" * 1000)
        assert await reader.read() == b""
        writer.close()
    ben.bus.publish("t", b"still here")
    assert await ann.next() == b"still here"


@pytest.mark.slow
async def test_a_stopped_peer_does_not_hold_up_a_newcomer(join: Join, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(folder / "1-ab.sock"))
        stopped.listen()
        async with asyncio.timeout(DEADLINE_S):
            ann = await join()
        ann.bus.publish("t", b"x")
        assert await ann.next() == b"x"


PEER = """
import asyncio, sys
from pathlib import Path
from townsquare.streaming.local import LocalStreaming

async def main():
    bus = LocalStreaming(Path(sys.argv[1]))
    def echo(topic, payload):
        if payload.startswith(b"echo "):
            bus.publish("t", payload[5:])
    bus.listen("t", echo)
    bus.on_gap(lambda: bus.publish("t", b"peer saw a gap"))
    await bus.start()
    bus.publish("t", b"here")
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def peer(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PEER, str(folder), env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.slow
async def test_two_processes_talk(join: Join, folder: Path) -> None:
    ann = await join()
    async with peer(folder):
        assert await ann.next() == b"here"
        for n in range(200):
            ann.bus.publish("t", b"echo %d" % n)
        answers = [await ann.next() for _ in range(400)]
        assert [a for a in answers if not a.startswith(b"echo")] == [b"%d" % n for n in range(200)]
        assert ann.gaps.empty()


@pytest.mark.slow
async def test_a_killed_peer_is_a_gap_and_its_socket_goes(join: Join, folder: Path) -> None:
    ann = await join()
    async with peer(folder) as process:
        assert await ann.next() == b"here"
        process.kill()
        await ann.gap()
    ben = await join()
    assert len(sockets(folder)) == 2
    async with peer(folder):
        assert await ann.next() == b"here"
        assert await ben.next() == b"here"
        assert ann.gaps.empty()


@pytest.mark.slow
async def test_a_peer_that_does_not_read_is_cut_off_and_finds_a_gap(join: Join, folder: Path) -> None:
    ann = await join()
    async with peer(folder) as process:
        assert await ann.next() == b"here"
        os.kill(process.pid, signal.SIGSTOP)
        block = b"x" * 64 * 1024
        for _ in range(2 * MAX_UNSENT_BYTES // len(block)):
            ann.bus.publish("t", block)
            assert await ann.next() == block
        os.kill(process.pid, signal.SIGCONT)
        # One gap when the link broke, one when it stands again: what is sent after the last one arrives.
        while (heard := await ann.next()) != b"again":
            if heard == b"peer saw a gap":
                ann.bus.publish("t", b"echo again")
