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
        self._former = dict[Place, tuple[int, Partition]]()  # lost while there was more to tell of them
        self._owner = secrets.token_hex(4)
        self._paused = set[Place]()
        self.ends = dict[Place, int]()  # where partitions ended when that was last told
        self._last, self._due, self._is_behind = 0, list[Due](), False

    def add(self, place: Place, *, start: int, text: str) -> None:
        """Hold one more."""
        holding, partition = self._former.pop(place, (0, None))
        if partition is None or not partition.is_untouched(start, text):
            self._last += 1
            holding = self._last
            partition = Partition(*place, start=start, text=text, owner=self._owner)
        self.partitions[holding], self._by_place[place] = partition, holding

    def drop(self, places: Iterable[Place]) -> None:
        """Hold them no more."""
        for place in places:
            holding = self._by_place.pop(place, 0)
            partition = self.partitions.pop(holding, None)
            if partition is not None and (partition.out or partition.changed):
                self._former[place] = holding, partition
            self._paused.discard(place)
            self.ends.pop(place, None)

    def at(self, places: Iterable[Place]) -> list[Partition]:
        """Those of these that are held."""
        return [self.partitions[self._by_place[place]] for place in places if place in self._by_place]

    def is_lane(self, partition: Partition) -> bool:
        """Whether its messages are given, and not only kept for a time."""
        return partition.topic == self._names.lane(self._names.lane_of(partition.topic) or "")

    def read(self, records: Sequence[Record]) -> None:
        """Take note of what came."""
        now_ms = self._clock.now_ms()
        for topic, number, offset, value in records:
            holding = self._by_place.get((topic, number))
            if holding is None:
                continue
            partition = self.partitions[holding]
            envelope = _envelope(self._names.lane_of(topic) or "", offset, value)
            if partition.read(offset, envelope, now_ms) and not self.is_lane(partition):
                partition.give()
                heappush(self._due, Due(envelope.due_ms, envelope.stamp, holding, offset))

    def give(self, limit: int) -> list[Given]:
        """The oldest of what was read ahead; they are out now."""
        heads = [
            (partition.buffered[0][1].stamp, holding)
            for holding, partition in self.partitions.items()
            if partition.buffered and not partition.leaving and self.is_lane(partition)
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
        """Whether something is out or read ahead. Called in any thread."""
        return any(one.out or one.buffered for one in list(self.partitions.values()))

    def has_all(self) -> bool:
        """Whether something is read ahead of each partition that has more, so that the oldest is known."""
        for partition in self.partitions.values():
            if not partition.buffered and not partition.leaving and self.is_lane(partition):
                end = self.ends.get((partition.topic, partition.number))
                if end is None or max(partition.next, partition.start) < end:
                    return False
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

    def steer(self) -> tuple[list[Place], list[Place]]:
        """What to read no more for now, and what to read on."""
        ahead = sum(len(partition.buffered) for partition in self.partitions.values())
        size = sum(partition.size for partition in self.partitions.values())
        most, most_bytes = _MOST_AHEAD, _MOST_AHEAD_BYTES
        if self._is_behind:  # it ends later than it begins
            most, most_bytes = most // 2, most_bytes // 2
        self._is_behind = ahead > most or size > most_bytes
        stop = {
            (p.topic, p.number)
            for p in self.partitions.values()
            if p.is_full or p.leaving or (self._is_behind and self.is_lane(p))
        }
        pause, resume = list(stop - self._paused), list(self._paused - stop)
        self._paused = stop
        return pause, resume


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
