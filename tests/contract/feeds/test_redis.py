"""Home timelines in Redis: against a plain model, trimmed, flushed, killed, brought back from a file.

Suite: feeds.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.engines import redis_address
from tests.contract.feeds.test_ring_file import ACCOUNTS, status_id, step, take
from tests.contract.own_servers import OwnRedis, until_true
from townsquare.feeds.memory import MemoryFeeds
from townsquare.feeds.port import RING_LENGTH, Reason
from townsquare.feeds.redis import RedisFeeds
from townsquare.model.errors import Unavailable
from townsquare.wire.redis import Redis

pytestmark = pytest.mark.slow  # starts servers


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis")
    server.start()
    yield server
    server.close()


@pytest.fixture
async def feeds(own: OwnRedis) -> AsyncIterator[RedisFeeds]:
    engine = RedisFeeds(Redis(own.address))
    yield engine
    await engine.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=8), below=status_id, above=status_id, limit=st.integers(0, 900))
def test_it_does_what_the_model_does(tmp_path: Path, steps: list, below: int, above: int, limit: int) -> None:
    async def compare() -> None:
        feeds, model = RedisFeeds(Redis(redis_address(tmp_path))), MemoryFeeds()
        await feeds.drop(ACCOUNTS)
        for name, *arguments in steps:
            assert await take(model, name, tuple(arguments)) == await take(feeds, name, tuple(arguments))
            for owner in ACCOUNTS:
                assert await model.read(owner) == await feeds.read(owner)
                for bounds in ({"below": below}, {"above": above}, {"below": below, "above": above}):
                    expected = await model.read(owner, limit=limit, **bounds)
                    assert expected == await feeds.read(owner, limit=limit, **bounds)
        await feeds.close()

    uvloop.run(compare())  # the loop of a real process, which has connections of its own


async def test_a_ring_does_not_grow_for_ever(feeds: RedisFeeds, own: OwnRedis) -> None:
    await feeds.fill(1, [], [], floor=0)
    for n in range(1, 3 * RING_LENGTH):
        await feeds.push(np.array([1]), n, Reason.FOLLOW)
    raw = own.says(b"EVAL \"return redis.call('STRLEN', redis.call('KEYS', 'ts:h*')[1])\" 0")
    assert RING_LENGTH * 8 < int(raw[1:]) <= (RING_LENGTH + RING_LENGTH // 2 + 3) * 8


async def test_many_who_write_one_ring_at_once_lose_nothing(feeds: RedisFeeds, own: OwnRedis) -> None:
    other = RedisFeeds(Redis(own.address))
    await feeds.fill(1, [], [], floor=0)
    async with asyncio.TaskGroup() as group:
        for n in range(1, 200):
            engine = (feeds, other)[n % 2]
            group.create_task(engine.push(np.array([1]), 2 * n, Reason.FOLLOW))
            if n % 10 == 0:
                group.create_task(engine.merge(1, [2 * n + 1], Reason.TAG))
    page = await feeds.read(1)
    await other.close()
    assert page is not None
    assert page.ids == sorted([*range(2, 400, 2), *range(21, 400, 20)], reverse=True)


async def test_flushed_rings_are_gone_and_not_short(feeds: RedisFeeds, own: OwnRedis) -> None:
    await feeds.fill(1, [5], [0], floor=0)
    own.says(b"FLUSHALL")
    assert await feeds.push(np.array([1]), 6, Reason.FOLLOW) == 0
    assert await feeds.read(1) is None


async def test_what_a_restart_brings_back_is_not_used(feeds: RedisFeeds, own: OwnRedis) -> None:
    await feeds.fill(1, [5], [0], floor=0)
    own.says(b"SAVE")
    assert await feeds.push(np.array([1]), 6, Reason.FOLLOW) == 1
    own.kill()
    own.start()
    assert own.says(b"DBSIZE") == b":1\r\n"
    # Without 6 it would be a ring that claims to have all.
    assert await feeds.read(1) is None
    await feeds.fill(1, [5, 6], [0, 0], floor=0)
    assert await feeds.has(1)


async def test_while_it_is_down_it_says_so_and_then_goes_on(feeds: RedisFeeds, own: OwnRedis) -> None:
    await feeds.fill(1, [5], [0], floor=0)
    own.kill()
    with pytest.raises(Unavailable):
        await feeds.read(1)
    with pytest.raises(Unavailable):
        await feeds.push(np.array([1]), 6, Reason.FOLLOW)
    own.start()

    async def works() -> bool:
        try:
            return await feeds.read(1) is None
        except Unavailable:
            return False

    await until_true(works)
