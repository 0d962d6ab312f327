"""Reads pieces of topics without taking part in the work: what is parked, how long the oldest has waited.

Box: queue.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from heapq import nsmallest

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from townsquare.model.errors import Unavailable
from townsquare.queue.kafka_address import ANSWER_WITHIN_S, Address, translated
from townsquare.queue.kafka_reader import Place
from townsquare.queue.kafka_records import Names, ParkedRecord, decode_parked, parked_key

_POLL_S = 0.2
_AT_ONCE = 500
_ANEW_S = 3600.0  # the view is made anew after so long: what was taken back is known for a week only

Seen = Callable[[int, bytes, bytes | None], None]  # offset, key, value


class Looker:
    """One client, made when it is first needed. Its calls run in threads, one after the other."""

    def __init__(self, address: Address, names: Names) -> None:
        self._address, self._names = address, names
        self._client: Consumer | None = None
        self._lock = threading.Lock()

    async def look(self, spans: Mapping[Place, range], seen: Callable[[Place], Seen], *, first_only: bool) -> None:
        """Call `seen(place)` with the records of each span, in their order. Raises: Unavailable."""
        spans = {place: span for place, span in spans.items() if span}
        if spans:
            try:
                await asyncio.to_thread(self._look, spans, seen, first_only)
            except KafkaException as exc:
                raise translated(exc) from exc

    async def committed(self, places: Sequence[Place]) -> dict[Place, TopicPartition]:
        """What the workers have committed, with its text. Raises: Unavailable.

        Not by the administration's client: librdkafka 2.16 ends the process where the group is not there yet.
        """
        try:
            return await asyncio.to_thread(self._committed, places)
        except KafkaException as exc:
            raise translated(exc) from exc

    async def close(self) -> None:
        """Let go of the client."""
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
            self._client = None

    def _committed(self, places: Sequence[Place]) -> dict[Place, TopicPartition]:
        with self._lock:
            asked = [TopicPartition(*place) for place in places]
            try:
                found = self._open().committed(asked, timeout=ANSWER_WITHIN_S)
            except KafkaException as exc:
                if exc.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                    return {}
                raise
        if (error := next((one.error for one in found if one.error is not None), None)) is not None:
            raise KafkaException(error)
        return {(one.topic, one.partition): one for one in found}

    def _look(self, spans: Mapping[Place, range], seen: Callable[[Place], Seen], first_only: bool) -> None:
        with self._lock:
            client = self._open()
            client.assign([TopicPartition(*place, span.start or OFFSET_BEGINNING) for place, span in spans.items()])
            try:
                self._read(client, dict(spans), seen, first_only)
            finally:
                client.unassign()

    def _read(
        self, client: Consumer, left: dict[Place, range], seen: Callable[[Place], Seen], first_only: bool
    ) -> None:
        heard = time.monotonic()
        while left:
            messages = client.consume(_AT_ONCE, _POLL_S) if not first_only else client.consume(len(left), _POLL_S)
            for message in messages:
                heard = time.monotonic()
                place, offset, error = (
                    (message.topic() or "", message.partition() or 0),
                    message.offset(),
                    message.error(),
                )
                if place not in left:
                    continue
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        del left[place]
                    continue
                assert offset is not None
                span, key, value = left[place], message.key(), message.value()
                if offset in span:
                    seen(place)(offset, _bytes(key) or b"", _bytes(value))
                if first_only or offset + 1 >= span.stop:
                    del left[place]
            if time.monotonic() - heard > ANSWER_WITHIN_S:
                raise Unavailable("The queue does not answer just now")

    def _open(self) -> Consumer:
        if self._client is None:
            self._client = Consumer(
                self._address.client(
                    **{
                        "group.id": self._names.group,  # never joined, nor committed to
                        "enable.auto.commit": False,
                        "enable.partition.eof": True,
                        "auto.offset.reset": "earliest",
                        "queued.max.messages.kbytes": 4096,
                        "fetch.message.max.bytes": 65_536,
                        "fetch.queue.backoff.ms": 10,
                        "fetch.error.backoff.ms": 20,
                        "fetch.wait.max.ms": 50,
                    }
                )
            )
        return self._client


class ParkedView:
    """What is parked, known without its bodies and kept up to date by reading on."""

    def __init__(self, looker: Looker, names: Names) -> None:
        self._looker, self._place = looker, (names.parked, 0)
        self._live = dict[bytes, tuple[int, str, int]]()  # key -> when parked in ms, lane, offset
        self._next, self._begun_s = 0, time.monotonic()

    async def counts(self, end: int) -> dict[str, int]:
        """How many, by lane. `end`: that of the topic, now."""
        await self._read_on(end)
        counts = dict[str, int]()
        for _, lane, _ in self._live.values():
            counts[lane] = counts.get(lane, 0) + 1
        return counts

    async def oldest(self, end: int, limit: int) -> list[ParkedRecord]:
        """The oldest, with all that is known of them."""
        await self._read_on(end)
        chosen = {
            offset: at_ms for at_ms, _, offset in nsmallest(limit, self._live.values(), key=lambda v: (v[0], v[2]))
        }
        found = list[ParkedRecord]()

        def see(offset: int, _key: bytes, value: bytes | None) -> None:
            if offset in chosen and value is not None:
                found.append(decode_parked(value))

        if chosen:
            span = range(min(chosen), max(chosen) + 1)
            await self._looker.look({self._place: span}, lambda _: see, first_only=False)
        return sorted(found, key=lambda record: record.parked_ms)

    async def find(self, end: int, lane: str, message_id: int) -> ParkedRecord | None:
        """One, if it is there."""
        await self._read_on(end)
        live = self._live.get(parked_key(lane, message_id))
        found = list[ParkedRecord]()
        if live is not None:
            span = range(live[2], live[2] + 1)

            def see(_offset: int, _key: bytes, value: bytes | None) -> None:
                if value is not None:
                    found.append(decode_parked(value))

            await self._looker.look({self._place: span}, lambda _: see, first_only=True)
        return found[0] if found else None

    async def _read_on(self, end: int) -> None:
        if time.monotonic() - self._begun_s > _ANEW_S or end < self._next:
            self._live.clear()
            self._next, self._begun_s = 0, time.monotonic()
        await self._looker.look({self._place: range(self._next, end)}, lambda _: self._see, first_only=False)
        self._next = max(self._next, end)

    def _see(self, offset: int, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._live.pop(key, None)
        else:
            record = decode_parked(value)
            self._live[key] = (record.parked_ms, record.lane, offset)


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None
