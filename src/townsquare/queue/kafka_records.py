"""What stands in Kafka: our messages as values of records, and the names of topics.

Box: queue. A lane is a topic `PREFIX.lane.LANE`; what waits for a later try lies in `PREFIX.retry.LANE`; what was put
aside lies in `PREFIX.parked`, compacted, by lane and id.
"""

import struct

import msgspec

from townsquare.model.errors import Unavailable
from townsquare.queue.port import Message, Parked

_HEAD = struct.Struct(">BqqqqqHHH")  # version; key, id, put_ms, stamp, due_ms; tries, cuts, turn
_VERSION = 1
_MOST = 0xFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 0xFFFFFFFFFFFFFFFF


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way."""

    message: Message
    put_ms: int  # when it was put at first
    stamp: int = (
        0  # orders the messages of several partitions as they were put: nanoseconds of the putting process's clock
    )
    due_ms: int = 0
    tries: int = 0  # that are over
    cuts: int = 0
    turn: int = 0  # how often it was put again by ourselves: a record with an id and turn seen before is a repeat


class ParkedRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A message put aside."""

    lane: str
    key: int
    id: int
    body: bytes
    tries: int
    reason: str
    parked_ms: int
    turn: int

    @property
    def parked(self) -> Parked:
        """As the port says it."""
        message = Message(lane=self.lane, key=self.key, id=self.id, body=self.body)
        return Parked(message=message, tries=self.tries, reason=self.reason, parked_ms=self.parked_ms)


_TO_BYTES, _PARKED = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(ParkedRecord)


class Names(msgspec.Struct, frozen=True):
    """Topics of one installation."""

    prefix: str

    @property
    def group(self) -> str:
        """All workers."""
        return f"{self.prefix}.workers"

    @property
    def parked(self) -> str:
        """What was put aside."""
        return f"{self.prefix}.parked"

    def lane(self, lane: str) -> str:
        """What waits."""
        return f"{self.prefix}.lane.{lane}"

    def retry(self, lane: str) -> str:
        """What waits for a later try."""
        return f"{self.prefix}.retry.{lane}"

    def lane_of(self, topic: str) -> str | None:
        """The lane of a topic of ours; None for others."""
        for kind in ("lane", "retry"):
            start = f"{self.prefix}.{kind}."
            if topic.startswith(start):
                return topic[len(start) :]
        return None


def partition_of(key: int, partitions: int) -> int:
    """The partition of a key, from 0 to `partitions` - 1."""
    return (((key * _GOLDEN) & _WORD) * partitions) >> 64


def encode(envelope: Envelope, *, stamp: int) -> bytes:
    """The value of a record, stamped as it is sent."""
    message, turn = envelope.message, min(envelope.turn, _MOST)
    tries, cuts = min(envelope.tries, _MOST), min(envelope.cuts, _MOST)
    times = envelope.put_ms, stamp, envelope.due_ms
    return _HEAD.pack(_VERSION, message.key, message.id, *times, tries, cuts, turn) + message.body


def decode(lane: str, value: bytes) -> Envelope:
    """What `encode` made. Raises: ValueError where it is of another version."""
    if len(value) < _HEAD.size or value[0] != _VERSION:
        raise ValueError(f"A record of lane {lane} is not of this version of Townsquare")
    _, key, message_id, put_ms, stamp, due_ms, tries, cuts, turn = _HEAD.unpack_from(value)
    message = Message(lane=lane, key=key, id=message_id, body=value[_HEAD.size :])
    return Envelope(message=message, put_ms=put_ms, stamp=stamp, due_ms=due_ms, tries=tries, cuts=cuts, turn=turn)


def parked_key(lane: str, message_id: int) -> bytes:
    """The key of a parked record."""
    return f"{lane}/{message_id}".encode()


def encode_parked(record: ParkedRecord) -> bytes:
    """The value of a parked record."""
    return _TO_BYTES.encode(record)


def decode_parked(value: bytes) -> ParkedRecord:
    """What `encode_parked` made. Raises: Unavailable where another version wrote it."""
    try:
        return _PARKED.decode(value)
    except msgspec.DecodeError as exc:
        raise Unavailable("A parked message was written by another version of Townsquare") from exc
