"""Notices: read them, dismiss them, and bring one into line with what it tells of.

Box: social. Source: Mastodon API, /methods/notifications/
"""

from collections.abc import Sequence

import msgspec

from townsquare.kit.snowflake import month_at, month_of, ms_of
from townsquare.model.account import Account
from townsquare.model.errors import NotFound
from townsquare.model.events import NotificationEvent, encode_event
from townsquare.model.paging import Window
from townsquare.model.tasks import Notify
from townsquare.render.status import Person, StatusView
from townsquare.social.hydrate import people, statuses
from townsquare.social.notification_policy import Verdict, verdict_on
from townsquare.social.ports import Ports
from townsquare.social.seeing import may_see
from townsquare.social.viewer import Viewer, viewer_of
from townsquare.store import notifications as rows
from townsquare.store.follows import ON, REQUESTED, follow_row
from townsquare.store.port import Put
from townsquare.store.tables import MARKERS, MINE, NOTIFICATIONS, STATUSES, NotificationRow

KINDS = ("mention", "status", "reblog", "follow", "follow_request", "favourite", "poll", "update")
WITHOUT_STATUS = ("follow", "follow_request")
_STEPS = 5  # readings for one page of which some are hidden
_MOST_CLEARED = 100_000


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice with all that its page needs."""

    row: NotificationRow
    actor: Person
    status: StatusView | None


class NoticeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which notices are asked for."""

    types: tuple[str, ...] = ()  # empty: all
    exclude_types: tuple[str, ...] = ()
    account_id: int = 0
    filtered: bool | None = False  # held back by the policy; None: both those and the others

    def takes(self, row: NotificationRow) -> bool:
        """Whether the row is one of them."""
        return (
            (not self.types or row.kind in self.types)
            and row.kind not in self.exclude_types
            and (not self.account_id or row.actor == self.account_id)
            and (self.filtered is None or row.filtered is self.filtered)
        )


async def notices(
    ports: Ports, *, actor: Account, window: Window, wanted: NoticeFilter
) -> tuple[list[Notice], int | None]:
    """Notices, newest first, without those of people who are blocked or muted since, and the id from which the next
    page goes on (None where there is no more)."""
    viewer = await viewer_of(ports, actor.account_id)
    found: list[Notice] = []
    last = None
    for _ in range(_STEPS):
        rest = msgspec.structs.replace(window, limit=window.limit - len(found))
        page = await wanted_rows(ports, actor, rest, wanted, viewer)
        last = page[0 if window.forward else -1].notification_id if page else None
        shown = await dressed(ports, page, viewer)
        found = shown + found if window.forward else found + shown
        if len(page) < window.limit - len(found) + len(shown):
            last = None
        if last is None or len(found) >= window.limit:
            break
        window = window.beyond(last)
    return found, last


async def wanted_rows(
    ports: Ports, actor: Account, window: Window, wanted: NoticeFilter, viewer: Viewer
) -> list[NotificationRow]:
    """The rows of notices that are asked for, newest first, without those of people who are blocked or muted since."""
    return await rows.notices_page(
        ports.store,
        actor.account_id,
        window,
        months=months(ports, actor),
        keep=lambda row: wanted.takes(row) and is_welcome(viewer, row.actor),
    )


def months(ports: Ports, actor: Account) -> tuple[int, int]:
    """The oldest and the newest month in which notices are looked for."""
    newest = month_at(ports.clock.now_ms()) + 1  # a clock of another process may be ahead at the turn of a month
    return max(month_at(actor.created_ms), newest - rows.MOST_MONTHS), newest


def is_welcome(viewer: Viewer, actor_id: int) -> bool:
    """Whether the viewer wants to hear of what this account does."""
    return actor_id == viewer.account_id or not (
        actor_id in viewer.blocking or actor_id in viewer.blocked_by or actor_id in viewer.muting_notices
    )


async def dressed(ports: Ports, page: Sequence[NotificationRow], viewer: Viewer) -> list[Notice]:
    """The notices whose actor and status are still there for the viewer."""
    if not page:
        return []
    actors = list(dict.fromkeys(row.actor for row in page))
    persons = dict(zip(actors, await people(ports, actors), strict=True))
    ids = list(dict.fromkeys(row.status_id for row in page if row.status_id))
    views = {view.status.status_id: view for view in await statuses(ports, ids, viewer, gate=may_see)} if ids else {}
    shown = []
    for row in page:
        person = persons[row.actor]
        if person is None or person.account.is_gone:
            continue
        if row.kind not in WITHOUT_STATUS and row.status_id not in views:
            continue
        shown.append(Notice(row=row, actor=person, status=views.get(row.status_id)))
    return shown


async def notice(ports: Ports, *, actor: Account, notification_id: int) -> Notice:
    """One notice of the actor's own.

    Raises: NotFound.
    """
    row = await rows.get_notice(ports.store, actor.account_id, notification_id)
    if row is None:
        raise NotFound
    viewer = await viewer_of(ports, actor.account_id)
    shown = await dressed(ports, [row], viewer) if is_welcome(viewer, row.actor) else []
    if not shown:
        raise NotFound
    return shown[0]


async def unread_from(ports: Ports, actor: Account) -> int | None:
    """The id of the last notice that the actor marked as read, None where they marked none."""
    marker = await ports.store.get(MARKERS, (actor.account_id, "notifications"))
    return marker.last_read_id if marker else None


async def unread_count(ports: Ports, *, actor: Account, wanted: NoticeFilter, limit: int) -> int:
    """How many notices came since the one that the actor marked as read, at most `limit`."""
    window = Window(above=await unread_from(ports, actor), limit=limit)
    viewer = await viewer_of(ports, actor.account_id)
    return len(await wanted_rows(ports, actor, window, wanted, viewer))


async def dismiss(ports: Ports, *, actor: Account, ids: Sequence[int]) -> int:
    """Take away notices of the actor's own, for good; how many there were."""
    keys = [(actor.account_id, month_of(each), each) for each in ids]
    found = [row for row in await ports.store.get_many(NOTIFICATIONS, keys) if row is not None and row.on]
    await rows.switch_off(ports.store, found)
    return len(found)


async def clear(ports: Ports, *, actor: Account) -> None:
    """Take away all notices of the actor's."""
    window = Window(limit=1000)
    cleared = 0
    while cleared < _MOST_CLEARED:
        page = await rows.notices_page(
            ports.store, actor.account_id, window, months=months(ports, actor), keep=lambda _: True
        )
        await rows.switch_off(ports.store, page)
        cleared += len(page)
        if len(page) < window.limit:
            return
        window = Window(limit=1000, below=page[-1].notification_id)


# Making them ----------------------------------------------------------------------------------------------------------


async def settle_notice(ports: Ports, told: Notify) -> None:
    """Bring one notice into line with what it tells of: write it if that stands and the recipient wants it, take it
    back if not. One that was dismissed stays away. Safe to repeat, in any order."""
    wanted = NotificationRow(
        account_id=told.recipient,
        month=month_at(told.at_ms),
        notification_id=0,
        kind=told.kind,
        actor=told.actor,
        status_id=told.status_id,
    )
    notification_id, row = await rows.find_slot(ports.store, wanted, told.at_ms)
    if not await _stands(ports, told):
        if row is not None and row.on:
            await rows.switch_off(ports.store, [row])
        return
    if row is not None or not await _is_wanted(ports, told):
        return
    verdict = await verdict_on(ports, told)
    if verdict is Verdict.DROP:
        return
    held = verdict is Verdict.FILTER
    made = msgspec.structs.replace(wanted, notification_id=notification_id, filtered=held)
    await ports.store.write([Put(NOTIFICATIONS, made)])
    if held:
        return
    event = NotificationEvent(told.recipient, notification_id)
    ports.streaming.publish(event.topic, encode_event(event))


async def _stands(ports: Ports, told: Notify) -> bool:
    """Whether the act of which the notice tells is still so, and is the one of that time."""
    if told.kind in WITHOUT_STATUS:
        follow = await follow_row(ports.store, told.actor, told.recipient)
        state = ON if told.kind == "follow" else REQUESTED
        return follow is not None and follow.state == state and ms_of(follow.since_id) == told.at_ms
    if told.kind in ("favourite", "reblog"):
        key = (told.actor, month_of(told.status_id), told.status_id, told.kind)
        mine = await ports.store.get(MINE, key)
        return mine is not None and mine.on and mine.at_ms == told.at_ms
    status = await ports.store.get(STATUSES, (told.status_id,))
    return status is not None and not status.deleted


async def _is_wanted(ports: Ports, told: Notify) -> bool:
    """Whether the recipient may and wants to be told."""
    if told.kind not in KINDS or (told.actor == told.recipient and told.kind != "poll"):
        return False
    recipient, actor = await people(ports, [told.recipient, told.actor])
    if recipient is None or recipient.account.deleted or recipient.account.domain:
        return False
    if actor is None or actor.account.is_gone:
        return False
    viewer = await viewer_of(ports, told.recipient)
    if not is_welcome(viewer, told.actor):
        return False
    if told.status_id:
        return await _may_hear(ports, told, viewer)
    return True


async def _may_hear(ports: Ports, told: Notify, viewer: Viewer) -> bool:
    """Whether the recipient may see the status and has not muted its conversation."""
    views = await statuses(ports, [told.status_id], viewer, gate=may_see)
    if not views:
        return False
    root = views[0].status.root or told.status_id
    muted = await ports.store.get(MINE, (told.recipient, month_of(root), root, "mute"))
    return muted is None or not muted.on
