"""Follows, blocks and mutes, and all that the workers bring into line with them."""

from random import Random

import pytest

from tests.social.conftest import Town
from townsquare.kit.snowflake import first_id_at
from townsquare.model.account import Account
from townsquare.model.errors import Forbidden, NotFound
from townsquare.model.paging import Window
from townsquare.model.tasks import ApplyFollow, ExpireMute
from townsquare.social import follows, relations
from townsquare.social.follows import FollowOptions
from townsquare.social.notifications import NoticeFilter, clear, notices
from townsquare.social.viewer import viewer_of
from townsquare.store.follows import all_following, followers_page
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNT_STATS, FOLLOWER_COUNTS, FOLLOWING
from townsquare.workers import graph

PLAIN = FollowOptions()


async def followers_of(town: Town, account: Account) -> list[int]:
    rows = await followers_page(town.ports.store, account.account_id, Window(limit=1000))
    return [row.follower for row in rows]


async def totals(town: Town, account: Account) -> tuple[int, int]:
    stats = await town.ports.store.get(ACCOUNT_STATS, (account.account_id,))
    return (stats.followers, stats.following) if stats else (0, 0)


async def kinds(town: Town, account: Account) -> list[str]:
    found, _ = await notices(town.ports, actor=account, window=Window(), wanted=NoticeFilter())
    return [each.row.kind for each in found]


async def test_a_follow_shows_on_both_sides_with_a_notice(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    await follows.follow(town.ports, actor=ann, target_id=bob.account_id, options=PLAIN)
    await town.work()
    assert await followers_of(town, bob) == [ann.account_id]
    assert await totals(town, ann) == (0, 1)
    assert await totals(town, bob) == (1, 0)
    assert await kinds(town, bob) == ["follow"]
    assert bob.account_id in (await viewer_of(town.ports, ann.account_id)).following


async def test_an_unfollow_takes_the_notice_back(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    await follows.follow(town.ports, actor=ann, target_id=bob.account_id, options=PLAIN)
    await town.work()
    await follows.unfollow(town.ports, actor=ann, target_id=bob.account_id)
    await town.work()
    assert await followers_of(town, bob) == []
    assert await totals(town, bob) == (0, 0)
    assert await kinds(town, bob) == []


async def test_a_dismissed_notice_does_not_come_back_with_a_repeat(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    await follows.follow(town.ports, actor=ann, target_id=bob.account_id, options=PLAIN)
    await town.work()
    await clear(town.ports, actor=bob)
    await town.ports.outbox.commit(tasks=[ApplyFollow(ann.account_id, bob.account_id)])
    await town.work()
    assert await kinds(town, bob) == []


async def test_a_locked_account_is_asked(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob", locked=True)
    await follows.follow(town.ports, actor=ann, target_id=bob.account_id, options=PLAIN)
    assert await follows.requests(town.ports, actor=bob, window=Window()) == [ann.account_id]
    await town.work()
    assert await followers_of(town, bob) == []
    assert await kinds(town, bob) == ["follow_request"]
    town.clock.advance(seconds=1)
    await follows.authorize(town.ports, actor=bob, follower_id=ann.account_id)
    await town.work()
    assert await followers_of(town, bob) == [ann.account_id]
    assert await follows.requests(town.ports, actor=bob, window=Window()) == []
    assert await kinds(town, bob) == ["follow"]
    with pytest.raises(NotFound):
        await follows.reject(town.ports, actor=bob, follower_id=ann.account_id)


async def test_a_block_ends_follows_both_ways_at_once(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    for one, other in ((ann, bob), (bob, ann)):
        await follows.follow(town.ports, actor=one, target_id=other.account_id, options=PLAIN)
    await town.work()
    await relations.block(town.ports, actor=bob, target_id=ann.account_id)
    viewer = await viewer_of(town.ports, ann.account_id)
    assert len(viewer.following) == 0
    assert viewer.blocked_by == {bob.account_id}
    with pytest.raises(Forbidden):
        await follows.follow(town.ports, actor=ann, target_id=bob.account_id, options=PLAIN)
    await town.work()
    assert [await totals(town, each) for each in (ann, bob)] == [(0, 0), (0, 0)]
    assert await followers_of(town, ann) == await followers_of(town, bob) == []


async def test_a_follow_that_met_a_block_is_ended(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    await follows.follow(town.ports, actor=ann, target_id=bob.account_id, options=PLAIN)
    row = (await all_following(town.ports.store, ann.account_id))[0]
    await relations.block(town.ports, actor=bob, target_id=ann.account_id)
    # The follow's write comes late, after the check that saw no block.
    await town.ports.store.write([Put(FOLLOWING, row)], at=row.since_id >> 16)
    await town.work()
    assert await followers_of(town, bob) == []
    assert (await all_following(town.ports.store, ann.account_id))[0].state == "off"


async def test_a_mute_ends_when_its_time_is_over(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    await relations.mute(town.ports, actor=ann, target_id=bob.account_id, notifications=False, duration_s=60)
    viewer = await viewer_of(town.ports, ann.account_id)
    assert (viewer.muting, viewer.muting_notices) == ({bob.account_id}, frozenset())
    town.clock.advance(seconds=61)
    (found,) = await follows.relationships(town.ports, actor=ann, ids=[bob.account_id])
    assert "mute" not in found.kinds
    await town.ports.outbox.commit(tasks=[ExpireMute(ann.account_id, bob.account_id)])
    await town.work()
    assert (await viewer_of(town.ports, ann.account_id)).muting == frozenset()


async def test_a_full_bucket_opens_the_next(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "BUCKET_ROWS", 3)
    bob = await town.person("bob")
    fans = [await town.person(f"fan{n}") for n in range(8)]
    for fan in fans:
        await follows.follow(town.ports, actor=fan, target_id=bob.account_id, options=PLAIN)
        await town.work()
    counts = await town.ports.store.get_many(FOLLOWER_COUNTS, [(bob.account_id, n) for n in range(3)])
    assert [row.n for row in counts if row] == [3, 3, 2]
    assert await totals(town, bob) == (8, 0)
    ids = sorted((fan.account_id for fan in fans), reverse=True)
    assert await followers_of(town, bob) == ids
    page = await followers_page(town.ports.store, bob.account_id, Window(limit=3, above=ids[6], forward=True))
    assert [row.follower for row in page] == ids[3:6]
    for fan in fans:
        await follows.unfollow(town.ports, actor=fan, target_id=bob.account_id)
    await town.work(disorder=True)
    assert await totals(town, bob) == (0, 0)


@pytest.mark.parametrize("seed", range(5))
async def test_totals_equal_a_recount_after_repeats_and_reorders(town: Town, seed: int) -> None:
    random = town.random = Random(seed)
    people = [await town.person(f"p{n}", locked=n == 0) for n in range(6)]
    for _ in range(150):
        town.clock.advance(seconds=0.005)
        one, other = random.sample(people, 2)
        act = random.randrange(8)
        try:
            if act < 4:
                await follows.follow(town.ports, actor=one, target_id=other.account_id, options=PLAIN)
            elif act < 5:
                await follows.unfollow(town.ports, actor=one, target_id=other.account_id)
            elif act < 6:
                await relations.block(town.ports, actor=one, target_id=other.account_id)
            elif act < 7:
                await relations.unblock(town.ports, actor=one, target_id=other.account_id)
            else:
                await follows.authorize(town.ports, actor=people[0], follower_id=one.account_id)
        except (Forbidden, NotFound):
            pass
        if random.random() < 0.1:
            await town.work(disorder=True)
    await town.work(disorder=True)
    rows = [row for each in people for row in await all_following(town.ports.store, each.account_id)]
    on = {(row.account_id, row.target) for row in rows if row.state == "on"}
    for each in people:
        me = each.account_id
        wanted = (sum(target == me for _, target in on), sum(follower == me for follower, _ in on))
        assert await totals(town, each) == wanted
        assert set(await followers_of(town, each)) == {follower for follower, target in on if target == me}
        asked = {row.account_id for row in rows if row.target == me and row.state == "requested"}
        assert set(await follows.requests(town.ports, actor=each, window=Window(limit=80))) == asked
        assert set((await viewer_of(town.ports, me)).following) == {target for follower, target in on if follower == me}


async def test_many_relationships_cost_what_one_costs(town: Town) -> None:
    ann = await town.person("ann")
    others = [await town.person(f"p{n}") for n in range(40)]
    costs = []
    for ids in ([others[0].account_id], [each.account_id for each in others[1:]]):
        before = town.store.round_trips
        await follows.relationships(town.ports, actor=ann, ids=ids)
        costs.append(town.store.round_trips - before)
    assert costs[0] == costs[1] <= 4


async def test_a_new_follow_fills_the_home_timeline(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    status_id = await town.post(bob, "before the follow")
    await town.ports.feeds.fill(ann.account_id, [], [], floor=first_id_at(0))
    await follows.follow(town.ports, actor=ann, target_id=bob.account_id, options=PLAIN)
    await town.work()
    ring = await town.ports.feeds.read(ann.account_id)
    assert ring is not None
    assert ring.ids == [status_id]
