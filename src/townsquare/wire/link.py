"""One connection to a server: requests of one turn of the loop go out as one write, answers come back in order.

Box: wire.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from townsquare.model.errors import Unavailable

Argument = bytes | str | int
_ANSWER_WITHIN_S = 2.0
_LOOK_EVERY_S = 0.5
_MAX_UNSENT_BYTES = 64 * 1024 * 1024


class BadAnswer(Exception):
    """The server speaks something else."""


class Speech(Protocol):
    """What is spoken on one connection."""

    name: str  # of the server, for people

    def pack(self, command: Sequence[Argument]) -> bytes:
        """A command as it goes over the wire."""

    def feed(self, data: bytes) -> None:
        """Take what came."""

    def gets(self) -> Any:
        """The next whole answer; False where there is none yet. Raises: BadAnswer."""

    def is_push(self, answer: Any) -> bool:
        """Whether it came without having been asked for."""


class _Asked:
    """A future and the answers that it still waits for."""

    __slots__ = ("answers", "count", "future")

    def __init__(self, future: "asyncio.Future[list[Any]]", count: int) -> None:
        self.future, self.count = future, count
        self.answers: list[Any] = []


class Link(asyncio.Protocol):
    """A connection. It ends itself where an answer takes too long; then all who wait are told `Unavailable`."""

    def __init__(
        self, speech: Speech, *, pushed: Callable[[Any], None] | None = None, lost: Callable[[], None]
    ) -> None:
        """`pushed` hears what comes without having been asked for, `lost` once that the connection is no more."""
        self._pushed, self._lost = pushed, lost
        self._loop = asyncio.get_running_loop()
        self._speech, self._pack = speech, speech.pack
        self._transport: asyncio.Transport | None = None
        self._asked: deque[_Asked] = deque()
        self._unsent: list[bytes] = []
        self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.up = False
        self.epoch = b""  # another one after each start of the server: what it held before may be back, and old

    def ask(self, *commands: Sequence[Argument]) -> "asyncio.Future[list[Any]]":
        """Send the commands in one piece; their answers in order, also those that are errors.

        The future raises `Unavailable` where the connection ends first: the commands may have been carried out.
        """
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        if not self.up or self._transport is None:
            future.set_exception(Unavailable(f"{self._speech.name} does not answer"))
            future.exception()  # seen: whoever does not wait for it does not miss anything
            return future
        if not self._asked:
            self._heard_at = self._loop.time()
        self._asked.append(_Asked(future, len(commands)))
        if not self._unsent:
            self._loop.call_soon(self._flush)
        for command in commands:
            self._unsent.append(self._pack(command))
        return future

    def tell(self, command: Sequence[Argument]) -> None:
        """Send a command that is not answered, but with pushes."""
        if self.up:
            if not self._unsent:
                self._loop.call_soon(self._flush)
            self._unsent.append(self._pack(command))

    def close(self) -> None:
        """Send what was asked, and end."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.up = cast(asyncio.Transport, transport), True  # uvloop's is of no class of asyncio's
        self._look()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        speech, asked = self._speech, self._asked
        speech.feed(data)
        try:
            while (answer := speech.gets()) is not False:
                if speech.is_push(answer):
                    if self._pushed is not None:
                        self._pushed(answer)
                    continue
                first = asked[0]
                first.answers.append(answer)
                if len(first.answers) == first.count:
                    asked.popleft()
                    if not first.future.done():
                        first.future.set_result(first.answers)
        except (BadAnswer, IndexError):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.up = False
        if self._timer is not None:
            self._timer.cancel()
        asked, self._asked = self._asked, deque()
        for one in asked:
            if not one.future.done():
                one.future.set_exception(Unavailable(f"{self._speech.name} does not answer"))
                one.future.exception()
        self._unsent.clear()
        self._lost()

    def _flush(self) -> None:
        if self._unsent and self._transport is not None and self.up:
            self._transport.write(b"".join(self._unsent))
            if self._transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
                self.abort()
        self._unsent.clear()

    def _look(self) -> None:
        """One look from time to time at the oldest request is far cheaper than a timer for each."""
        if self._asked and self._loop.time() - self._heard_at > _ANSWER_WITHIN_S:
            self.abort()
            return
        self._timer = self._loop.call_later(_LOOK_EVERY_S, self._look)
