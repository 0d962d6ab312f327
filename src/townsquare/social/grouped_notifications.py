"""Notices in groups: what many did to one status is one line.

Box: social. Source: Mastodon API, /methods/grouped_notifications/
"""

from collections.abc import Collection, Sequence

import msgspec

from townsquare.model.account import Account
from townsquare.model.errors import NotFound
from townsquare.model.notification import GROUPED_KINDS, group_key, group_span
from townsquare.model.paging import Window
from townsquare.render.grouped_notifications import GroupView
from townsquare.render.status import Person, StatusView
from townsquare.social.notifications import Notice, NoticeFilter, dressed, unread_from, wanted_rows
from townsquare.social.ports import Ports
from townsquare.social.viewer import Viewer, viewer_of
from townsquare.store import notifications as rows
from townsquare.store.tables import NotificationRow

SAMPLES = 8  # accounts named in a group
_CHUNK = 100
_STEPS = 10  # chunks read for one page at most
_MOST = 1_000  # notices of one group, and what of the groups of a page lies below it


class GroupPage(msgspec.Struct, frozen=True, kw_only=True):
    """Groups, the one with the newest notice first, with all that they name."""

    groups: list[GroupView]
    people: dict[int, Person]
    statuses: dict[int, StatusView]
    newest: int = 0  # ids between which notices were looked at
    oldest: int = 0
    more: bool = False  # further on in the direction of the walk


class GroupFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which notices are asked for, and which kinds of them in groups."""

    notices: NoticeFilter = NoticeFilter()
    grouped: tuple[str, ...] = GROUPED_KINDS

    def key(self, row: NotificationRow) -> str:
        """The key of the row's group."""
        return group_key(row.kind, row.status_id, row.notification_id, grouped=self.grouped)


async def groups(ports: Ports, *, actor: Account, window: Window, wanted: GroupFilter) -> GroupPage:
    """A page of at most `window.limit` groups. A group whose notices lie on both sides of the page's end shows on both
    pages, under one key, and counts what lies below."""
    viewer = await viewer_of(ports, actor.account_id)
    page, more = await _page_rows(ports, actor, window, wanted, viewer)
    if not page:
        return GroupPage(groups=[], people={}, statuses={})
    oldest = page[-1].notification_id
    below = await _below(ports, actor, page, wanted, viewer)
    shown = await dressed(ports, [*page, *below], viewer)
    return msgspec.structs.replace(
        _page_of(shown, wanted, oldest=oldest), newest=page[0].notification_id, oldest=oldest, more=more
    )


async def _page_rows(
    ports: Ports, actor: Account, window: Window, wanted: GroupFilter, viewer: Viewer
) -> tuple[list[NotificationRow], bool]:
    """The rows of the page's groups, newest first, and whether there are more."""
    found: list[NotificationRow] = []
    keys: set[str] = set()
    step = msgspec.structs.replace(window, limit=_CHUNK)
    for _ in range(_STEPS):
        chunk = await wanted_rows(ports, actor, step, wanted.notices, viewer)
        for row in reversed(chunk) if window.forward else chunk:
            key = wanted.key(row)
            if key not in keys and len(keys) == window.limit:
                return window.newest_first(found), True
            keys.add(key)
            found.append(row)
        if len(chunk) < _CHUNK:
            return window.newest_first(found), False
        step = step.beyond(found[-1].notification_id)
    return window.newest_first(found), True


async def _below(
    ports: Ports, actor: Account, page: Sequence[NotificationRow], wanted: GroupFilter, viewer: Viewer
) -> list[NotificationRow]:
    """What belongs to the page's groups and is older than the page."""
    keys = {wanted.key(row) for row in page}
    spans = [span.above for key in keys if (span := group_span(key)) is not None and span.kind]
    end = page[-1].notification_id
    if not spans or min(spans) >= end:
        return []
    window = Window(above=min(spans), below=end, limit=_MOST)
    return [row for row in await wanted_rows(ports, actor, window, wanted.notices, viewer) if wanted.key(row) in keys]


def _page_of(shown: Sequence[Notice], wanted: GroupFilter, *, oldest: int | None) -> GroupPage:
    """The groups of notices that are newest first. `oldest`: the last id of the page; None where there is no page."""
    members: dict[str, list[Notice]] = {}
    for each in shown:
        members.setdefault(wanted.key(each.row), []).append(each)
    views = [
        _view(key, notices, oldest)
        for key, notices in members.items()
        if oldest is None or notices[0].row.notification_id >= oldest
    ]
    sampled = {account_id for view in views for account_id in view.samples}
    named = {view.status_id for view in views}
    return GroupPage(
        groups=views,
        people={each.row.actor: each.actor for each in shown if each.row.actor in sampled},
        statuses={
            each.row.status_id: each.status for each in shown if each.status is not None and each.row.status_id in named
        },
    )


def _view(key: str, notices: Sequence[Notice], oldest: int | None) -> GroupView:
    newest = notices[0].row
    ids = [each.row.notification_id for each in notices]
    return GroupView(
        key=key,
        kind=newest.kind,
        count=len(ids),
        newest_id=ids[0],
        page=(min(each for each in ids if each >= oldest), ids[0]) if oldest is not None else None,
        samples=list(dict.fromkeys(each.row.actor for each in notices))[:SAMPLES],
        status_id=newest.status_id,
    )


# One group ------------------------------------------------------------------------------------------------------------


async def _members(ports: Ports, actor: Account, key: str) -> tuple[list[NotificationRow], Viewer]:
    """The rows of one group, newest first; of one whose key is none, none."""
    viewer = await viewer_of(ports, actor.account_id)
    span = group_span(key)
    if span is None:
        return [], viewer
    found = await wanted_rows(
        ports, actor, Window(above=span.above, below=span.below, limit=_MOST), NoticeFilter(), viewer
    )
    if span.kind:
        found = [row for row in found if group_key(row.kind, row.status_id, row.notification_id) == key]
    return found, viewer


async def group(ports: Ports, *, actor: Account, key: str) -> GroupPage:
    """One group, whole.

    Raises: NotFound.
    """
    found, viewer = await _members(ports, actor, key)
    shown = await dressed(ports, found, viewer)
    if not shown:
        raise NotFound
    alone = key.startswith("ungrouped-")
    return _page_of(shown, GroupFilter(grouped=() if alone else GROUPED_KINDS), oldest=None)


async def group_members(ports: Ports, *, actor: Account, key: str, window: Window) -> list[Notice]:
    """The notices of a group, to list who is behind them."""
    found, viewer = await _members(ports, actor, key)
    shown = await dressed(ports, found, viewer)
    inside = [
        each
        for each in shown
        if (window.below is None or each.row.notification_id < window.below)
        and (window.above is None or each.row.notification_id > window.above)
    ]
    return inside[-window.limit :] if window.forward else inside[: window.limit]


async def dismiss_group(ports: Ports, *, actor: Account, key: str) -> None:
    """Take away all notices of a group; one that is not there is no error."""
    found, _ = await _members(ports, actor, key)
    await rows.switch_off(ports.store, found)


async def unread_groups(ports: Ports, *, actor: Account, wanted: GroupFilter, limit: int) -> int:
    """How many groups have notices since the one that the actor marked as read, at most `limit`."""
    viewer = await viewer_of(ports, actor.account_id)
    window = Window(above=await unread_from(ports, actor), limit=min(_MOST, limit * 4))
    found = await wanted_rows(ports, actor, window, wanted.notices, viewer)
    return min(len({wanted.key(row) for row in found}), limit)


def grouped_kinds(asked: Collection[str] | None) -> tuple[str, ...]:
    """The kinds to group of those that a client names; all that can be where it names none."""
    return GROUPED_KINDS if asked is None else tuple(kind for kind in GROUPED_KINDS if kind in asked)
