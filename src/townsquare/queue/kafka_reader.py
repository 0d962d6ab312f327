"""A consumer of Kafka's in a thread of its own: it reads, and asks and tells the event loop who holds what.

Box: queue. Source: KIP-848, the group protocol of Kafka 4. The client serves one call at a time, so all calls are made
here: those that others want are jobs, done between two reads. While something is out there are jobs to come, and the
thread waits for those; else it waits for messages. The client lets a partition go as soon as its callback returns, so
the callback waits until nothing of the partition is out.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from townsquare.queue.kafka_address import ANSWER_WITHIN_S, Address
from townsquare.queue.kafka_partition import REMEMBER

log = logging.getLogger(__name__)
HAND_OVER_WITHIN_S = 120.0  # for handlers to end; less than the client's own patience
_PATIENCE_MS = 300_000  # max.poll.interval.ms: a thread that hangs for longer loses its partitions
_AT_ONCE = 500
_QUIET_S = 0.2  # a wait for messages; also the longest that a job waits when nothing is out
_BUSY_S = (0.002, 0.02)  # a wait for jobs, at first and when nothing has come for a while
_STAND_S = 1.0  # not reading for so long is said to the client
_CLOSE_WITHIN_S = 10.0
_ANEW_S = 0.5

Place = tuple[str, int]  # topic, partition
Record = tuple[str, int, int, bytes]  # topic, partition, offset, value


class Listener(Protocol):
    """Who reads. All is called in the event loop, but for `is_busy` and `is_full`."""

    def is_busy(self) -> bool:
        """Whether there are jobs to come. Called in any thread."""

    def is_full(self) -> bool:
        """Whether nothing more is to be read for now. Called in any thread."""

    def gain(self, held: Sequence[TopicPartition]) -> None:
        """These are held from now, with what was committed for them."""

    async def let_go(self, places: Sequence[Place]) -> None:
        """Give nothing more of these; return when nothing of them is out."""

    def lose(self, places: Sequence[Place]) -> None:
        """These are in other hands."""

    def hear(self, records: Sequence[Record], ends: Mapping[Place, int]) -> None:
        """What came, in its order, and where partitions ended that were gained."""


class Reader:
    """Made inside the event loop that uses it."""

    def __init__(self, address: Address, group: str, topics: Sequence[str], listener: Listener) -> None:
        self._listener, self._topics = listener, list(topics)
        self._loop = asyncio.get_running_loop()
        self._stopping, self._jobs = threading.Event(), SimpleQueue[Callable[[], None]]()
        self._places, self._unknown = set[Place](), set[Place]()  # the latter: where they end
        self._told = self._heard = 0  # deliveries; the latter is counted in the event loop
        self._paused = set[Place]()
        self._held_back: Set[Place] = frozenset()
        self._wait_s, self._standing = _BUSY_S[0], False
        self._full_since_s: float | None = None
        self._client = Consumer(
            address.client(
                **{
                    "group.id": group,
                    "group.protocol": "consumer",
                    # Each topic in even parts; "uniform" may give one consumer nothing but partitions for later.
                    "group.remote.assignor": "range",
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "earliest",
                    "max.poll.interval.ms": _PATIENCE_MS,
                    "queued.min.messages": 1000,
                    "queued.max.messages.kbytes": 8192,
                    "fetch.queue.backoff.ms": 20,
                    "fetch.error.backoff.ms": 100,
                    "fetch.message.max.bytes": 524_288,
                }
            )
        )
        self._thread = threading.Thread(target=self._run, name=f"kafka {topics[0]}", daemon=True)

    def start(self) -> None:
        """Take part."""
        self._thread.start()

    def hold_back(self, places: Set[Place]) -> None:
        """Read no more of these, and of all others, until told otherwise."""
        self._jobs.put(lambda: self._hold_back(places))

    async def commit(self, offsets: Sequence[TopicPartition]) -> None:
        """Have them kept. Raises: KafkaException."""
        done = Future[None]()
        self._jobs.put(lambda: self._commit(list(offsets), done))
        await asyncio.wrap_future(done)

    async def close(self) -> None:
        """Leave the group and end the thread."""
        self._stopping.set()
        self._jobs.put(lambda: None)
        await asyncio.to_thread(self._thread.join, _CLOSE_WITHIN_S)

    def _run(self) -> None:
        self._client.subscribe(self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        while not self._stopping.is_set():
            try:
                self._step()
            except KafkaException as exc:
                log.warning("a lane's messages cannot be read, trying again: %s", exc)
                self._stopping.wait(_ANEW_S)
        try:
            self._client.close()
        except KafkaException as exc:
            log.warning("a consumer could not take leave; its share is given to others later: %s", exc)

    def _step(self) -> None:
        if self._listener.is_full():
            self._stand_still()
            return
        self._full_since_s = None
        if self._standing:
            self._standing = False
            self._steer()
        if self._told != self._heard or self._listener.is_busy():
            self._do_jobs(self._wait_s)
            self._hear(self._client.consume(_AT_ONCE, 0))
        else:
            self._do_jobs(0)
            first = self._client.poll(_QUIET_S)
            self._hear([] if first is None else [first, *self._client.consume(_AT_ONCE, 0)])

    def _stand_still(self) -> None:
        """Take nothing. When that lasts, say so to the client, so that others' wishes for our share come through."""
        self._do_jobs(_BUSY_S[1])
        self._full_since_s = self._full_since_s or time.monotonic()
        if time.monotonic() - self._full_since_s > _STAND_S:
            if not self._standing:
                self._standing = True
                self._steer()
            self._hear(self._client.consume(_AT_ONCE, 0))

    def _hear(self, messages: Sequence[Message]) -> None:
        self._tell([record for one in messages if (record := _record(one)) is not None])
        least_s, most_s = _BUSY_S
        self._wait_s = least_s if messages else min(self._wait_s * 1.3, most_s)

    def _do_jobs(self, wait_s: float) -> None:
        """Do what is asked for; wait for the first."""
        try:
            job = self._jobs.get(timeout=wait_s) if wait_s else self._jobs.get_nowait()
            while True:
                job()
                self._wait_s = _BUSY_S[0]
                job = self._jobs.get_nowait()
        except Empty:
            return

    def _tell(self, records: list[Record]) -> None:
        ends = {place: end for place in self._unknown if (end := self._end_of(place)) >= 0}
        self._unknown.difference_update(ends)
        if records or ends:
            self._told += 1
            self._call(self._deliver, records, ends)

    def _deliver(self, records: list[Record], ends: dict[Place, int]) -> None:
        self._listener.hear(records, ends)
        self._heard += 1

    def _end_of(self, place: Place) -> int:
        marks = self._client.get_watermark_offsets(TopicPartition(*place), cached=True)
        return marks[1] if marks is not None else -1

    def _hold_back(self, places: Set[Place]) -> None:
        self._held_back = places
        self._steer()

    def _steer(self) -> None:
        still = self._places if self._standing else self._places & self._held_back
        for place in still - self._paused:
            self._client.pause([TopicPartition(*place)])
        for place in (self._paused & self._places) - still:
            self._client.resume([TopicPartition(*place)])
        self._paused = set(still)

    def _commit(self, offsets: list[TopicPartition], done: "Future[None]") -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            for answer in self._client.commit(offsets=offsets, asynchronous=False) or ():
                if answer.error is not None:
                    raise KafkaException(answer.error)
        except KafkaException as exc:
            done.set_exception(exc)
        else:
            done.set_result(None)

    def _assigned(self, client: Consumer, added: list[TopicPartition]) -> None:
        known = self._committed(added)
        if not self._stopping.is_set():
            places = [(one.topic, one.partition) for one in added]
            self._places.update(places)
            self._unknown.update(places)
            self._call(self._listener.gain, known)
        starts = [TopicPartition(one.topic, one.partition, max(one.offset - REMEMBER, 0)) for one in known]
        client.incremental_assign(starts)

    def _committed(self, added: list[TopicPartition]) -> list[TopicPartition]:
        while not self._stopping.is_set():
            try:
                known = self._client.committed(added, timeout=ANSWER_WITHIN_S)
                if all(one.error is None for one in known):
                    return known
                reason = next(str(one.error) for one in known if one.error is not None)
            except KafkaException as exc:
                reason = str(exc)
            log.warning("how far a lane is done cannot be learned, trying again: %s", reason)
            self._stopping.wait(_ANEW_S)
        return added  # it is over: nothing of them is read

    def _revoked(self, client: Consumer, gone: list[TopicPartition]) -> None:
        places = [(one.topic, one.partition) for one in gone]
        self._wait_until_free(places)
        self._drop(client, gone, places)

    def _lost(self, client: Consumer, gone: list[TopicPartition]) -> None:
        self._drop(client, gone, [(one.topic, one.partition) for one in gone])

    def _drop(self, client: Consumer, gone: list[TopicPartition], places: list[Place]) -> None:
        self._places.difference_update(places)
        self._paused.difference_update(places)
        self._unknown.difference_update(places)
        self._call(self._listener.lose, places)
        client.incremental_unassign(gone)

    def _wait_until_free(self, places: list[Place]) -> None:
        """Jobs go on meanwhile: what is out ends with a commit."""
        question = self._listener.let_go(places)
        try:
            answer = asyncio.run_coroutine_threadsafe(question, self._loop)
        except RuntimeError:
            question.close()  # the loop is closed: nobody holds anything
            return
        until = time.monotonic() + HAND_OVER_WITHIN_S
        while not answer.done() and time.monotonic() < until:
            self._do_jobs(_BUSY_S[0])
        if not answer.done():
            log.warning("a handler does not end; what it has out is given to others as well")
            answer.cancel()

    def _call(self, call: Any, *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            self._stopping.set()  # the loop is closed


def _record(message: Message) -> Record | None:
    error = message.error()
    if error is not None:
        log.info("Kafka: %s", error.str())
        return None
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    value = message.value()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return topic, partition, offset, value if isinstance(value, bytes) else b""
