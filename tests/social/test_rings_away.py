"""Home timelines while the rings' Redis is away: slower, and the same."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.own_servers import OwnRedis, until_true
from tests.social.conftest import Town
from townsquare.feeds.redis import RedisFeeds
from townsquare.model.errors import Unavailable
from townsquare.model.paging import Window
from townsquare.social.follows import FollowOptions, follow
from townsquare.social.timelines import home
from townsquare.wire.redis import Redis


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis")
    server.start()
    yield server
    server.close()


@pytest.mark.slow
async def test_home_is_whole_while_redis_is_away_and_after(town: Town, own: OwnRedis) -> None:
    feeds = RedisFeeds(Redis(own.address))
    town.ports = dataclasses.replace(town.ports, feeds=feeds)
    ann, ben = await town.person("ann"), await town.person("ben")
    await follow(town.ports, actor=ben, target_id=ann.account_id, options=FollowOptions())
    await town.work()

    async def seen() -> list[int]:
        page = await home(town.ports, ben.account_id, Window(limit=20))
        return [view.status.status_id for view in page.views]

    posted = [await town.post(ann, "with Redis")]
    await town.work()
    assert await seen() == posted
    own.kill()
    posted.insert(0, await town.post(ann, "without"))
    posted.insert(0, await town.post(ben, "his own, without"))
    assert await seen() == posted
    own.start()

    async def back() -> bool:
        try:
            return await feeds.has(1) is False
        except Unavailable:
            return False

    await until_true(back)
    posted.insert(0, await town.post(ann, "with it again"))
    await town.work()
    assert await seen() == posted
    await feeds.close()
