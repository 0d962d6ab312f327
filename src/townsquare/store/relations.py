"""Blocks, mutes, follow requests, notes, and who wants a notice of each post: one account's relations by kind.

Box: store. Kinds: block, blocked_by (its other side), mute, request (somebody asks to follow me), note, and notify
(somebody who follows me wants a notice of each of my statuses).
"""

from collections.abc import Sequence

from townsquare.model.paging import Window
from townsquare.store.port import Store
from townsquare.store.tables import RELATIONS, RelationRow

_STEP = 200  # rows read at once where some are switched off
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
    found: list[RelationRow] = []
    below, above = window.below, window.above
    while len(found) < window.limit:
        rows = await store.range(
            RELATIONS,
            (account_id, kind),
            above=above,
            below=below,
            limit=max(window.limit, _STEP),
            reverse=not window.forward,
        )
        found += [row for row in rows if row.on and not 0 < row.expires_ms <= now_ms]
        if len(rows) < max(window.limit, _STEP):
            break
        below, above = (below, rows[-1].other) if window.forward else (rows[-1].other, above)
    found = found[: window.limit]
    return found[::-1] if window.forward else found


async def count_relations(store: Store, account_id: int, kind: str) -> int:
    """How many rows of a kind are on, at most MOST. Cost: one read of the partition."""
    return sum(row.on for row in await store.range(RELATIONS, (account_id, kind), limit=MOST))
