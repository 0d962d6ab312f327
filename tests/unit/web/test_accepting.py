"""Processes that share a listening socket, played by acceptors of one loop: who takes a connection, who leaves it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from townsquare.web.server import accepting
from townsquare.web.server.accepting import Acceptor, Door, Held, Seats


class _Web:
    """What one process would be. Its connections say the letter of its name."""

    def __init__(self, sock: socket.socket, seats: Seats, number: int) -> None:
        door = Door(sock.dup(), seats.seat(number))
        self.held, self.letter = Held(door.seat), b"abc"[number : number + 1]
        self.closed = asyncio.Semaphore(0)  # once for each connection that ended
        self.acceptor = Acceptor(door, self.held, lambda: _Connection(self))


class _Connection(asyncio.Protocol):
    def __init__(self, web: _Web) -> None:
        self._web = web

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._web.held.add(self)
        transport.write(self._web.letter)

    def connection_lost(self, exc: Exception | None) -> None:
        self._web.held.discard(self)
        self._web.closed.release()


@pytest.fixture
async def listening() -> AsyncIterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=256)) as sock:
        sock.setblocking(False)
        yield sock


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes another's share because this machine is slow."""
    monkeypatch.setattr(accepting, "_PATIENCE", 1_000_000)


async def _connect(sock: socket.socket, count: int) -> list[asyncio.StreamWriter]:
    """So many at once, each served by somebody when this returns."""
    made = await asyncio.gather(*(asyncio.open_connection(*sock.getsockname()) for _ in range(count)))
    for reader, _ in made:
        await reader.readexactly(1)
    return [writer for _, writer in made]


async def _close(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers))


async def _until_closed(web: _Web, count: int) -> None:
    for _ in range(count):
        await web.closed.acquire()


@pytest.mark.usefixtures("patient")
async def test_a_burst_falls_to_all_in_equal_shares(listening: socket.socket) -> None:
    seats = Seats(2)
    first, second = webs = [_Web(listening, seats, number) for number in range(2)]
    for web in webs:
        web.acceptor.start()
    writers = await _connect(listening, 64)
    assert abs(len(first.held) - len(second.held)) <= 4
    await _close(writers)
    for web in webs:
        await web.acceptor.stop()


@pytest.mark.usefixtures("patient")
async def test_one_that_comes_new_gets_what_it_lacks(listening: socket.socket) -> None:
    seats = Seats(2)
    old = _Web(listening, seats, 0)
    old.acceptor.start()
    writers = await _connect(listening, 40)
    assert len(old.held) == 40
    new = _Web(listening, seats, 1)
    new.acceptor.start()
    writers += await _connect(listening, 30)
    assert (len(old.held), len(new.held)) == (40, 30)
    writers += await _connect(listening, 30)
    assert abs(len(old.held) - len(new.held)) <= 4
    await _close(writers)
    for web in (old, new):
        await web.acceptor.stop()


async def test_one_that_hangs_keeps_nobody_waiting_for_good(listening: socket.socket) -> None:
    seats = Seats(2)
    seats.seat(1).hold(0)  # it holds none, and takes none
    web = _Web(listening, seats, 0)
    web.acceptor.start()
    writers = await _connect(listening, 5)
    assert len(web.held) == 5
    await _close(writers)
    await web.acceptor.stop()


async def test_one_that_leaves_serves_what_waits_and_is_not_waited_for(listening: socket.socket) -> None:
    seats = Seats(2)
    going, staying = _Web(listening, seats, 0), _Web(listening, seats, 1)
    going.acceptor.start()
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    await going.acceptor.stop()
    assert await reader.readexactly(1) == b"a"
    await _close([writer])
    await _until_closed(going, 1)
    staying.acceptor.start()
    await _close(await _connect(listening, 3))
    await staying.acceptor.stop()
    assert not seats.seat(1).is_ahead()


@pytest.mark.usefixtures("patient")
async def test_closed_connections_make_room_for_new_ones(listening: socket.socket) -> None:
    seats = Seats(2)
    webs = [_Web(listening, seats, number) for number in range(2)]
    webs[0].acceptor.start()
    gone = await _connect(listening, 20)
    webs[1].acceptor.start()
    writers = await _connect(listening, 20)
    assert len(webs[1].held) in range(18, 21)
    await _close(gone)
    await _until_closed(webs[0], 20)
    writers += await _connect(listening, 20)
    assert abs(len(webs[0].held) - len(webs[1].held)) <= 4
    await _close(writers)
    for web in webs:
        await web.acceptor.stop()
