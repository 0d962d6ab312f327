"""The queue's promise: messages by lane, in order per key, each given until it is acknowledged.

Box: queue. Engines: memory, sqlite, kafka, rabbitmq. Suite: tests/contract/queue.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Work to be done. A message with an `id` that the lane holds already is not put twice."""

    lane: str
    key: int  # messages with equal keys keep their order and are never worked on by two consumers at once
    id: int  # names the effect; handlers are idempotent by it
    body: bytes  # at most 256 KiB


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the hands of a consumer, until its lease ends."""

    message: Message
    tries: int  # 1 at the first time
    cuts: int = 0  # tries before this one that ended because the consumer died or hung
    token: bytes  # the engine's own


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A message that failed too often, kept for the operator."""

    message: Message
    tries: int
    reason: str
    parked_ms: int


class LaneDepth(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits in a lane."""

    lane: str
    waiting: int
    parked: int
    oldest_ms: int | None  # when the oldest waiting message was put


class Consumer(Protocol):
    """One process's share of some lanes. Lanes are cut into partitions by key; each has one consumer at a time."""

    async def take(self, *, limit: int, wait_s: float) -> list[Delivery]:
        """Up to `limit` messages of the partitions this consumer holds, oldest first; none after `wait_s`.

        A message is given again when its lease ends before `done`, `retry` or `park`; the lease is kept alive while
        the consumer lives.
        """

    async def done(self, deliveries: Sequence[Delivery]) -> None:
        """The effects are durable: forget the messages."""

    async def retry(self, delivery: Delivery, *, delay_s: float, counts: bool = True) -> None:
        """Give it again after `delay_s`; later messages may overtake it. This try is forgotten unless it `counts`."""

    async def park(self, delivery: Delivery, *, reason: str) -> None:
        """Put it aside for the operator; others go on."""

    async def close(self) -> None:
        """Hand back what is held; what was not done is given to others at once."""


class Queue(Protocol):
    """Messages between processes. All methods raise `Unavailable` when the engine does not answer."""

    async def put(self, messages: Sequence[Message]) -> None:
        """Accept the messages. A repeat of an id that still waits or was done shortly before changes nothing.

        Shortly is the engine's to say, and over partitions that change hands it is a good try: handlers are idempotent.
        """

    async def sync(self) -> None:
        """What was accepted before outlives a power cut when this returns. Cost: one sync of the disk."""

    def consume(self, lanes: Sequence[str], *, lease_s: float = 30.0) -> Consumer:
        """Start to take part in these lanes; partitions are shared out among all live consumers."""

    async def depths(self) -> list[LaneDepth]:
        """What waits, per lane."""

    async def parked(self, *, limit: int) -> list[Parked]:
        """Messages put aside, oldest first."""

    async def redrive(self, lane: str, message_id: int) -> bool:
        """Give a parked message again, from its first try. False where there is none."""

    async def discard(self, lane: str, message_id: int) -> bool:
        """Forget a parked message. False where there is none."""

    async def close(self) -> None:
        """Let go of files and connections."""
