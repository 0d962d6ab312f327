"""Which of the processes that share a listening socket takes a connection: the one that holds the fewest.

The kernel wakes all of them and the first to run wins, which on a quiet machine is nearly always the same one; a burst
may then lie in one process while another has nothing to do. So each keeps in shared memory how many connections it
holds, and who is ahead of another leaves the next one to it, unless that one does not come soon.

Box: web.
"""

import asyncio
import logging
import mmap
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

_LOOK_EVERY_S = 0.001
# Looks at a connection that waits for the process whose turn it is: one may hang, or be about to be replaced. Not a
# time, as who was held up himself knows nothing of the others.
_PATIENCE = 50
_AT_ONCE = 16  # connections in a turn of the loop, so that those which are there are served meanwhile
_SLACK, _SLACK_PART = 2, 32  # so many, and one in so many, may one be ahead: each change of hands takes a moment
_NO_ROOM_S = 1.0  # pause after an error such as too many open files
_HELD, _TAKEN, _CELLS = 0, 1, 2

log = logging.getLogger(__name__)


class Seat:
    """What one process tells the others, and what it sees of them."""

    def __init__(self, cells: memoryview, number: int) -> None:
        self._cells, self._at = cells, number * _CELLS
        self._others = [at for at in range(0, len(cells), _CELLS) if at != self._at]

    def hold(self, count: int) -> None:
        """This process holds so many connections now."""
        self._cells[self._at + _HELD] = count

    def took(self) -> None:
        """It took one more."""
        self._cells[self._at + _TAKEN] += 1

    def leave(self) -> None:
        """It takes none any more: nobody need wait for it."""
        self._cells[self._at + _HELD] = -1

    def is_ahead(self) -> bool:
        """Whether another process should take the next connection."""
        counts = [count for at in self._others if (count := self._cells[at + _HELD]) >= 0]
        least = min(counts, default=None)
        return least is not None and self._cells[self._at + _HELD] > least + _SLACK + least // _SLACK_PART

    def taken_by_others(self) -> int:
        """Grows while the others take connections."""
        return sum(self._cells[at + _TAKEN] for at in self._others)


class Seats:
    """A place for each process, in memory that those forked afterwards share."""

    def __init__(self, count: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, max(1, count) * _CELLS * 8)).cast("q")
        for number in range(count):
            self.seat(number).leave()

    def seat(self, number: int) -> Seat:
        """The place of one process; whoever is forked anew for it takes it over."""
        return Seat(self._cells, number)


class Door(NamedTuple):
    """A listening socket, and the seat among those who take connections from it."""

    sock: socket.socket
    seat: Seat

    @classmethod
    def alone(cls, sock: socket.socket) -> "Door":
        """A socket that no other process takes from."""
        return cls(sock, Seats(1).seat(0))


class Held(set[Any]):
    """The connections of this process: a set that keeps its seat informed."""

    def __init__(self, seat: Seat) -> None:
        super().__init__()
        self._seat = seat
        self.coming = set[object]()  # sockets taken, then their protocols, that are about to be added

    def tell(self) -> None:
        """Say how many there are."""
        self._seat.hold(len(self) + len(self.coming))

    def add(self, connection: Any) -> None:
        self.coming.discard(connection)
        super().add(connection)
        self.tell()

    def discard(self, connection: Any) -> None:
        super().discard(connection)
        self.tell()


class Acceptor:
    """Takes connections from a listening socket that others take from too."""

    def __init__(self, door: Door, held: Held, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._sock, self._seat, self._held, self._protocol = door.sock, door.seat, held, protocol
        self._loop = asyncio.get_running_loop()
        self._tasks = set[asyncio.Task[None]]()
        self._timer: asyncio.TimerHandle | None = None
        self._looks, self._seen = 0, 0  # of a wait: how many are left, and what the others had taken at its beginning

    def start(self) -> None:
        """Take connections from now on."""
        self._held.tell()
        self._listen()

    async def stop(self) -> None:
        """Take what the kernel has accepted for us, then close the socket: what comes later is refused, and nothing is
        reset."""
        self._loop.remove_reader(self._sock.fileno())
        while self._take():
            pass
        if self._timer is not None:
            self._timer.cancel()
        self._seat.leave()
        self._sock.close()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _listen(self) -> None:
        self._timer = None
        self._loop.add_reader(self._sock.fileno(), self._on_news)

    def _on_news(self) -> None:
        for _ in range(_AT_ONCE):
            if self._seat.is_ahead():
                self._loop.remove_reader(self._sock.fileno())
                self._wait_anew()
                return
            if not self._take():
                return

    def _wait_anew(self) -> None:
        """Leave it to the others; the patience begins afresh."""
        self._looks, self._seen = _PATIENCE, self._seat.taken_by_others()
        self._timer = self._loop.call_later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._seat.is_ahead():
            self._listen()
        elif self._seat.taken_by_others() != self._seen:
            self._wait_anew()
        elif self._looks:
            self._looks -= 1
            self._timer = self._loop.call_later(_LOOK_EVERY_S, self._look)
        elif self._take():  # nobody came for it
            self._wait_anew()
        elif self._timer is None:
            self._listen()

    def _take(self) -> bool:
        """Take one connection; whether there was one."""
        try:
            connection, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError:
            log.exception("no connection can be taken just now")
            self._loop.remove_reader(self._sock.fileno())
            self._timer = self._loop.call_later(_NO_ROOM_S, self._listen)
            return False
        connection.setblocking(False)
        self._held.coming.add(connection)
        self._held.tell()
        self._seat.took()
        task = self._loop.create_task(self._begin(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _begin(self, connection: socket.socket) -> None:
        protocol = self._protocol()
        self._held.coming.discard(connection)
        self._held.coming.add(protocol)
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, connection)
        except OSError:  # gone already
            connection.close()
        finally:
            self._held.coming.discard(protocol)
            self._held.tell()
