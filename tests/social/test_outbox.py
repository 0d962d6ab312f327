"""The outbox: tasks are in the queue at once, and marked when the queue holds them for good."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from townsquare.kit.clock import SetClock
from townsquare.kit.snowflake import Snowflake
from townsquare.model.tasks import DeleteMedia, PollEnded, encode_task
from townsquare.queue.memory import MemoryQueue
from townsquare.social.outbox import SHARDS, TICK_MS, Outbox, relay
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Put
from townsquare.store.tables import OUTBOX, TABLES, OutboxRow


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def store(clock: SetClock) -> AsyncIterator[MemoryStore]:
    store = MemoryStore(TABLES, clock=clock)
    yield store
    await store.close()


async def waiting(store: MemoryStore) -> int:
    rows, _ = await store.scan(OUTBOX, limit=99)
    return len(rows)


async def test_a_task_is_in_the_queue_at_once_and_deleted_at_the_end(store: MemoryStore, clock: SetClock) -> None:
    queue = MemoryQueue(clock)
    outbox = Outbox(store, queue, Snowflake(clock, 1))
    await outbox.start()
    taking = asyncio.create_task(queue.consume(["notify"]).take(limit=1, wait_s=3))
    await outbox.commit([], tasks=[PollEnded(poll_id=1)])
    assert len(await taking) == 1
    assert await waiting(store) == 1
    await outbox.close()
    assert await waiting(store) == 0


async def test_the_relay_brings_again_what_was_not_deleted_and_the_queue_knows_it(
    store: MemoryStore, clock: SetClock
) -> None:
    queue = MemoryQueue(clock)
    outbox = Outbox(store, queue, Snowflake(clock, 1))
    await outbox.commit([], tasks=[PollEnded(poll_id=1)])
    await outbox.flush()  # and dies
    clock.advance(seconds=10)
    assert await relay(store, queue, clock) == 1
    assert await waiting(store) == 0
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


async def test_a_row_that_cannot_be_read_does_not_hold_up_the_others(store: MemoryStore, clock: SetClock) -> None:
    queue = MemoryQueue(clock)
    event_id = Snowflake(clock, 1)()
    shard, tick = (event_id >> 4) % SHARDS, (event_id >> 16) // TICK_MS
    good = encode_task(PollEnded(poll_id=1))
    await store.write([Put(OUTBOX, OutboxRow(shard=shard, tick=tick, event_id=event_id, tasks=(b"\xc1", good)))])
    clock.advance(seconds=5)
    assert await relay(store, queue, clock) == 1
    taken = await queue.consume([DeleteMedia.lane, "notify"]).take(limit=9, wait_s=0)
    assert sorted(delivery.message.body for delivery in taken) == sorted([b"\xc1", good])


async def test_an_act_with_too_many_tasks_is_refused_whole(store: MemoryStore, clock: SetClock) -> None:
    outbox = Outbox(store, MemoryQueue(clock), Snowflake(clock, 1))
    with pytest.raises(ValueError, match="16 tasks"):
        await outbox.commit([], tasks=[PollEnded(poll_id=n) for n in range(17)])
    assert await waiting(store) == 0
