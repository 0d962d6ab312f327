"""What one consumer holds of its lanes: which messages are next, whether more is to be read, what waits for its time.

Box: queue. Memory is bounded: at most so many messages and bytes are read ahead, then reading pauses.
"""

import secrets
import struct
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

import msgspec

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.queue.kafka_partition import Partition
from townsquare.queue.kafka_reader import Place, Record
from townsquare.queue.kafka_records import Envelope, Names, decode
from townsquare.queue.port import Delivery, Message

TOKEN = struct.Struct(">qq")  # number of the holding, offset
_MOST_AHEAD, _MOST_AHEAD_BYTES = 2000, 8 << 20


class Given(msgspec.Struct, frozen=True):
    """A message that is out, and where it comes from."""

    partition: Partition
    offset: int
    delivery: Delivery


class Due(msgspec.Struct, frozen=True, order=True):
    """One that waits for a later try."""

    due_ms: int
    stamp: int
    holding: int
    offset: int


class Held:
    """Partitions by a number of their holding: one that is lost and comes again has another number, unless nobody had
    it meanwhile (Kafka was away for longer than a lease): then what is out is out still, and is not given again.
    """

    def __init__(self, names: Names, clock: Clock) -> None:
        self._names, self._clock = names, clock
        self.partitions = dict[int, Partition]()
        self._by_place = dict[Place, int]()
        self._former = dict[Place, tuple[int, Partition]]()  # lost while something was out or to tell of them
        self._owner = secrets.token_hex(4)
        self.ends = dict[Place, int]()  # where partitions ended when they were gained
        self._last, self._due = 0, list[Due]()
        self.is_full = False

    def add(self, place: Place, *, start: int, text: str) -> None:
        """Hold one more."""
        holding, partition = self._former.pop(place, (0, None))
        if partition is None or not partition.is_untouched(start, text):
            self._last += 1
            holding = self._last
            partition = Partition(*place, start=start, text=text, owner=self._owner)
            partition.lane = self._names.lane_of(place[0]) or ""
            partition.gives = place[0] == self._names.lane(partition.lane)
        partition.leaving = False
        self.partitions[holding], self._by_place[place] = partition, holding

    def drop(self, places: Iterable[Place]) -> None:
        """Hold them no more."""
        for place in places:
            holding = self._by_place.pop(place, 0)
            partition = self.partitions.pop(holding, None)
            if partition is not None and partition.is_open:
                self._former[place] = holding, partition
            self.ends.pop(place, None)

    def at(self, places: Iterable[Place]) -> list[Partition]:
        """Those of these that are held."""
        return [self.partitions[self._by_place[place]] for place in places if place in self._by_place]

    def read(self, records: Sequence[Record]) -> None:
        """Take note of what came."""
        now_ms = self._clock.now_ms()
        for topic, number, offset, value in records:
            holding = self._by_place.get((topic, number))
            if holding is None:
                continue
            partition = self.partitions[holding]
            envelope = _envelope(partition.lane, offset, value)
            if partition.read(offset, envelope, now_ms) and not partition.gives:
                partition.give()
                heappush(self._due, Due(envelope.due_ms, envelope.stamp, holding, offset))

    def give(self, limit: int) -> list[Given]:
        """The oldest of what was read ahead; they are out now."""
        heads = [
            (partition.buffered[0][1].stamp, holding)
            for holding, partition in self.partitions.items()
            if partition.buffered and not partition.leaving and partition.gives
        ]
        heapify(heads)
        found = list[Given]()
        while heads and len(found) < limit:
            _, holding = heappop(heads)
            partition = self.partitions[holding]
            found.append(_given(holding, partition))
            if partition.buffered:
                heappush(heads, (partition.buffered[0][1].stamp, holding))
        return found

    @property
    def is_busy(self) -> bool:
        """Whether something is out, read ahead or to be told. Called in any thread."""
        return any(one.out or one.buffered or one.changed for one in list(self.partitions.values()))

    def is_settled(self) -> bool:
        """Whether it is known of each partition what was there when it was gained, so that the oldest is known."""
        for partition in self.partitions.values():
            if not partition.settled and partition.gives:
                end = self.ends.get((partition.topic, partition.number))
                reached = end is not None and max(partition.next, partition.start) >= end
                if not (partition.buffered or partition.leaving or reached):
                    return False
                partition.settled = True
        return True

    def find(self, delivery: Delivery) -> tuple[Partition, int] | None:
        """Where it is out; None where it is in other hands by now."""
        holding, offset = TOKEN.unpack(delivery.token)
        partition = self.partitions.get(holding) or dict(self._former.values()).get(holding)
        return None if partition is None or offset not in partition.out else (partition, offset)

    def due(self, limit: int) -> list[tuple[Partition, int, Envelope]]:
        """Some of those whose time has come."""
        now_ms, found = self._clock.now_ms(), list[tuple[Partition, int, Envelope]]()
        while self._due and self._due[0].due_ms <= now_ms and len(found) < limit:
            one = heappop(self._due)
            partition = self.partitions.get(one.holding)
            if partition is not None and not partition.leaving and one.offset in partition.out:
                found.append((partition, one.offset, partition.out[one.offset]))
        return found

    def wait_again(self, some: Iterable[tuple[Partition, int, Envelope]]) -> None:
        """They are to be due again."""
        for partition, offset, envelope in some:
            holding = self._by_place.get((partition.topic, partition.number), 0)
            heappush(self._due, Due(envelope.due_ms, envelope.stamp, holding, offset))

    def next_due_s(self) -> float | None:
        """When the first will be due; None where none waits."""
        return max(self._due[0].due_ms - self._clock.now_ms(), 0) / 1000 if self._due else None

    def steer(self) -> frozenset[Place]:
        """What to hold back for now; `is_full` says whether to read anything."""
        ahead = sum(len(partition.buffered) for partition in self.partitions.values())
        size = sum(partition.size for partition in self.partitions.values())
        most, most_bytes = _MOST_AHEAD, _MOST_AHEAD_BYTES
        if self.is_full:  # it ends later than it begins
            most, most_bytes = most // 2, most_bytes // 2
        self.is_full = ahead > most or size > most_bytes
        return frozenset((p.topic, p.number) for p in self.partitions.values() if p.is_full or p.leaving)


def _given(holding: int, partition: Partition) -> Given:
    offset, envelope, cuts = partition.give()
    delivery = Delivery(
        message=envelope.message,
        tries=envelope.tries + cuts + 1,
        cuts=envelope.cuts + cuts,
        token=TOKEN.pack(holding, offset),
    )
    return Given(partition, offset, delivery)


def _envelope(lane: str, offset: int, value: bytes) -> Envelope:
    try:
        return decode(lane, value)
    except (ValueError, Unavailable):  # of another version: the workers park it where the operator sees it
        message = Message(lane=lane, key=0, id=-1 - offset, body=value)
        return Envelope(message=message, put_ms=0)
