"""Our messages as RabbitMQ keeps them, and the notes of what is out.

Box: queue. A record is a fixed head, the reason of a parked one, the body. Its number orders it among others and names
this copy: a message that is tried again later gets a new one.
"""

import struct
import time
from collections.abc import Iterable

import msgspec

from townsquare.model.errors import Invalid
from townsquare.queue.port import Message

_HEAD = struct.Struct(">BBHqqQqqHH")
_VERSION = 1
_MOST_REASON_BYTES = 4000
_MOST_COUNT = 0xFFFF
_NOTE_HEAD = struct.Struct(">BQ")
_NOTED = struct.Struct(">QBH")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A message with what we have to know of it."""

    message: Message
    number: int
    put_ms: int
    at_ms: int = 0  # when it is due, or was parked
    tries: int = 0  # that are over
    cuts: int = 0
    again: bool = False  # was given before, and is not a repeat of a put
    reason: str = ""


class Numbers:
    """Numbers that grow, those of other processes too as far as clocks agree."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """Another number."""
        self._last = max(self._last + 1, time.time_ns())
        return self._last


def pack(record: Record) -> bytes:
    """As it goes over the wire."""
    message = record.message
    reason = record.reason.encode(errors="replace")[:_MOST_REASON_BYTES]
    head = _HEAD.pack(
        _VERSION,
        record.again,
        len(reason),
        message.key,
        message.id,
        record.number,
        record.put_ms,
        record.at_ms,
        min(record.tries, _MOST_COUNT),
        min(record.cuts, _MOST_COUNT),
    )
    return head + reason + message.body


def unpack(lane: str, data: bytes) -> Record:
    """Read it. Raises: Invalid for what is none of ours."""
    if len(data) < _HEAD.size or data[0] != _VERSION:
        raise Invalid("A message in RabbitMQ is none of ours")
    _, again, length, key, message_id, number, put_ms, at_ms, tries, cuts = _HEAD.unpack_from(data)
    at = _HEAD.size
    return Record(
        message=Message(lane=lane, key=key, id=message_id, body=data[at + length :]),
        number=number,
        put_ms=put_ms,
        at_ms=at_ms,
        tries=tries,
        cuts=cuts,
        again=again != 0,
        reason=data[at : at + length].decode(errors="replace") if length else "",
    )


def pack_note(consumer: int, noted: Iterable[tuple[int, bool, int]]) -> bytes:
    """What a consumer has of a partition: the record's number, whether it is out, its cuts so far."""
    return _NOTE_HEAD.pack(_VERSION, consumer) + b"".join([_NOTED.pack(*one) for one in noted])


def cuts_of(note: bytes, reader: int) -> dict[int, int]:
    """The cuts by number of record, as whoever holds the partition after the note's writer must count them."""
    if len(note) < _NOTE_HEAD.size or note[0] != _VERSION:
        return {}
    died = _NOTE_HEAD.unpack_from(note)[1] != reader
    found = dict[int, int]()
    for number, out, cuts in _NOTED.iter_unpack(note[_NOTE_HEAD.size :]):
        now = min(cuts + 1, _MOST_COUNT) if died and out else cuts
        if now:
            found[number] = now
    return found
