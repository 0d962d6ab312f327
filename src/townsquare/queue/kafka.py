"""The queue in Apache Kafka, for many machines: a topic for each lane, one group of workers, offsets committed after
the effect.

A message is accepted when all replicas in sync have it. A repeat of an id is known by the consumer of its partition.

Box: queue. Source: docs/decisions/0010-kafka-and-its-client.md.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress

from confluent_kafka import KafkaException

from townsquare.kit.clock import Clock
from townsquare.model.errors import Unavailable
from townsquare.model.findings import Finding
from townsquare.queue.kafka_address import Address, read_url, translated
from townsquare.queue.kafka_admin import Admin, Facts
from townsquare.queue.kafka_consumer import KafkaConsumer
from townsquare.queue.kafka_examine import examine
from townsquare.queue.kafka_looker import Looker, ParkedView, Seen
from townsquare.queue.kafka_partition import REMEMBER, unfinished
from townsquare.queue.kafka_reader import Place, Reader
from townsquare.queue.kafka_records import (
    Envelope,
    Names,
    ParkedRecord,
    decode,
    encode,
    encode_parked,
    parked_key,
    partition_of,
)
from townsquare.queue.kafka_sender import Record, Sender
from townsquare.queue.port import Consumer, LaneDepth, Message, Parked
from townsquare.queue.shares import check

log = logging.getLogger(__name__)
_TRIM_S = 60.0


class KafkaQueue:
    """Queue, over topics of one prefix. Use from one event loop; made by `open`."""

    def __init__(self, address: Address, *, clock: Clock) -> None:
        self.clock, self.names = clock, Names(address.prefix)
        self._address = address
        self._admin, self._sender = Admin(address, self.names), Sender(address)
        self._looker = Looker(address, self.names)
        self._view = ParkedView(self._looker, self.names)
        self._viewing = asyncio.Lock()
        self._consumers = set[KafkaConsumer]()
        self._trimmer: asyncio.Task[None] | None = None
        self._last_stamp = 0

    @classmethod
    async def open(cls, url: str, lanes: Sequence[str] = (), *, clock: Clock) -> "KafkaQueue":
        """Connect, and make the topics of these lanes that are missing; those of others are made when first needed.

        `url`: see `read_url`. Raises: Unavailable; ValueError where the URL or the log-in is not right.
        """
        queue = cls(read_url(url), clock=clock)
        await queue._admin.make(lanes)
        return queue

    async def put(self, messages: Sequence[Message]) -> None:
        check(messages)
        now_ms = self.clock.now_ms()
        await self.send([Envelope(message=message, put_ms=now_ms) for message in messages])

    async def sync(self) -> None:
        """What was accepted lies with all replicas in sync; they sync their disks in their own time."""

    def consume(self, lanes: Sequence[str], *, lease_s: float = 30.0) -> Consumer:
        """`lease_s` is the broker's to say: group.consumer.session.timeout.ms."""
        consumer = KafkaConsumer(lanes, home=self)
        self._consumers.add(consumer)
        if self._trimmer is None:
            self._trimmer = asyncio.get_running_loop().create_task(self._trim_for_ever(), name="kafka trimmer")
        return consumer

    async def depths(self) -> list[LaneDepth]:
        topics = await self._admin.look()
        places = [(topic, number) for topic, count in topics.items() for number in range(count)]
        ends, committed = await self._admin.ends(places), await self._looker.committed(places)
        parked = await self._parked_counts(ends)
        waiting = dict.fromkeys(filter(None, map(self.names.lane_of, topics)), 0)
        firsts = dict[Place, range]()
        for place, end in ends.items():
            lane, known = self.names.lane_of(place[0]), committed.get(place)
            if lane is not None:
                start, text = (max(known.offset, 0), known.metadata or "") if known is not None else (0, "")
                count, first = unfinished(text, start=start, end=end)
                waiting[lane] += count
                firsts[place] = range(first, end) if count else range(0)
        oldest = await self._oldest(firsts)
        return [
            LaneDepth(lane=lane, waiting=count, parked=parked.get(lane, 0), oldest_ms=oldest.get(lane))
            for lane, count in sorted(waiting.items())
        ]

    async def parked(self, *, limit: int) -> list[Parked]:
        async with self._viewing:
            return [record.parked for record in await self._view.oldest(await self._parked_end(), limit)]

    async def redrive(self, lane: str, message_id: int) -> bool:
        async with self._viewing:
            record = await self._view.find(await self._parked_end(), lane, message_id)
            if record is None:
                return False
            envelope = Envelope(message=record.parked.message, put_ms=self.clock.now_ms(), turn=record.turn + 1)
            await self.send([envelope])
            await self._take_from_parked(lane, message_id)
            return True

    async def discard(self, lane: str, message_id: int) -> bool:
        async with self._viewing:
            record = await self._view.find(await self._parked_end(), lane, message_id)
            if record is not None:
                await self._take_from_parked(lane, message_id)
            return record is not None

    async def facts(self) -> Facts:
        """How safe what is accepted is. Raises: Unavailable."""
        return await self._admin.facts()

    async def examine(self) -> list[Finding]:
        """For `townsquare doctor`. Raises: Unavailable."""
        return examine(await self.facts())

    async def close(self) -> None:
        await asyncio.gather(*(consumer.close() for consumer in list(self._consumers)))
        if self._trimmer is not None:
            self._trimmer.cancel()
            with suppress(asyncio.CancelledError):
                await self._trimmer
            self._trimmer = None
        await self._sender.close()
        await self._looker.close()

    async def join(self, consumer: KafkaConsumer, lanes: Sequence[str]) -> Reader:
        """A reader of these lanes for one of our consumers."""
        await self._admin.make(lanes)
        topics = [topic for lane in lanes for topic in (self.names.lane(lane), self.names.retry(lane))]
        try:
            return Reader(self._address, self.names.group, topics, consumer)
        except KafkaException as exc:
            raise translated(exc) from exc

    def part(self, consumer: KafkaConsumer) -> None:
        """Forget a consumer: it was closed."""
        self._consumers.discard(consumer)

    async def send(self, envelopes: Sequence[Envelope], *, later: bool = False) -> None:
        """Have the messages kept, in their lanes or for `later`. Raises: Unavailable."""
        name = self.names.retry if later else self.names.lane
        topics = {envelope.message.lane: name(envelope.message.lane) for envelope in envelopes}
        if not all(map(self._admin.partitions, topics.values())):
            await self._admin.make(topics)
        records = []
        for envelope in envelopes:
            key, topic = envelope.message.key, topics[envelope.message.lane]
            partition = partition_of(key, self._admin.partitions(topic) or 1)
            value = encode(envelope, stamp=self._stamp())
            records.append(Record(topic, partition, b"%d" % key, value))
        await self._sender.send(records)

    async def send_parked(self, record: ParkedRecord) -> None:
        """Have it kept among the parked. Raises: Unavailable."""
        await self._admin.make(())
        key = parked_key(record.lane, record.id)
        await self._sender.send([Record(self.names.parked, 0, key, encode_parked(record))])

    def _stamp(self) -> int:
        self._last_stamp = max(time.time_ns(), self._last_stamp + 1)
        return self._last_stamp

    async def _take_from_parked(self, lane: str, message_id: int) -> None:
        await self._sender.send([Record(self.names.parked, 0, parked_key(lane, message_id), None)])

    async def _parked_end(self) -> int:
        await self._admin.make(())
        place = (self.names.parked, 0)
        return (await self._admin.ends([place]))[place]

    async def _parked_counts(self, ends: dict[Place, int]) -> dict[str, int]:
        async with self._viewing:
            return await self._view.counts(ends.get((self.names.parked, 0), 0))

    async def _oldest(self, firsts: dict[Place, range]) -> dict[str, int]:
        """When the first unfinished message was put, by lane."""
        oldest = dict[str, int]()

        def of(place: Place) -> Seen:
            lane = self.names.lane_of(place[0]) or ""

            def see(_offset: int, _key: bytes, value: bytes | None) -> None:
                with suppress(ValueError):
                    put_ms = decode(lane, value or b"").put_ms
                    oldest[lane] = min(oldest.get(lane, put_ms), put_ms)

            return see

        await self._looker.look(firsts, of, first_only=True)
        return oldest

    async def trim(self) -> None:
        """Let Kafka forget what is finished of ours, but for the ids that a successor wants to know.

        Raises: Unavailable.
        """
        held = [place for consumer in self._consumers for place in consumer.trimmable().items()]
        await self._admin.trim({place: start - REMEMBER for place, start in held})

    async def _trim_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_TRIM_S)
            try:
                await self.trim()
            except (Unavailable, ValueError) as exc:
                log.warning("what is done cannot be trimmed from Kafka just now: %s", exc)
