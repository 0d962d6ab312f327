"""Who used a tag or shared a link on a day: each account once, by the first of its statuses that stands.

Box: social. What counts is how a status was posted, whatever its edits say. Only the first statuses of a day are looked
at: one that posts without end costs no more and counts once.
"""

from collections.abc import Sequence

from townsquare.kit.snowflake import day_of, first_id_at, month_at, ms_of
from townsquare.model.account import Visibility
from townsquare.model.facts import DAY_MS, Fact, fact_id
from townsquare.social.facts import ended
from townsquare.store.port import Store
from townsquare.store.tables import AUTHOR_LOG, LogRow
from townsquare.store.together import all_of

_FIRST = 100  # statuses of an author and day

_Label = tuple[str, str]  # kind and label


async def tag_accounts(store: Store, rows: Sequence[LogRow]) -> list[Fact]:
    """The facts that go with rows of `author_log` as they are now: of those that stand, and of those that do no longer.

    Cost: one read for each author and day.
    """
    rows = [row for row in rows if _labels(row)]
    changed = {row.status_id: row for row in rows}
    days = dict.fromkeys((row.author, day_of(row.status_id)) for row in rows)
    found = dict(zip(days, await all_of(_of_day(store, author, day) for author, day in days), strict=True))
    facts: dict[int, Fact] = {}
    for row in rows:
        there = [changed.get(each.status_id, each) for each in found[row.author, day_of(row.status_id)]]
        for label in _labels(row):
            first = next((each for each in there if each.on and label in _labels(each)), None)
            if first is not None:
                fact = _fact(first, label)
                facts[fact.id] = fact
    return [*facts.values(), *ended(_fact(row, label) for row in rows if not row.on for label in _labels(row))]


def _labels(row: LogRow) -> list[_Label]:
    if row.visibility != Visibility.PUBLIC or row.boost_of:
        return []
    return [("tag_account", tag) for tag in row.tags] + ([("link_account", row.link)] if row.link else [])


def _fact(row: LogRow, label: _Label) -> Fact:
    kind, text = label
    number = fact_id(kind, row.author, row.status_id, text)
    return Fact(id=number, kind=kind, at_ms=ms_of(row.status_id), actor=row.author, label=text)


async def _of_day(store: Store, author: int, day: int) -> list[LogRow]:
    """An author's first statuses of a day, in their order."""
    start_ms = day * DAY_MS
    return await store.range(
        AUTHOR_LOG,
        (author, month_at(start_ms)),
        above=first_id_at(start_ms) - 1,
        below=first_id_at(start_ms + DAY_MS),
        limit=_FIRST,
        reverse=True,
    )
