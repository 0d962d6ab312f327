"""Statuses: the rows that make one, an author's logs by month, and what was kept under an Idempotency-Key.

Box: store.
"""

import hashlib
from collections.abc import Sequence

from townsquare.kit.snowflake import day_of, month_of
from townsquare.model.account import Visibility
from townsquare.model.status import Status
from townsquare.store.port import Put, Store, Write
from townsquare.store.tables import (
    AUTHOR_LOG,
    AUTHOR_MONTHS,
    IDEMPOTENCY,
    STATUSES,
    THREADS,
    TIMELINES,
    IdempotencyRow,
    LogRow,
    MonthRow,
    ThreadRow,
    TimelineRow,
)
from townsquare.store.timelines import LOCAL


def created_us(status_id: int) -> int:
    """The time stamp of the writes that make a status: that of its id. So whatever is written about it later wins over
    a repeat of its making."""
    return (status_id >> 16) * 1000


def making(status: Status) -> tuple[list[Write], list[Write]]:
    """The writes that make a status: those that come first, then the commit."""
    month = month_of(status.status_id)
    before: list[Write] = [
        Put(STATUSES, status),
        Put(AUTHOR_MONTHS, MonthRow(author=status.author, month=month)),
    ]
    if status.reply_to:
        row = ThreadRow(
            root=status.root,
            status_id=status.status_id,
            parent=status.reply_to,
            author=status.author,
            visibility=status.visibility,
        )
        before.append(Put(THREADS, row))
    log = LogRow(
        author=status.author,
        month=month,
        status_id=status.status_id,
        visibility=status.visibility,
        reply_to=status.reply_to,
        reply_to_author=status.reply_to_author,
        boost_of=status.boost_of,
        media=bool(status.media),
        tags=tuple(tag.lower() for tag in status.tags),
        link=status.card if status.visibility is Visibility.PUBLIC else "",
    )
    return before, [Put(AUTHOR_LOG, log), *(Put(TIMELINES, row) for row in timeline_rows(status))]


def timeline_rows(status: Status) -> list[TimelineRow]:
    """Where a status stands in timelines that all share."""
    if status.visibility is not Visibility.PUBLIC or status.boost_of:
        return []
    day, month = day_of(status.status_id), month_of(status.status_id)
    places = [(f"#{tag.lower()}", month) for tag in status.tags]
    if not status.reply_to or status.reply_to_author == status.author:
        places.append((LOCAL, day))
    return [
        TimelineRow(
            timeline=timeline,
            period=period,
            shard=0,
            status_id=status.status_id,
            author=status.author,
            media=bool(status.media),
        )
        for timeline, period in places
    ]


async def get_statuses(store: Store, ids: Sequence[int]) -> list[Status | None]:
    """The rows in the ids' order, tombstones included. Cost: one round trip."""
    return await store.get_many(STATUSES, [(each,) for each in ids])


async def log_rows(store: Store, made: Sequence[tuple[int, int]]) -> list[LogRow | None]:
    """The log rows of (author, status id): a status without one was never committed. Cost: one round trip."""
    return await store.get_many(AUTHOR_LOG, [(author, month_of(each), each) for author, each in made])


async def claim_key(store: Store, account_id: int, key: str, status_id: int) -> int:
    """The id that a status under this Idempotency-Key must have: `status_id`, or the one that was first."""
    key_hash = hashlib.sha256(key.encode("utf-8", "replace")).digest()
    row = IdempotencyRow(account_id=account_id, key_hash=key_hash, status_id=status_id)
    there = await store.slow_put_if_absent(IDEMPOTENCY, row)
    return there.status_id if there is not None else status_id
