"""The engines of a profile under the whole API suite: `TOWNSQUARE_TEST_PROFILE=cassandra` or `mongo`.

Store and queue are opened once a run, as joining them takes seconds, so all tests share an event loop. What a test
wrote is dropped behind it; what lies in cache, feeds and streaming has keys of the test's own.
"""

import asyncio
import dataclasses
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.contract.engines import open_cache, open_feeds, open_queue, open_store, open_streaming
from tests.contract.servers import servers
from tests.going_clock import GoingClock
from townsquare.queue.port import Consumer, Delivery, Queue
from townsquare.social.outbox import Outbox
from townsquare.social.ports import Ports
from townsquare.store.port import Key, Put, Store, Table, Write
from townsquare.store.strict import StrictStore
from townsquare.store.tables import TABLES

NAME = os.environ.get("TOWNSQUARE_TEST_PROFILE", "memory")
_QUEUES = {"cassandra": "kafka", "mongo": "rabbitmq"}
_CACHES = {"cassandra": "redis", "mongo": "memcached"}
_LOOK_S = 0.05
_MOST_DROPPED = 200  # partitions of a table, until the table is emptied, as scans pass by what was dropped
_WITHIN_S = 30.0  # what waits is there by then


class SharedStore:
    """The store of all tests, which notes what the present one wrote.

    Cassandra stamps a consensus by its own clock. So there a time that the test's clock shows because it was moved is
    the one at which it showed it: all writes stay in the order in which they were made.
    """

    def __init__(self, inner: Store, clock: GoingClock) -> None:
        self._inner, self._clock = inner, clock
        self._written: dict[str, set[Key]] = {}  # the partitions of each table
        self._dropped: Counter[str] = Counter()  # since the table was emptied as a whole
        self._last_us = 0  # the latest time that a write asked for

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def write(self, *steps: Sequence[Write], at: int | None = None) -> None:
        for each in (each for step in steps for each in step):
            self._note(each.table, each.table.key(each.row) if isinstance(each, Put) else each.key)
        if at is not None and NAME == "cassandra":
            at = self._clock.real_us(at)
            self._last_us = max(self._last_us, at)
        await self._inner.write(*steps, at=at)

    async def slow_put_if_absent(self, table: Any, row: Any) -> Any:
        self._note(table, table.key(row))
        return await self._inner.slow_put_if_absent(table, row)

    def _note(self, table: Table[Any], key: Key) -> None:
        self._written.setdefault(table.name, set()).add(key[: len(table.partition)])

    async def empty(self) -> None:
        """Be rid of it."""
        is_late = self._last_us > time.time_ns() // 1000  # no drop of now would hide it
        async with asyncio.TaskGroup() as tasks:
            for name, partitions in self._written.items():
                self._dropped[name] += len(partitions)
                if NAME == "cassandra" and not is_late and self._dropped[name] <= _MOST_DROPPED:
                    tasks.create_task(self._drop(name, partitions))
                else:
                    tasks.create_task(self._empty_table(name))
                    self._dropped[name] = 0
        self._written.clear()
        self._last_us = 0
        inner: Any = self._inner
        inner._last_us = 0  # it may have been ahead

    async def _drop(self, name: str, partitions: Iterable[Key]) -> None:
        table = next(each for each in TABLES if each.name == name)
        async with asyncio.TaskGroup() as tasks:
            for partition in partitions:
                tasks.create_task(self._inner.drop(table, partition))

    async def _empty_table(self, name: str) -> None:
        inner: Any = self._inner  # no engine empties a table
        if NAME == "cassandra":
            await inner._session.run(f"TRUNCATE {inner._keyspace}.{name}")  # costs as much as a hundred drops
        else:
            await inner._session.delete_all(name, {})

    async def close(self) -> None:
        """It is the run's, and closed by it."""


class SharedQueue:
    """The queue of all tests, with one consumer that takes part all the time."""

    def __init__(self, inner: Queue) -> None:
        self._inner = inner
        self._consumers: dict[tuple[str, ...], SharedConsumer] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def consume(self, lanes: Sequence[str], *, lease_s: float = 30.0) -> "SharedConsumer":
        """The consumer of these lanes."""
        key = tuple(lanes)
        if key not in self._consumers:
            self._consumers[key] = SharedConsumer(self._inner, self._inner.consume(lanes, lease_s=lease_s), key)
        return self._consumers[key]

    async def forget(self) -> None:
        """Do with what the last test left."""
        for consumer in self._consumers.values():
            await consumer.done(list(consumer.out.values()))  # of a handler that failed
            while left := await consumer.take(limit=500, wait_s=0):
                await consumer.done(left)

    async def close(self) -> None:
        """It is the run's, and closed by it."""

    async def end(self) -> None:
        """The end of the run."""
        for consumer in self._consumers.values():
            await consumer.inner.close()


class SharedConsumer:
    """Takes until nothing waits, however late it comes."""

    def __init__(self, queue: Queue, inner: Consumer, lanes: tuple[str, ...]) -> None:
        self._queue, self.inner, self._lanes = queue, inner, lanes
        self.out: dict[int, Delivery] = {}

    async def take(self, *, limit: int, wait_s: float) -> list[Delivery]:
        """As the port says; empty only where the depths say that nothing waits."""
        async with asyncio.timeout(_WITHIN_S):
            while True:
                taken = await self.inner.take(limit=limit, wait_s=wait_s)
                wait_s = max(wait_s, _LOOK_S)
                if taken or not any(each.waiting for each in await self._queue.depths() if each.lane in self._lanes):
                    self.out.update((id(each), each) for each in taken)
                    return taken

    async def done(self, deliveries: Sequence[Delivery]) -> None:
        """As the port says."""
        await self.inner.done(deliveries)
        for each in deliveries:
            self.out.pop(id(each), None)

    async def close(self) -> None:
        """It goes on."""


@dataclasses.dataclass(slots=True)
class Shared:
    """What a run has one of."""

    store: SharedStore
    queue: SharedQueue
    clock: GoingClock

    def ports(self, ports: Ports, folder: Path) -> Ports:
        """The ports of a test, which are else in memory, over the profile's engines."""
        streaming = open_streaming("redis", folder)
        inner: Any = self.store
        store = StrictStore(inner, TABLES, clock=self.clock)
        queue: Any = self.queue
        return dataclasses.replace(
            ports,
            clock=self.clock,
            store=store,
            queue=queue,
            outbox=Outbox(store, queue, ports.new_id),
            streaming=streaming,
            cache=open_cache(_CACHES[NAME], folder, self.clock, streaming),
            feeds=open_feeds("redis", folder),
        )

    async def tidy(self) -> None:
        """Between two tests."""
        await self.queue.forget()
        await self.store.empty()
        self.clock.back()


@asynccontextmanager
async def shared(folder: Path) -> AsyncIterator[Shared | None]:
    """What the run has one of; None without a profile."""
    if NAME == "memory":
        yield None
        return
    clock = GoingClock()
    async with open_store(NAME, TABLES, clock) as store:
        queue = await open_queue(_QUEUES[NAME], folder, clock)
        made = Shared(SharedStore(store, clock), SharedQueue(queue), clock)
        yield made
        await made.queue.end()
        await queue.close()
    servers().let_go()
