"""Blocks, mutes, follow requests, notes, and who wants a notice of each post: one account's relations by kind.

Box: store. Kinds: block, blocked_by (its other side), mute, request (somebody asks to follow me), note, and notify
(somebody who follows me wants a notice of each of my statuses).
"""

from collections.abc import Sequence

from townsquare.model.paging import Window
from townsquare.store.kept import kept_rows
from townsquare.store.port import Store
from townsquare.store.tables import RELATIONS, RelationRow

MOST = 10_000  # of one kind


async def relation(store: Store, account_id: int, kind: str, other: int) -> RelationRow | None:
    """The row, also one that is switched off."""
    return await store.get(RELATIONS, (account_id, kind, other))


async def relations(
    store: Store, account_id: int, kinds: Sequence[str], others: Sequence[int]
) -> list[dict[str, RelationRow]]:
    """For each of the others, the rows that are on, by kind. Cost: one round trip."""
    rows = await store.get_many(RELATIONS, [(account_id, kind, other) for other in others for kind in kinds])
    width = len(kinds)
    return [
        {row.kind: row for row in rows[start : start + width] if row is not None and row.on}
        for start in range(0, len(rows), width)
    ]


async def relation_page(store: Store, account_id: int, kind: str, window: Window, now_ms: int) -> list[RelationRow]:
    """Rows that are on and not over, the highest account id first. Cost: one read, more where many are off."""
    rows = await kept_rows(store, RELATIONS, (account_id, kind), window, lambda row: row.on and not row.is_over(now_ms))
    return window.newest_first(rows)


async def count_relations(store: Store, account_id: int, kind: str) -> int:
    """How many rows of a kind are on, at most MOST. Cost: one read of the partition."""
    return sum(row.on for row in await store.range(RELATIONS, (account_id, kind), limit=MOST))
