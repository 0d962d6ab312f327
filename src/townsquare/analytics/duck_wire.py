"""What the processes that share a file of facts say to its owner, over a Unix socket.

Box: analytics. Wire: u32 length of what follows (little endian), then msgpack: the number of a call and the call, or
that number, what went wrong (or null) and the answer.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, cast

import msgspec

from townsquare.analytics.port import Question
from townsquare.model.errors import Invalid, TownsquareError, Unavailable
from townsquare.model.facts import Fact

_LENGTH = struct.Struct("<I")
_MOST_BYTES = 256 * 1024 * 1024


class Put(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Add facts to a place."""

    place: int
    count: int
    facts: msgspec.Raw  # see `packed`


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answer questions."""

    place: int
    questions: list[Question]


class Cover(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """From when to when."""

    place: int


class Erase(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Forget whom these name."""

    ids: list[int]


class Expire(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Forget what is too old."""

    kinds: list[str]
    before_ms: int


class Renew(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Make an empty place beside, or give the one that is there."""

    go_on: bool


class Adopt(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Make a place the one that everybody asks."""

    place: int
    kinds: list[str]
    since_ms: int


class Copy(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Write all facts into a file beside."""


Call = Put | Ask | Cover | Erase | Expire | Renew | Adopt | Copy
Answers = Callable[[Call], Awaitable[Any]]


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A call on the wire."""

    number: int
    call: Call


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """An answer on the wire. `fault`: what went wrong, and whether the call itself was wrong."""

    number: int
    fault: tuple[str, bool] | None
    answer: msgspec.Raw


class LinkLost(Exception):
    """The owner went away before it answered."""


_encode = msgspec.msgpack.Encoder().encode
_asked = msgspec.msgpack.Decoder(Asked).decode
_answered = msgspec.msgpack.Decoder(Answered).decode
_rows = msgspec.msgpack.Decoder(list[list[int | str]]).decode


def packed(facts: Sequence[Fact]) -> msgspec.Raw:
    """Facts for a `Put`.

    Raises: Invalid for what no column holds.
    """
    try:
        return msgspec.Raw(_encode(facts))
    except (UnicodeError, OverflowError) as exc:
        raise Invalid("A fact holds what cannot be kept") from exc


def unpacked(facts: msgspec.Raw) -> list[list[int | str]]:
    """The fields of each fact, in their order."""
    rows: list[list[int | str]] = _rows(facts)
    return rows


class _Frames(asyncio.Protocol):
    """Cuts what comes into frames; bytes that are not ours end the connection."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._rest = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._rest += data
        try:
            for frame in self._frames():
                self.heard(frame)
        except (msgspec.DecodeError, ValueError):
            self.end()

    def _frames(self) -> Iterator[bytes]:
        while len(self._rest) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._rest)
            if length > _MOST_BYTES:
                raise ValueError(f"a frame of {length} bytes")
            end = _LENGTH.size + length
            if len(self._rest) < end:
                return
            frame = bytes(memoryview(self._rest)[_LENGTH.size : end])
            del self._rest[:end]
            yield frame

    def heard(self, frame: bytes) -> None:
        raise NotImplementedError

    def say(self, said: Asked | Answered) -> None:
        if self.transport is not None and not self.transport.is_closing():
            frame = _encode(said)
            self.transport.write(_LENGTH.pack(len(frame)) + frame)

    def end(self) -> None:
        if self.transport is not None:
            self.transport.close()


class Served(_Frames):
    """The owner's end: each call is answered when it is done, in any order."""

    def __init__(self, answers: Answers, served: "set[Served]") -> None:
        super().__init__()
        self._answers, self._served = answers, served
        self.tasks = set[asyncio.Task[None]]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._served.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._served.discard(self)

    def heard(self, frame: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(_asked(frame)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, asked: Asked) -> None:
        try:
            answer, fault = await self._answers(asked.call), None
        except LinkLost:
            self.end()
            return
        except TownsquareError as exc:
            answer, fault = None, (str(exc), isinstance(exc, Invalid))
        self.say(Answered(asked.number, fault, msgspec.Raw(_encode(answer))))


class Link(_Frames):
    """The end of those who ask."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._last, self.lost = 0, False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(LinkLost())

    def heard(self, frame: bytes) -> None:
        answered = _answered(frame)
        future = self._waiting.get(answered.number)
        if future is None or future.done():
            return
        if answered.fault is None:
            future.set_result(answered.answer)
        else:
            about, wrong = answered.fault
            future.set_exception(Invalid(about) if wrong else Unavailable(about))

    async def ask(self, call: Call) -> msgspec.Raw:
        """The answer, in msgpack.

        Raises: LinkLost, Invalid, Unavailable.
        """
        if self.lost:
            raise LinkLost
        self._last += 1
        number = self._last
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self.say(Asked(number, call))
            answer: msgspec.Raw = await future
            return answer
        finally:
            del self._waiting[number]
