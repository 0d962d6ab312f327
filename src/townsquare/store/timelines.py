"""Timelines from rows: those that all share, walked over their periods, and home from the logs of its authors.

Box: store.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from townsquare.kit.snowflake import day_of, first_id_of_month, month_of
from townsquare.model.paging import Window
from townsquare.store.accounts import MOST_MONTHS
from townsquare.store.port import Store
from townsquare.store.tables import AUTHOR_LOG, AUTHOR_MONTHS, TIMELINES, LogRow, TimelineRow
from townsquare.store.together import all_of

LOCAL = "local"
_DAYS_BACK = 366  # days without any status after which the local timeline ends
_MONTHS_BACK = 120  # the same for a hashtag, in months
_FIRST_LOOK = 4  # periods that are looked into at once; four times more with each look
_CHUNK = 40  # rows of one author that are read at once
_AUTHORS_AT_ONCE = 250

Filter = Callable[[LogRow], bool]


# Shared timelines -----------------------------------------------------------------------------------------------------


async def shared_page(store: Store, timeline: str, window: Window, now_id: int) -> list[TimelineRow]:
    """Rows of the local or a hashtag timeline, newest first. Cost: one read a period that has any, and one look ahead
    for each `_FIRST_LOOK`, then four times more, periods."""
    period_of, back = (day_of, _DAYS_BACK) if timeline == LOCAL else (month_of, _MONTHS_BACK)
    newest = period_of(min(window.below or now_id, now_id))
    oldest = max(period_of(window.above or 0) if window.above else 0, newest - back)
    found: list[TimelineRow] = []
    periods = range(oldest, newest + 1) if window.forward else range(newest, oldest - 1, -1)
    async for period in _inhabited(store, timeline, iter(periods)):
        found += await store.range(
            TIMELINES,
            (timeline, period, 0),
            above=window.above,
            below=window.below,
            limit=window.limit - len(found),
            reverse=window.forward,
        )
        if len(found) >= window.limit:
            break
    return window.newest_first(found)


async def _inhabited(store: Store, timeline: str, periods: Iterator[int]) -> AsyncIterator[int]:
    size = _FIRST_LOOK
    while ahead := list(islice(periods, size)):
        heads = await store.range_many(TIMELINES, [(timeline, period, 0) for period in ahead], limit=1)
        for period, head in zip(ahead, heads, strict=True):
            if head:
                yield period
        size *= 4


# Home -----------------------------------------------------------------------------------------------------------------


async def merged_logs(store: Store, authors: Sequence[int], window: Window, keep: Filter) -> list[LogRow]:
    """The statuses of many authors, newest first, of which `keep` holds: exactly those that a page of them all has.

    An author is read only as far as the page needs, so many quiet or far older logs cost nothing.
    Cost: one read of the authors' months, then rounds of one read for each author that may still add to the page.
    """
    merge = _Merge(store, window, keep)
    for start in range(0, len(authors), _AUTHORS_AT_ONCE):
        part = authors[start : start + _AUTHORS_AT_ONCE]
        months = await store.range_many(AUTHOR_MONTHS, [(author,) for author in part], limit=MOST_MONTHS)
        for author, rows in zip(part, months, strict=True):
            merge.add(author, [row.month for row in rows])
    return await merge.run()


class _Log:
    """How far one author's log was read. Reach: keys (see `_Merge`) above it are all known."""

    __slots__ = ("author", "cursor", "months", "reach")

    def __init__(self, author: int, months: list[int], reach: int) -> None:
        self.author, self.months, self.reach, self.cursor = author, months, reach, 0


class _Merge:
    """Merges logs. Keys are ids, or minus ids when the walk goes forward: so the highest keys are always wanted."""

    def __init__(self, store: Store, window: Window, keep: Filter) -> None:
        self._store, self._window, self._keep = store, window, keep
        self._sign = -1 if window.forward else 1
        self._logs: list[_Log] = []
        self._rows: list[LogRow] = []

    def add(self, author: int, months: list[int]) -> None:
        """An author with the months in which there are statuses, the newest first."""
        newest = month_of(self._window.below) if self._window.below else months[0] if months else 0
        oldest = month_of(self._window.above) if self._window.above else 0
        inside = [month for month in months if oldest <= month <= newest]
        if inside:
            # The next month to read stands last.
            self._logs.append(_Log(author, inside if self._window.forward else inside[::-1], 0))
            self._logs[-1].reach = self._start(self._logs[-1].months[-1])

    def _start(self, month: int) -> int:
        """The highest key that a month can have, plus one."""
        return -first_id_of_month(month) + 1 if self._window.forward else first_id_of_month(month + 1)

    async def run(self) -> list[LogRow]:
        """Read until nothing that was not read can be on the page."""
        limit = self._window.limit
        while True:
            cut = self._cut(limit)
            todo = [log for log in self._logs if log.months and (cut is None or log.reach > cut)]
            if not todo:
                break
            for start in range(0, len(todo), _AUTHORS_AT_ONCE):
                await self._read(todo[start : start + _AUTHORS_AT_ONCE])
        self._rows.sort(key=lambda row: self._sign * row.status_id, reverse=True)
        return self._window.newest_first(self._rows[:limit])

    def _cut(self, limit: int) -> int | None:
        """The key of the last entry of the page as far as it is known; None while there are too few."""
        if len(self._rows) < limit:
            return None
        keys = np.fromiter((self._sign * row.status_id for row in self._rows), np.int64, len(self._rows))
        return int(np.partition(keys, len(keys) - limit)[len(keys) - limit])

    async def _read(self, logs: Sequence[_Log]) -> None:
        # A month from its top needs no bound, so all such are one round trip.
        unbounded = self._window.below is None and not self._window.forward
        fresh = [log for log in logs if unbounded and not log.cursor]
        others = [log for log in logs if not unbounded or log.cursor]
        if fresh:
            keys = [(log.author, log.months[-1]) for log in fresh]
            for log, rows in zip(fresh, await self._store.range_many(AUTHOR_LOG, keys, limit=_CHUNK), strict=True):
                self._take(log, rows)
        for log, rows in zip(others, await all_of(self._range(log) for log in others), strict=True):
            self._take(log, rows)

    async def _range(self, log: _Log) -> list[LogRow]:
        above, below = self._window.above, self._window.below
        if log.cursor:
            above, below = (log.cursor, below) if self._window.forward else (above, log.cursor)
        return await self._store.range(
            AUTHOR_LOG,
            (log.author, log.months[-1]),
            above=above,
            below=below,
            limit=_CHUNK,
            reverse=self._window.forward,
        )

    def _take(self, log: _Log, rows: Sequence[LogRow]) -> None:
        above = self._window.above or 0
        self._rows += [row for row in rows if row.on and row.status_id > above and self._keep(row)]
        if len(rows) == _CHUNK:
            log.cursor = rows[-1].status_id
            log.reach = self._sign * log.cursor
            if log.cursor <= above:
                log.months = []
            return
        log.months.pop()
        log.cursor = 0
        if log.months:
            log.reach = self._start(log.months[-1])
