"""The counts lane: reactions, replies, statuses and votes, counted as sets.

Box: workers. A row says whether its total holds it, and both stand in one partition, so they change in one step: a
task done twice finds nothing to do. Tasks of one partition come one after another, so each total has one writer; a
batch is one write for each partition, however many tasks it has. What happened is told to the analytics with the write
that makes a repeat find nothing to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec

from townsquare.kit.snowflake import month_of, ms_of
from townsquare.model.account import OPEN, Visibility
from townsquare.model.facts import Fact
from townsquare.model.status import Status
from townsquare.model.tasks import AnyTask, ApplyReaction, CountReply, CountStatus, CountVote, Notify
from townsquare.social.facts import BOOKMARK, bookmark_facts, ended, reaction_facts, status_facts, told, vote_facts
from townsquare.social.hydrate import drop_accounts, drop_totals
from townsquare.social.ports import Ports
from townsquare.social.tag_accounts import tag_accounts
from townsquare.store.accounts import settle_stats
from townsquare.store.kept import count_rows
from townsquare.store.port import Put, Write
from townsquare.store.reactions import BUCKET_ROWS, buckets_of
from townsquare.store.statuses import get_statuses
from townsquare.store.tables import (
    AUTHOR_LOG,
    AUTHOR_LOG_COUNTS,
    MINE,
    POLL_COUNTS,
    POLL_VOTES,
    REACTION_COUNTS,
    REACTIONS,
    REPLY_COUNTS,
    THREADS,
    LogCountRow,
    LogRow,
    MineRow,
    ReactionCountRow,
    ReactionRow,
    ReplyCountRow,
    ThreadRow,
    VoteCountRow,
    VoteRow,
)
from townsquare.store.together import all_of
from townsquare.workers.jobs import Job, Jobs
from townsquare.workers.tally import Tally

_VOTES_AT_ONCE = 1_000


# Reactions ------------------------------------------------------------------------------------------------------------


async def apply_reactions(tasks: Sequence[ApplyReaction], ports: Ports) -> None:
    """Bring the statuses' reactions, totals and notices into line with the actors' own rows."""
    acts = list(dict.fromkeys((task.status_id, task.kind, task.actor) for task in tasks))
    mine = await ports.store.get_many(MINE, [(actor, month_of(each), each, kind) for each, kind, actor in acts])
    rows = dict(zip(acts, mine, strict=True))
    by_status: dict[int, list[tuple[str, int, MineRow | None]]] = {}
    for (status_id, kind, actor), row in rows.items():
        by_status.setdefault(status_id, []).append((kind, actor, row))
    found = await get_statuses(ports.store, list(by_status))
    statuses = dict(zip(by_status, found, strict=True))
    changes = await all_of(
        _changed_reactions(ports, status_id, [act for act in group if act[0] != BOOKMARK], statuses[status_id])
        for status_id, group in by_status.items()
    )
    facts = [fact for change in changes for fact in change.facts]
    facts += await _undone_and_private(ports, tasks, rows, statuses)
    # The tasks first: they are made from the actors' own rows, and a repeat would find nothing to do.
    notices = [notice for change in changes for notice in change.notices]
    writes = [write for change in changes for write in change.writes]
    await ports.outbox.leave([*notices, *told(facts)], then=writes)
    await drop_totals(ports, list(by_status))


@dataclass(slots=True)
class _Change:
    """What one status's reactions come to."""

    writes: list[Write] = field(default_factory=list)
    notices: list[AnyTask] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


async def _changed_reactions(
    ports: Ports, status_id: int, acts: Sequence[tuple[str, int, MineRow | None]], status: Status | None
) -> _Change:
    change = _Change()
    if not acts:
        return change
    totals = await buckets_of(ports.store, status_id)
    counted = len(totals)
    if sum(totals[-1].values()) >= BUCKET_ROWS:
        totals.append({})
    keys = [(status_id, bucket, kind, actor) for kind, actor, _ in acts for bucket in range(counted)]
    found = {(row.kind, row.account_id): row for row in await ports.store.get_many(REACTIONS, keys) if row}
    tally = Tally[tuple[int, str]]()
    for kind, actor, mine in acts:
        old = found.get((kind, actor))
        new = _reaction(status_id, len(totals) - 1, mine, old)
        if new is None:
            continue
        if new == old:
            tally.repeat((new.bucket, kind))
            continue
        change.writes.append(Put(REACTIONS, new))
        tally.add((new.bucket, kind), new.counted - (old is not None and old.counted))
        if status is not None and not status.deleted and status.author != actor:
            change.notices += _notices(status, new, old)
        if new.on:
            change.facts += reaction_facts(kind, actor, new.at_ms, status)

    async def recount(place: tuple[int, str]) -> int:
        bucket, kind = place
        return await count_rows(ports.store, REACTIONS, (status_id, bucket), _is_counted, within=(kind,))

    kept = {(bucket, kind): n for bucket, total in enumerate(totals) for kind, n in total.items()}
    for (bucket, kind), n in (await tally.changed(kept, recount)).items():
        row = ReactionCountRow(status_id=status_id, bucket=bucket, kind=kind, n=n)
        change.writes.append(Put(REACTION_COUNTS, row))
    return change


def _is_counted(row: ReactionRow | LogRow) -> bool:
    return row.counted


def _reaction(status_id: int, open_bucket: int, mine: MineRow | None, old: ReactionRow | None) -> ReactionRow | None:
    """The counted side of an actor's row; None where there is and was nothing."""
    if mine is None or (old is None and not mine.on):
        return None
    return ReactionRow(
        status_id=status_id,
        bucket=old.bucket if old is not None else open_bucket,
        kind=mine.kind,
        account_id=mine.account_id,
        on=mine.on,
        ref=mine.ref,
        at_ms=mine.at_ms,
        counted=mine.on,
    )


def _notices(status: Status, new: ReactionRow, old: ReactionRow | None) -> list[AnyTask]:
    """Tell the author of an act that stands, and take back the notice of one that no longer does."""
    times = [row.at_ms for row in (old, new) if row is not None and row.on]
    return [
        Notify(recipient=status.author, actor=new.account_id, kind=new.kind, status_id=status.status_id, at_ms=at_ms)
        for at_ms in dict.fromkeys(times)
    ]


async def _undone_and_private(
    ports: Ports,
    tasks: Sequence[ApplyReaction],
    rows: Mapping[tuple[int, str, int], MineRow | None],
    statuses: Mapping[int, Status | None],
) -> list[Fact]:
    """Facts of what was undone, taken back; and those of bookmarks."""
    facts: list[Fact] = []
    for task in tasks:
        mine, status = rows[task.status_id, task.kind, task.actor], statuses[task.status_id]
        on_ms = mine.at_ms if mine is not None and mine.on else 0
        acts = [(mine.ref, on_ms, False)] if mine is not None and on_ms and task.kind == BOOKMARK else []
        if task.undone_ms and task.undone_ms != on_ms:
            acts.append((task.undone_ref, task.undone_ms, True))
        for ref, at_ms, is_undone in acts:
            if task.kind == BOOKMARK:
                nyms = await ports.pseudonyms.of(ports.store, ports.clock, "acts", "month", at_ms)
                found = bookmark_facts(nyms.name(task.actor), ref, at_ms, status)
            else:
                found = reaction_facts(task.kind, task.actor, at_ms, status)
            facts += ended(found) if is_undone else found
    return facts


# Replies --------------------------------------------------------------------------------------------------------------


async def count_replies(tasks: Sequence[CountReply], ports: Ports) -> None:
    """Count open replies for what they answer, and take out those that are gone."""
    replies = list(dict.fromkeys((task.root, task.status_id) for task in tasks))
    rows = await ports.store.get_many(THREADS, replies)
    statuses = await get_statuses(ports.store, [status_id for _, status_id in replies])
    writes: list[Write] = []
    tally = Tally[tuple[int, int]]()
    for row, status in zip(rows, statuses, strict=True):
        if row is None:
            continue
        on = status is not None and not status.deleted
        new = msgspec.structs.replace(row, on=on, counted=on and row.visibility in OPEN)
        place = row.root, row.parent
        if new != row:
            writes.append(Put(THREADS, new))
            tally.add(place, new.counted - row.counted)
        elif row.counted or not row.on:
            tally.repeat(place)
    writes += await _reply_totals(ports, tally)
    if writes:
        await ports.store.write(writes)
    await drop_totals(ports, list(dict.fromkeys(row.parent for row in rows if row is not None)))


async def _reply_totals(ports: Ports, tally: Tally[tuple[int, int]]) -> list[Write]:
    async def recount(place: tuple[int, int]) -> int:
        root, parent = place
        return await count_rows(ports.store, THREADS, (root,), partial(_answers, parent))

    found = await ports.store.get_many(REPLY_COUNTS, tally.places) if tally.places else []
    kept = {(row.root, row.parent): row.n for row in found if row is not None}
    totals = await tally.changed(kept, recount)
    return [Put(REPLY_COUNTS, ReplyCountRow(root=root, parent=parent, n=n)) for (root, parent), n in totals.items()]


def _answers(parent: int, row: ThreadRow) -> bool:
    return row.counted and row.parent == parent


# Statuses -------------------------------------------------------------------------------------------------------------


async def count_statuses(tasks: Sequence[CountStatus], ports: Ports) -> None:
    """Count the authors' statuses, take out those that are gone, and set the authors' totals."""
    made = list(dict.fromkeys((task.author, month_of(task.status_id), task.status_id) for task in tasks))
    rows = await ports.store.get_many(AUTHOR_LOG, made)
    statuses = await get_statuses(ports.store, [status_id for _, _, status_id in made])
    writes: list[Write] = []
    tally = Tally[tuple[int, int]]()
    facts: list[Fact] = []
    past: list[Fact] = []
    changed_rows: list[LogRow] = []
    gone: dict[int, list[Fact]] = {}
    for task in tasks:
        gone.setdefault(task.status_id, []).extend(task.ended)
    # An edit is told with what it ended, and is no repeat of a count.
    edited = set(gone).difference(task.status_id for task in tasks if not task.ended)
    for row, status in zip(rows, statuses, strict=True):
        if row is None:  # never committed
            continue
        new = _counted(row, status)
        if new != row or gone[row.status_id]:
            stand = status_facts(status) if new.counted and status is not None else []
            facts += stand
            past += [fact for fact in gone[row.status_id] if fact not in stand]
        month = row.author, row.month
        if new != row:
            changed_rows.append(new)
            writes.append(Put(AUTHOR_LOG, new))
            tally.add(month, new.counted - row.counted)
        elif not row.on or (row.counted and row.status_id not in edited):
            tally.repeat(month)
    writes += await _month_totals(ports, tally)
    facts += [*ended(past), *await tag_accounts(ports.store, changed_rows)]
    await ports.outbox.leave(told(facts), then=writes)
    authors = list(dict.fromkeys(author for author, _, _ in made))
    # At once, so that one commit to disk serves them all.
    await all_of(settle_stats(ports.store, author, ports.clock) for author in authors)
    await drop_accounts(ports, authors)


async def _month_totals(ports: Ports, tally: Tally[tuple[int, int]]) -> list[Write]:
    async def recount(month: tuple[int, int]) -> int:
        return await count_rows(ports.store, AUTHOR_LOG, month, _is_counted)

    found = await ports.store.get_many(AUTHOR_LOG_COUNTS, tally.places) if tally.places else []
    kept = {(row.author, row.month): row.n for row in found if row is not None}
    totals = await tally.changed(kept, recount)
    return [Put(AUTHOR_LOG_COUNTS, LogCountRow(author=who, month=month, n=n)) for (who, month), n in totals.items()]


def _counted(row: LogRow, status: Status | None) -> LogRow:
    on = status is not None and not status.deleted
    return msgspec.structs.replace(row, on=on, counted=on and row.visibility != Visibility.DIRECT)


# Votes ----------------------------------------------------------------------------------------------------------------


async def count_votes(tasks: Sequence[CountVote], ports: Ports) -> None:
    """Count votes; a voter of 0 stands for all of the poll's, counted anew."""
    by_poll: dict[int, list[int]] = {}
    for task in tasks:
        by_poll.setdefault(task.poll_id, []).append(task.voter)
    polls = await get_statuses(ports.store, list(by_poll))
    for voters, status in zip(by_poll.values(), polls, strict=True):
        if status is None or status.poll is None:
            continue
        options = len(status.poll.options)
        if 0 in voters:
            await _recount_votes(ports, status, options)
        else:
            await _count_votes(ports, status, list(dict.fromkeys(voters)), options)
    await drop_totals(ports, list(by_poll))


async def _count_votes(ports: Ports, status: Status, voters: Sequence[int], options: int) -> None:
    poll_id = status.status_id
    rows = await ports.store.get_many(POLL_VOTES, [(poll_id, voter) for voter in voters])
    new = [row for row in rows if row is not None and not row.counted]
    if not new:
        return
    total = await ports.store.get(POLL_COUNTS, (poll_id,))
    votes = list(total.votes) if total else [0] * options
    _add(votes, new)
    await _write_votes(ports, status, new, votes, (total.voters if total else 0) + len(new))


async def _recount_votes(ports: Ports, status: Status, options: int) -> None:
    poll_id = status.status_id
    votes, voters, above = [0] * options, 0, None
    uncounted: list[VoteRow] = []
    while True:
        rows = await ports.store.range(POLL_VOTES, (poll_id,), above=above, limit=_VOTES_AT_ONCE)
        _add(votes, rows)
        voters += len(rows)
        uncounted += [row for row in rows if not row.counted]
        if len(rows) < _VOTES_AT_ONCE:
            break
        above = rows[-1].voter
    await _write_votes(ports, status, uncounted, votes, voters)


def _add(votes: list[int], rows: Sequence[VoteRow]) -> None:
    for row in rows:
        for choice in row.choices:
            if choice < len(votes):
                votes[choice] += 1


async def _write_votes(ports: Ports, status: Status, rows: Sequence[VoteRow], votes: list[int], voters: int) -> None:
    counted: list[Write] = [Put(POLL_VOTES, msgspec.structs.replace(row, counted=True)) for row in rows]
    total = VoteCountRow(poll_id=status.status_id, votes=tuple(votes), voters=voters)
    facts: list[Fact] = []
    for row in rows:
        nyms = await ports.pseudonyms.of(ports.store, ports.clock, "acts", "month", ms_of(row.vote_id))
        facts += vote_facts(nyms.name(row.voter), row.vote_id, status)
    await ports.outbox.leave(told(facts), then=[*counted, Put(POLL_COUNTS, total)])


JOBS: Jobs = {
    ApplyReaction: Job(apply_reactions, batch=True),
    CountReply: Job(count_replies, batch=True),
    CountStatus: Job(count_statuses, batch=True),
    CountVote: Job(count_votes, batch=True),
}
