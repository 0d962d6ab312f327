"""The outbox: tasks are in the queue at once, and marked when the queue holds them for good."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from townsquare.kit.clock import SetClock
from townsquare.kit.snowflake import Snowflake
from townsquare.model.tasks import PollEnded
from townsquare.queue.memory import MemoryQueue
from townsquare.social.outbox import Outbox, relay
from townsquare.store.memory import MemoryStore
from townsquare.store.tables import OUTBOX, TABLES


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def store(clock: SetClock) -> AsyncIterator[MemoryStore]:
    store = MemoryStore(TABLES, clock=clock)
    yield store
    await store.close()


async def sent(store: MemoryStore) -> list[bool]:
    rows, _ = await store.scan(OUTBOX, limit=99)
    return [row.sent for row in rows]


async def test_a_task_is_in_the_queue_at_once_and_marked_at_the_end(store: MemoryStore, clock: SetClock) -> None:
    queue = MemoryQueue(clock)
    outbox = Outbox(store, queue, Snowflake(clock, 1))
    await outbox.start()
    taking = asyncio.create_task(queue.consume(["notify"]).take(limit=1, wait_s=3))
    await outbox.commit([], tasks=[PollEnded(poll_id=1)])
    assert len(await taking) == 1
    assert await sent(store) == [False]
    await outbox.close()
    assert await sent(store) == [True]


async def test_the_relay_brings_again_what_was_not_marked_and_the_queue_knows_it(
    store: MemoryStore, clock: SetClock
) -> None:
    queue = MemoryQueue(clock)
    outbox = Outbox(store, queue, Snowflake(clock, 1))
    await outbox.commit([], tasks=[PollEnded(poll_id=1)])
    await outbox.flush()  # and dies
    clock.advance(seconds=10)
    assert await relay(store, queue, clock) == 1
    assert await sent(store) == [True]
    assert await relay(store, queue, clock) == 0
    assert [depth.waiting for depth in await queue.depths()] == [1]


async def test_a_queue_that_lost_its_end_gets_it_again(store: MemoryStore, clock: SetClock) -> None:
    outbox = Outbox(store, MemoryQueue(clock), Snowflake(clock, 1))
    await outbox.commit([], tasks=[PollEnded(poll_id=1)])
    await outbox.flush()
    after_power_cut = MemoryQueue(clock)
    clock.advance(seconds=10)
    await relay(store, after_power_cut, clock)
    assert [depth.waiting for depth in await after_power_cut.depths()] == [1]
