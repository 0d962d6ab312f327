"""Who works on what: lanes are cut into partitions by key, and partitions are shared out evenly among consumers.

Box: queue. All engines use the same cut, so what the suite proves of one holds for the others.
"""

import zlib
from collections.abc import Collection, Sequence

from townsquare.queue.port import Message

PARTITIONS = 16
MAX_BODY_BYTES = 256 * 1024
_GOLDEN = 0x9E3779B97F4A7C15  # spreads ids whose low bits are nearly always equal
_WORD = 0xFFFFFFFFFFFFFFFF


def partition_of(key: int, partitions: int = PARTITIONS) -> int:
    """The partition of a key, from 0."""
    return (((key * _GOLDEN) & _WORD) >> 32) * partitions >> 32


def share_of(lane: str, consumer: int, consumers: Collection[int], partitions: int = PARTITIONS) -> frozenset[int]:
    """The partitions of `lane` that `consumer` should hold, given the ids of all live consumers of the lane.

    Everybody who knows the same consumers comes to the same answer, so nobody has to lead.
    """
    rank = sorted(consumers).index(consumer)
    turn = zlib.crc32(lane.encode())  # so that the odd ones of several lanes do not all fall to the same process
    return frozenset(p for p in range(partitions) if (p + turn) % len(consumers) == rank)


def check(messages: Sequence[Message]) -> None:
    """Refuse what no engine can hold. Raises: ValueError."""
    for message in messages:
        if len(message.body) > MAX_BODY_BYTES:
            raise ValueError(f"A message of lane {message.lane} has {len(message.body)} bytes; 256 KiB is the most")
        if not (-(2**63) <= message.id < 2**63 and -(2**63) <= message.key < 2**63):
            raise ValueError(f"A message of lane {message.lane} has an id or key beyond 64 bits")
