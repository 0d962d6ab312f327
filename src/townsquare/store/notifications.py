"""Notices of an account, newest first, over the months in which they lie.

Box: store. A notice's id is `ms << 16 | hash`, so that its time and its month are in it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import msgspec

from townsquare.kit.snowflake import month_at, month_of
from townsquare.model.paging import Window
from townsquare.store.kept import kept_rows
from townsquare.store.port import Put, Store
from townsquare.store.tables import NOTIFICATIONS, NotificationRow

PROBES = 4  # ids tried for one notice: two with one id are seldom, four in a row do not happen
_AHEAD = 6  # months read at once where the newest ones have too few
MOST_MONTHS = 24  # how far back notices are shown

Keep = Callable[[NotificationRow], bool]


def notice_ids(recipient: int, actor: int, kind: str, status_id: int, at_ms: int) -> Iterator[int]:
    """The ids that a notice may have, the first one nearly always."""
    for probe in range(PROBES):
        name = f"{kind}/{recipient}/{actor}/{status_id}/{probe}".encode()
        yield at_ms << 16 | int.from_bytes(hashlib.blake2b(name, digest_size=2).digest())


async def find_slot(store: Store, wanted: NotificationRow, at_ms: int) -> tuple[int, NotificationRow | None]:
    """The id for a notice, and the row if it is there already. Cost: one round trip, nearly always."""
    found, row = 0, None
    for found in notice_ids(wanted.account_id, wanted.actor, wanted.kind, wanted.status_id, at_ms):
        row = await store.get(NOTIFICATIONS, (wanted.account_id, month_at(at_ms), found))
        if row is None or (row.actor, row.kind, row.status_id) == (wanted.actor, wanted.kind, wanted.status_id):
            break
    return found, row


async def get_notice(store: Store, account_id: int, notification_id: int) -> NotificationRow | None:
    """One notice that is on."""
    row = await store.get(NOTIFICATIONS, (account_id, month_of(notification_id), notification_id))
    return row if row is not None and row.on else None


async def notices_page(
    store: Store, account_id: int, window: Window, *, months: tuple[int, int], keep: Keep
) -> list[NotificationRow]:
    """Notices that are on and that `keep` takes, newest first. `months`: the oldest and the newest to look at.

    Cost: one read a month with notices; months without are read six at once.
    """
    oldest, newest = months
    if window.below is not None:
        newest = min(newest, month_of(window.below))
    if window.above is not None:
        oldest = max(oldest, month_of(window.above))
    step = 1 if window.forward else -1
    order = list(range(oldest, newest + 1))[::step]
    found: list[NotificationRow] = []
    for start in range(0, len(order), _AHEAD):
        ahead = order[start : start + _AHEAD]
        heads = await store.range_many(NOTIFICATIONS, [(account_id, month) for month in ahead], limit=1)
        for month, head in zip(ahead, heads, strict=True):
            if head:
                rest = msgspec.structs.replace(window, limit=window.limit - len(found))
                found += await kept_rows(
                    store, NOTIFICATIONS, (account_id, month), rest, lambda row: row.on and keep(row)
                )
            if len(found) >= window.limit:
                return window.newest_first(found)
    return window.newest_first(found)


async def switch_off(store: Store, rows: Sequence[NotificationRow]) -> None:
    """Dismiss notices for good: a repeat of what they tell of does not bring them back."""
    for start in range(0, len(rows), 500):
        await store.write(
            [
                Put(
                    NOTIFICATIONS,
                    NotificationRow(
                        account_id=row.account_id,
                        month=row.month,
                        notification_id=row.notification_id,
                        kind=row.kind,
                        actor=row.actor,
                        status_id=row.status_id,
                        on=False,
                    ),
                )
                for row in rows[start : start + 500]
            ]
        )
