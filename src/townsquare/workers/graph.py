"""The graph lane: brings followers, counts, requests, notices and home timelines into line with follows and blocks.

Box: workers. All of it works from the rows as they are when the task runs, so repeats and reorders end the same way.
Tasks of one target come one after another: its buckets of followers have one writer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from townsquare.kit.snowflake import ms_of
from townsquare.model.facts import Fact
from townsquare.model.tasks import AnyTask, ApplyBlock, ApplyFollow, ExpireMute, IndexAccount, Notify
from townsquare.social.audience import drop_audiences
from townsquare.social.facts import follow_fact, relation_fact, told, unfollow_facts
from townsquare.social.follows import request_row, severed
from townsquare.social.hydrate import drop_accounts
from townsquare.social.ports import Ports
from townsquare.social.timelines import merge_followee
from townsquare.social.viewer import drop_viewers
from townsquare.store.accounts import settle_stats
from townsquare.store.follows import BUCKET_ROWS, OFF, ON, REQUESTED, all_following, follow_rows
from townsquare.store.kept import count_rows
from townsquare.store.port import Put, Write
from townsquare.store.tables import (
    ACCOUNT_STATS,
    FOLLOWER_COUNTS,
    FOLLOWER_DIRECTORY,
    FOLLOWERS,
    FOLLOWING_COUNTS,
    RELATIONS,
    FollowerCountRow,
    FollowerDirectoryRow,
    FollowerRow,
    FollowingCountRow,
    FollowingRow,
    RelationRow,
)
from townsquare.store.together import all_of
from townsquare.workers.jobs import Job, Jobs
from townsquare.workers.tally import Tally


async def apply_follows(tasks: Sequence[ApplyFollow], ports: Ports) -> None:
    """Bring all that follows from these `following` rows into line with them: one reading and one write for each bucket
    of followers. Safe to run twice."""
    pairs = list(dict.fromkeys((task.follower, task.target) for task in tasks))
    found = await follow_rows(ports.store, pairs)
    facts = _ends(tasks, dict(zip(pairs, found, strict=True)))
    rows = await _sever_blocked(ports, [row for row in found if row is not None])
    buckets: dict[tuple[int, int], list[FollowingRow]] = {}
    for row in rows:
        buckets.setdefault((row.target, row.bucket), []).append(row)
    changes = await all_of(_changed_bucket(ports, target, bucket, group) for (target, bucket), group in buckets.items())
    left = [task for change in changes for task in change.tasks]
    facts += [fact for change in changes for fact in change.facts]
    # The tasks first: a repeat would find nothing to do.
    writes = [write for change in changes for write in change.writes]
    await ports.outbox.leave([*left, *told(facts)], then=writes)
    await _settle(ports, rows)
    await drop_audiences(ports, list({row.target for row in rows}))
    for row in rows:
        if row.state == ON:  # on a repeat too, so that a crash before this loses nothing
            await merge_followee(ports, row.account_id, row.target)


def _ends(tasks: Sequence[ApplyFollow], rows: Mapping[tuple[int, int], FollowingRow | None]) -> list[Fact]:
    """Facts of the follows that ended, as the acts name them and the rows confirm."""
    facts: list[Fact] = []
    for task in tasks:
        row = rows[task.follower, task.target]
        stands = row is not None and row.state == ON and row.since_id == task.ended_id
        if task.ended_id and not stands:
            facts += unfollow_facts(task.follower, task.target, task.ended_id, task.ended_ms)
    return facts


async def _sever_blocked(ports: Ports, rows: Sequence[FollowingRow]) -> list[FollowingRow]:
    """The rows, those ended of which one side blocks the other: the follow and the block may have met."""
    keys = [
        key for row in rows for key in ((row.target, "block", row.account_id), (row.account_id, "block", row.target))
    ]
    blocks = await ports.store.get_many(RELATIONS, keys)
    settled = []
    for row, theirs, mine in zip(rows, blocks[::2], blocks[1::2], strict=True):
        at_ids = [block.at_id for block in (theirs, mine) if block is not None and block.on]
        if at_ids and row.state != OFF:
            # As of the block: a follow made after the block was lifted stays.
            at_ms = ms_of(min(at_ids))
            facts = unfollow_facts(row.account_id, row.target, row.since_id, at_ms) if row.state == ON else []
            await ports.outbox.commit(severed(row), tasks=told(facts), at=at_ms * 1000 + 999)
            settled.append(msgspec.structs.replace(row, state=OFF))
        else:
            settled.append(row)
    return settled


@dataclass(slots=True)
class _Change:
    """What one bucket's follows come to. Its writes belong in one step."""

    writes: list[Write] = field(default_factory=list)
    tasks: list[AnyTask] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


async def _changed_bucket(ports: Ports, target: int, bucket: int, rows: Sequence[FollowingRow]) -> _Change:
    """One bucket's followers with their count."""
    store, change = ports.store, _Change()
    old = await store.get_many(FOLLOWERS, [(target, bucket, row.account_id) for row in rows])
    count = await store.get(FOLLOWER_COUNTS, (target, bucket))
    kept, tally = count.n if count else 0, Tally[int]()
    for row, was in zip(rows, old, strict=True):
        new = _follower(row)
        if new != was and (was is not None or new.on):
            change.writes.append(Put(FOLLOWERS, new))
            tally.add(bucket, new.counted - (was.counted if was is not None else False))
        if new == was:
            tally.repeat(bucket)
        if new.on and (was is None or not was.on or was.since_id != new.since_id):
            change.facts.append(follow_fact(row.account_id, row.target, row.since_id))
        change.tasks += _notices(row, was)

    async def recount(bucket: int) -> int:
        return await count_rows(store, FOLLOWERS, (target, bucket), lambda row: row.counted)

    totals = await tally.changed({bucket: kept}, recount)
    n = totals.get(bucket, kept)
    if totals:
        change.writes.append(Put(FOLLOWER_COUNTS, FollowerCountRow(account_id=target, bucket=bucket, n=n)))
    change.writes += await _asked(ports, rows)
    if n >= BUCKET_ROWS:
        change.writes += await _next_bucket(ports, target, bucket)
    return change


def _follower(row: FollowingRow) -> FollowerRow:
    """The other side of a follow."""
    on = row.state == ON
    return FollowerRow(
        account_id=row.target,
        bucket=row.bucket,
        follower=row.account_id,
        on=on,
        since_id=row.since_id,
        reblogs=row.reblogs,
        notify=row.notify,
        languages=row.languages,
        counted=on,
    )


def _notices(row: FollowingRow, was: FollowerRow | None) -> list[AnyTask]:
    """What the target is to be told, or no longer; the notices are made from the same row, so none is doubled."""
    kind = "follow_request" if row.state == REQUESTED else "follow"
    at_ms = ms_of(row.since_id)
    tasks: list[AnyTask] = [Notify(recipient=row.target, actor=row.account_id, kind=kind, status_id=0, at_ms=at_ms)]
    if was is not None and was.since_id != row.since_id:
        # An earlier follow's notice goes.
        at_ms = ms_of(was.since_id)
        tasks.append(Notify(recipient=row.target, actor=row.account_id, kind="follow", status_id=0, at_ms=at_ms))
    return tasks


async def _asked(ports: Ports, rows: Sequence[FollowingRow]) -> list[Write]:
    """The target's lists of those who ask and of those who want a notice of each status, where they are not right."""
    wanted = [
        relation
        for row in rows
        for relation in (
            request_row(row),
            RelationRow(
                account_id=row.target,
                kind="notify",
                other=row.account_id,
                on=row.state == ON and row.notify,
                at_id=row.since_id,
            ),
        )
    ]
    keys = [(each.account_id, each.kind, each.other) for each in wanted]
    found = await ports.store.get_many(RELATIONS, keys)
    return [
        Put(RELATIONS, new) for new, old in zip(wanted, found, strict=True) if new.on != (old is not None and old.on)
    ]


async def _next_bucket(ports: Ports, target: int, bucket: int) -> list[Write]:
    directory = await ports.store.get(FOLLOWER_DIRECTORY, (target,))
    if (directory.open_bucket if directory else 0) > bucket:
        return []
    return [Put(FOLLOWER_DIRECTORY, FollowerDirectoryRow(account_id=target, open_bucket=bucket + 1))]


async def _settle(ports: Ports, rows: Sequence[FollowingRow]) -> None:
    """Totals of all who are named, then their kept copies."""
    followers = list(dict.fromkeys(row.account_id for row in rows))
    targets = dict.fromkeys(row.target for row in rows)
    await all_of(_count_following(ports, follower) for follower in followers)
    before = await ports.store.get_many(ACCOUNT_STATS, [(target,) for target in targets])
    followers_before = [was.followers if was else 0 for was in before]
    await all_of(_settle_target(ports, target, n) for target, n in zip(targets, followers_before, strict=True))
    await all_of(_settle_follower(ports, follower) for follower in followers if follower not in targets)
    await drop_accounts(ports, [*followers, *targets])
    await drop_viewers(ports, followers)


async def _settle_target(ports: Ports, target: int, followers_before: int) -> None:
    stats = await settle_stats(ports.store, target, ports.clock)
    # The index ranks by followers; a new order of magnitude is worth a new entry.
    if stats.followers.bit_length() != followers_before.bit_length():
        await ports.outbox.commit(tasks=[IndexAccount(account_id=target)])


async def _settle_follower(ports: Ports, follower: int) -> None:
    await settle_stats(ports.store, follower, ports.clock)


async def _count_following(ports: Ports, follower: int) -> None:
    """Set how many an account follows by a recount of its one partition.

    Tasks of one follower run side by side (they are ordered by target), so the row's time is that of the reading.
    """
    now_ms = ports.clock.now_ms()
    n = sum(row.state == ON for row in await all_following(ports.store, follower))
    await ports.store.write([Put(FOLLOWING_COUNTS, FollowingCountRow(account_id=follower, n=n))], at=now_ms * 1000)


async def apply_block(task: ApplyBlock, ports: Ports) -> None:
    """Bring a block's other side and the follows between the two into line with it; forget both viewers."""
    me, target = task.account_id, task.target
    keys = [(me, "block", target), (target, "blocked_by", me), (me, "mute", target)]
    block, back, mute = await ports.store.get_many(RELATIONS, keys)
    await _tell_relations(ports, [row for row in (block, mute) if row is not None and row.on])
    on = block is not None and block.on
    if block is not None and on != (back is not None and back.on):
        side = RelationRow(account_id=target, kind="blocked_by", other=me, on=on, at_id=block.at_id)
        await ports.store.write([Put(RELATIONS, side)])
    await drop_viewers(ports, [me, target])
    if on:
        pairs = [(me, target), (target, me)]
        rows = await follow_rows(ports.store, pairs)
        left: list[AnyTask] = [
            ApplyFollow(follower=row.account_id, target=row.target) for row in rows if row and row.state != OFF
        ]
        await ports.outbox.commit(tasks=left)


async def _tell_relations(ports: Ports, rows: Sequence[RelationRow]) -> None:
    facts = []
    for row in rows:
        nyms = await ports.pseudonyms.of(ports.store, ports.clock, "acts", "month", ms_of(row.at_id))
        facts.append(relation_fact(row.kind, nyms.name(row.account_id), row.at_id))
    await ports.outbox.leave(told(facts))


async def expire_mute(task: ExpireMute, ports: Ports) -> None:
    """End a mute whose time is over; one that was made anew since stays."""
    row = await ports.store.get(RELATIONS, (task.account_id, "mute", task.target))
    if row is not None and row.on and row.is_over(ports.clock.now_ms()):
        over = msgspec.structs.replace(row, on=False)
        await ports.store.write([Put(RELATIONS, over)], at=row.expires_ms * 1000)
    await drop_viewers(ports, [task.account_id])


JOBS: Jobs = {
    ApplyFollow: Job(apply_follows, batch=True),
    ApplyBlock: Job(apply_block),
    ExpireMute: Job(expire_mute),
}
