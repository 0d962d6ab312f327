"""What servers say of themselves to `townsquare doctor`, each where it is installed.

Suite: doctor.
"""

from pathlib import Path

import pytest

from tests.contract.engines import SERVERS, memcached_outer, open_feeds, open_queue, open_store
from tests.contract.own_servers import OwnRedis
from townsquare.cache.redis import RedisOuter
from townsquare.kit.clock import SystemClock
from townsquare.model.findings import Examines, Level, clock
from townsquare.queue.kafka_admin import Facts
from townsquare.queue.kafka_examine import examine as examine_kafka
from townsquare.queue.port import Message
from townsquare.store.tables import SETTINGS
from townsquare.wire.redis import Redis, sound_answers


async def found(engine: object) -> dict[str, Level]:
    assert isinstance(engine, Examines)
    return {each.check: each.level for each in await engine.examine()}


async def test_redis_tells_of_memory_disk_and_clock(tmp_path: Path) -> None:
    own = OwnRedis(tmp_path / "redis")
    own.start()
    redis = Redis(own.address)
    try:
        assert await found(RedisOuter(redis)) == {
            "redis": Level.OK,
            "redis memory": Level.WARNING,
            "redis disk": Level.OK,
            "redis clock": Level.OK,
        }
        link = await redis.link()
        await sound_answers(link, ["CONFIG", "SET", "maxmemory", "64mb"], ["CONFIG", "SET", "appendonly", "yes"])
        levels = await found(RedisOuter(redis))
        assert (levels["redis memory"], levels["redis disk"]) == (Level.WARNING, Level.WARNING)
        await sound_answers(link, ["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        assert (await found(RedisOuter(redis)))["redis memory"] is Level.OK
    finally:
        await redis.close()
        own.close()


async def test_feeds_and_memcached_tell_their_version(tmp_path: Path) -> None:
    feeds = open_feeds("redis", tmp_path)
    assert (await found(feeds))["redis"] is Level.OK
    await feeds.close()
    outer = memcached_outer(tmp_path)
    assert await found(outer) == {"memcached": Level.OK}
    await outer.close()


@pytest.mark.parametrize(
    ("engine", "levels"),
    [
        pytest.param("cassandra", {"nodes": Level.OK, "copies": Level.WARNING, "clock": Level.OK}, marks=SERVERS),
        pytest.param("mongo", {"writes": Level.OK, "copies": Level.WARNING}, marks=SERVERS),
    ],
)
async def test_stores_tell_of_copies(engine: str, levels: dict[str, Level]) -> None:
    async with open_store(engine, (SETTINGS,), SystemClock()) as store:
        looked = {name.rpartition(" ")[2]: level for name, level in (await found(store)).items()}
    assert {name: looked[name] for name in levels} == levels
    assert Level.WRONG not in looked.values()


@pytest.mark.parametrize(
    ("engine", "levels"),
    [
        pytest.param("rabbitmq", {"queues": Level.OK, "room": Level.OK}, marks=SERVERS),
        pytest.param("kafka", {"copies": Level.WARNING, "take-over": Level.OK}, marks=SERVERS),
    ],
)
async def test_queues_tell_how_safe_work_is(engine: str, levels: dict[str, Level], tmp_path: Path) -> None:
    queue = await open_queue(engine, tmp_path, SystemClock())
    try:
        await queue.put([Message(lane="fan_out", key=1, id=1, body=b"x")])
        looked = {name.rpartition(" ")[2]: level for name, level in (await found(queue)).items()}
    finally:
        await queue.close()
    assert {name: looked[name] for name in levels} == levels


@pytest.mark.parametrize(
    ("brokers", "replication", "min_insync", "worst"),
    [
        (1, 1, 1, Level.WARNING),
        (3, 3, 2, Level.OK),
        (3, 1, 1, Level.WRONG),
        (3, 3, 1, Level.WRONG),
        (3, 3, 3, Level.WARNING),
        (1, 0, 0, Level.OK),
    ],
)
def test_kafka_is_judged_by_its_copies(brokers: int, replication: int, min_insync: int, worst: Level) -> None:
    facts = Facts(brokers=brokers, replication=replication, min_insync=min_insync, acks="all", take_over_s=45)
    order = list(Level)
    assert max((each.level for each in examine_kafka(facts)), key=order.index) is worst


@pytest.mark.parametrize(
    ("theirs_ms", "level"),
    [(1000, Level.OK), (1100, Level.OK), (400, Level.WARNING), (1700, Level.WARNING), (9000, Level.WRONG)],
)
def test_clocks_are_compared(theirs_ms: int, level: Level) -> None:
    assert clock("c", theirs_ms=theirs_ms, before_ms=1000, after_ms=1100).level is level
