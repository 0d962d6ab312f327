"""Counts are those of a recount, whatever order the work is done in and however often."""

from collections import Counter

import pytest

from tests.social.conftest import Town
from townsquare.kit.snowflake import month_of
from townsquare.model.account import Account, User
from townsquare.model.tasks import ApplyFollow, ApplyReaction, CountReply, CountStatus
from townsquare.social import favourites, follows, polls, reblogs, statuses
from townsquare.social.drafts import PollDraft
from townsquare.social.hydrate import visible
from townsquare.social.viewer import ANONYMOUS, viewer_of
from townsquare.store.port import Put
from townsquare.store.tables import (
    ACCOUNT_STATS,
    AUTHOR_LOG,
    AUTHOR_LOG_COUNTS,
    FOLLOWER_COUNTS,
    MINE,
    POLL_COUNTS,
    REACTION_COUNTS,
    REACTIONS,
    REPLY_COUNTS,
    STATUSES,
    THREADS,
    USERS,
    FollowerCountRow,
    LogCountRow,
    ReactionCountRow,
    ReplyCountRow,
)


async def user(town: Town, account: Account) -> User:
    row = await town.ports.store.get(USERS, (account.account_id,))
    assert row is not None
    return row


async def recounted(town: Town, status_id: int) -> tuple[int, int, int]:
    """Replies, boosts, favourites of a status, from all rows there are."""
    acts, _ = await town.ports.store.scan(MINE, limit=10_000)
    kinds = Counter(row.kind for row in acts if row.on and row.status_id == status_id)
    threads, _ = await town.ports.store.scan(THREADS, limit=10_000)
    replies = [row.status_id for row in threads if row.parent == status_id and row.visibility in ("public", "unlisted")]
    rows = await town.ports.store.get_many(STATUSES, [(each,) for each in replies]) if replies else []
    return sum(row is not None and not row.deleted for row in rows), kinds["reblog"], kinds["favourite"]


async def shown(town: Town, status_id: int) -> tuple[int, int, int]:
    counts = (await visible(town.ports, status_id, ANONYMOUS)).totals.counts
    return counts.replies, counts.reblogs, counts.favourites


@pytest.mark.parametrize("seed", range(4))
async def test_counts_equal_a_recount(town: Town, seed: int) -> None:
    town.random.seed(seed)
    people = [await town.person(f"p{n}") for n in range(5)]
    users = {each.account_id: await user(town, each) for each in people}
    posts = [await town.post(people[n % 2], f"post {n}") for n in range(3)]
    replies: list[tuple[Account, int]] = []
    for _ in range(60):
        who, what = town.random.choice(people), town.random.choice(posts)
        match town.random.randrange(7):
            case 0 | 1:
                await favourites.favourite(town.ports, actor=who, status_id=what)
            case 2:
                await favourites.unfavourite(town.ports, actor=who, status_id=what)
            case 3:
                await reblogs.reblog(town.ports, actor=who, user=users[who.account_id], status_id=what)
            case 4:
                await reblogs.unreblog(town.ports, actor=who, status_id=what)
            case 5:
                visibility = town.random.choice(("public", "unlisted", "private"))
                replies.append((who, await town.post(who, "reply", reply_to=what, visibility=visibility)))
            case 6 if replies:
                author, reply = replies.pop()
                await statuses.delete(town.ports, author=author, status_id=reply, delete_media=True)
        if town.random.random() < 0.2:
            await town.work(disorder=True)
    await town.work(disorder=True)
    for each in posts:
        assert await shown(town, each) == await recounted(town, each)
        reactions = [row for row in (await town.ports.store.scan(REACTIONS, limit=10_000))[0] if row.status_id == each]
        assert sum(row.on for row in reactions) == sum((await recounted(town, each))[1:])
    logs, _ = await town.ports.store.scan(AUTHOR_LOG, limit=10_000)
    for who in people:
        rows = await town.ports.store.get_many(
            STATUSES, [(row.status_id,) for row in logs if row.author == who.account_id]
        )
        stats = await town.ports.store.get(ACCOUNT_STATS, (who.account_id,))
        assert (stats.statuses if stats else 0) == sum(row is not None and not row.deleted for row in rows)


async def test_the_answer_to_a_favourite_holds_it_once(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    status = await town.post(ann, "hi")
    for _ in range(2):
        view = await favourites.favourite(town.ports, actor=bob, status_id=status)
        assert (view.totals.counts.favourites, view.flags & 1) == (1, 1)
        await town.work()
    view = await favourites.unfavourite(town.ports, actor=bob, status_id=status)
    assert (view.totals.counts.favourites, view.flags & 1) == (0, 0)
    await town.work()
    assert await shown(town, status) == (0, 0, 0)


async def test_a_boost_is_one_whatever_is_asked(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    status, row = await town.post(ann, "hi"), await user(town, bob)
    first = await reblogs.reblog(town.ports, actor=bob, user=row, status_id=status)
    again = await reblogs.reblog(town.ports, actor=bob, user=row, status_id=first.status.status_id)
    assert first.status.status_id == again.status.status_id
    assert again.totals.counts.reblogs == 1
    original = await reblogs.unreblog(town.ports, actor=bob, status_id=status)
    assert original.status.status_id == status
    assert original.totals.counts.reblogs == 0
    third = await reblogs.reblog(town.ports, actor=bob, user=row, status_id=status)
    assert third.status.status_id != first.status.status_id
    await town.work(disorder=True)
    assert await shown(town, status) == (0, 1, 0)
    await statuses.delete(town.ports, author=bob, status_id=third.status.status_id, delete_media=False)
    await town.work(disorder=True)
    assert await shown(town, status) == (0, 0, 0)


async def test_a_total_that_a_late_write_left_behind_is_taken_anew(town: Town) -> None:
    """Whoever's write failed and was done all the same comes again, and finds the rows counted."""
    ann, bob = await town.person("ann"), await town.person("bob")
    status = await town.post(ann, "hi")
    await town.post(bob, "an answer", reply_to=status)
    reply = (await town.ports.store.scan(THREADS, limit=9))[0][0].status_id
    await favourites.favourite(town.ports, actor=bob, status_id=status)
    await follows.follow(town.ports, actor=bob, target_id=ann.account_id, options=follows.FollowOptions())
    await town.work()
    store, month = town.ports.store, month_of(status)
    stale: list[Put] = [
        Put(REACTION_COUNTS, ReactionCountRow(status_id=status, bucket=0, kind="favourite", n=0)),
        Put(REPLY_COUNTS, ReplyCountRow(root=status, parent=status, n=3)),
        Put(AUTHOR_LOG_COUNTS, LogCountRow(author=ann.account_id, month=month, n=7)),
        Put(FOLLOWER_COUNTS, FollowerCountRow(account_id=ann.account_id, bucket=0, n=0)),
    ]
    right = [await store.get(put.table, put.table.key(put.row)) for put in stale]
    await store.write(stale)
    again = [
        ApplyReaction(status_id=status, actor=bob.account_id, kind="favourite"),
        CountReply(root=status, status_id=reply),
        CountStatus(author=ann.account_id, status_id=status),
        ApplyFollow(follower=bob.account_id, target=ann.account_id),
    ]
    await town.ports.outbox.commit(tasks=again)
    await town.work()
    assert [await store.get(put.table, put.table.key(put.row)) for put in stale] == right
    stats = await store.get(ACCOUNT_STATS, (ann.account_id,))
    assert stats is not None
    assert (stats.statuses, stats.followers) == (1, 1)
    assert await shown(town, status) == (1, 0, 1)


async def test_votes_are_counted_once(town: Town) -> None:
    people = [await town.person(f"p{n}") for n in range(4)]
    poll = await town.post(people[0], "?", poll=PollDraft(options=("a", "b"), expires_in=300, multiple=True))
    for n, who in enumerate(people[1:]):
        await polls.vote(town.ports, actor=who, poll_id=poll, choices=[0, 1] if n == 0 else [1])
        entity = await polls.poll_entity(town.ports, poll, await viewer_of(town.ports, who.account_id))
        assert b'"voted":true' in entity
        assert b'"voters_count":%d' % (n + 1) in entity
        await town.work(disorder=True)
    await town.work(disorder=True)
    total = await town.ports.store.get(POLL_COUNTS, (poll,))
    assert total is not None
    assert (total.votes, total.voters) == ((1, 3), 3)
