"""Sends records and waits until all replicas in sync have them.

Box: queue. The client's answers are fetched by a thread that sleeps while nothing is on its way, so that a process that
only puts now and then costs nothing.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from townsquare.model.errors import Unavailable
from townsquare.queue.kafka_address import Address, translated

log = logging.getLogger(__name__)
WITHIN_MS = 5000  # from `send` until it fails
_MOST_WAITING, _MOST_WAITING_KIB = 50_000, 65_536  # records that are on their way, in the client's memory
_ROOM_S = 0.005
_POLL_S = 0.1


class Record(msgspec.Struct, frozen=True):
    """One to send. Without a value it takes back those of its key, in a compacted topic."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None


class Sender:
    """Use from one event loop."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: Producer | None = None
        self._busy, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    async def send(self, records: Sequence[Record]) -> None:
        """Have the records kept, in their order. Raises: Unavailable; some may be kept even so."""
        if not records:
            return
        client, sent = self._open(), _Sent(len(records))
        try:
            async with asyncio.timeout(WITHIN_MS / 1000 + 1):
                for record in records:
                    await self._hand_over(client, record, sent)
                self._busy.set()
                await sent.all
        except TimeoutError as exc:
            raise Unavailable("The queue does not answer just now") from exc
        except KafkaException as exc:
            self._give_up_if_fatal(client, exc.args[0])
            raise translated(exc) from exc

    async def close(self) -> None:
        """Send what waits, within the time a send has."""
        self._stopping.set()
        self._busy.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, WITHIN_MS / 1000 + 1)
            self._thread = None

    async def _hand_over(self, client: Producer, record: Record, sent: "_Sent") -> None:
        while True:
            try:
                client.produce(
                    record.topic, record.value, key=record.key, partition=record.partition, on_delivery=sent.told
                )
                return
            except BufferError:  # as much as may wait does
                self._busy.set()
                await asyncio.sleep(_ROOM_S)

    def _open(self) -> Producer:
        if self._stopping.is_set():
            raise Unavailable("The queue is closed")
        if self._client is None:
            self._client = Producer(
                self._address.client(
                    **{
                        "acks": "all",
                        "enable.idempotence": True,
                        "message.timeout.ms": WITHIN_MS,
                        "request.timeout.ms": WITHIN_MS,
                        "retry.backoff.ms": 50,
                        "linger.ms": 1,
                        "queue.buffering.max.messages": _MOST_WAITING,
                        "queue.buffering.max.kbytes": _MOST_WAITING_KIB,
                    }
                )
            )
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kafka answers", daemon=True)
            self._thread.start()
        return self._client

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._busy.wait()
            self._busy.clear()
            client = self._client
            while client is not None and len(client):
                client.poll(_POLL_S)
                client = self._client

    def _give_up_if_fatal(self, client: Producer, error: KafkaError) -> None:
        if error.fatal() and self._client is client:
            log.error("Kafka's client has failed and is made anew: %s", error.str())
            self._client = None


class _Sent:
    """Counts the answers to one send; they come in another thread."""

    def __init__(self, count: int) -> None:
        self._left, self._loop = count, asyncio.get_running_loop()
        self._error: KafkaError | None = None
        self.all: asyncio.Future[None] = self._loop.create_future()

    def told(self, error: KafkaError | None, _: Any) -> None:
        """One more answer."""
        self._left -= 1
        self._error = self._error or error
        if not self._left:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self.all.done():
            return  # nobody waits any more
        if self._error is None:
            self.all.set_result(None)
        else:
            self.all.set_exception(KafkaException(self._error))
