"""Notices in groups: those of one kind about one status on one day (UTC) are shown as one.

Box: social. Source: Mastodon API, /methods/grouped_notifications/
A group's key says what is in it, so that nothing needs to be kept of groups.
"""

from collections.abc import Sequence

import msgspec

from townsquare.kit.snowflake import day_of, first_id_at
from townsquare.model.account import Account
from townsquare.model.errors import NotFound
from townsquare.model.paging import Window
from townsquare.social import notifications
from townsquare.social.notifications import Notice, NoticeFilter, notices
from townsquare.social.ports import Ports
from townsquare.store.tables import NotificationRow

GROUPED = ("favourite", "follow", "reblog")
_DAY_MS = 86_400_000
_READS = 4  # pages of notices that are read for one page of groups
_MOST = 1_000  # notices of one group that are looked at


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Notices of one group, newest first; never none."""

    key: str
    notices: tuple[Notice, ...]

    @property
    def kind(self) -> str:
        """The type that they share."""
        return self.notices[0].row.kind


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What a group's key says. `notification_id`: a notice that stands alone."""

    notification_id: int = 0
    kind: str = ""
    status_id: int = 0
    day: int = 0


def key_of(row: NotificationRow, grouped: Sequence[str] = GROUPED) -> str:
    """The key of the group to which a notice belongs."""
    if row.kind not in grouped or row.kind not in GROUPED:
        return f"ungrouped-{row.notification_id}"
    return f"{row.kind}-{row.status_id}-{day_of(row.notification_id)}"


def read_key(text: str) -> Key:
    """What a key says.

    Raises: NotFound where it is none.
    """
    kind, *numbers = text.split("-")
    if not all(each.isascii() and each.isdecimal() and len(each) <= 18 for each in numbers):
        raise NotFound
    if kind == "ungrouped" and len(numbers) == 1:
        return Key(notification_id=int(numbers[0]))
    if kind in GROUPED and len(numbers) == 2 and len(numbers[1]) <= 6:
        return Key(kind=kind, status_id=int(numbers[0]), day=int(numbers[1]))
    raise NotFound


async def groups(
    ports: Ports, *, actor: Account, window: Window, wanted: NoticeFilter, grouped: Sequence[str] = GROUPED
) -> tuple[list[Group], int | None]:
    """Groups by their newest notice, and the id from which the next page goes on (None where there is no more)."""
    found: dict[str, list[Notice]] = {}
    last: int | None = None
    reached: int | None = None
    for _ in range(_READS):
        page, last = await notices(ports, actor=actor, window=window, wanted=wanted)
        for notice in reversed(page) if window.forward else page:
            key = key_of(notice.row, grouped)
            if key not in found and len(found) == window.limit:
                return _ordered(found, forward=window.forward), reached
            found.setdefault(key, []).append(notice)
            reached = notice.row.notification_id
        if last is None or len(found) == window.limit:
            break
        window = msgspec.structs.replace(window, **{"above" if window.forward else "below": last})
    return _ordered(found, forward=window.forward), last


def _ordered(found: dict[str, list[Notice]], *, forward: bool) -> list[Group]:
    step = -1 if forward else 1
    made = [Group(key=key, notices=tuple(several[::step])) for key, several in found.items()]
    return sorted(made, key=lambda group: group.notices[0].row.notification_id, reverse=True)


async def group(ports: Ports, *, actor: Account, key: str) -> Group:
    """One group of the actor's own.

    Raises: NotFound.
    """
    said = read_key(key)
    if said.notification_id:
        one = await notifications.notice(ports, actor=actor, notification_id=said.notification_id)
        return Group(key=key, notices=(one,))
    first = first_id_at(said.day * _DAY_MS)
    window = Window(above=first - 1, below=first_id_at((said.day + 1) * _DAY_MS), limit=_MOST)
    page, _ = await notices(ports, actor=actor, window=window, wanted=NoticeFilter(types=(said.kind,)))
    mine = tuple(notice for notice in page if notice.row.status_id == said.status_id)
    if not mine:
        raise NotFound
    return Group(key=key, notices=mine)


async def dismiss_group(ports: Ports, *, actor: Account, key: str) -> None:
    """Take all notices of a group away.

    Raises: NotFound.
    """
    gone = await group(ports, actor=actor, key=key)
    await notifications.dismiss(ports, actor=actor, ids=[notice.row.notification_id for notice in gone.notices])


async def unread_groups(
    ports: Ports, *, actor: Account, wanted: NoticeFilter, grouped: Sequence[str], limit: int
) -> int:
    """How many groups have notices since the one that the actor marked as read, at most `limit`."""
    rows = await notifications.unread_rows(ports, actor=actor, wanted=wanted, limit=limit)
    return len({key_of(row, grouped) for row in rows})
