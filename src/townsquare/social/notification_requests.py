"""Notices that a policy holds back, by the one who made them, and what becomes of them.

Box: social. Source: Mastodon API, /methods/notifications/#get-requests
They are not kept as such: a request is the notices of one account that are held back, and its id is that account's.
"""

from collections.abc import Sequence

import msgspec

from townsquare.model.account import Account
from townsquare.model.errors import NotFound
from townsquare.model.paging import Window
from townsquare.render.status import Person, StatusView
from townsquare.social.notification_policy import LET_IN
from townsquare.social.notifications import dressed, is_welcome, months
from townsquare.social.ports import Ports
from townsquare.social.viewer import Viewer, viewer_of
from townsquare.store import notifications as rows
from townsquare.store.port import Put, Write
from townsquare.store.tables import NOTIFICATIONS, RELATIONS, NotificationRow, RelationRow

_MOST = 1_000  # held notices that are looked at, the newest ones


class HeldRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The held notices of one account."""

    actor: Person
    count: int
    oldest_id: int
    newest_id: int
    last_status: StatusView | None


async def requests(ports: Ports, *, actor: Account, window: Window) -> list[HeldRequest]:
    """Who has notices held back, the highest account id first."""
    by_actor, viewer = await _held(ports, actor)
    ids = [
        each
        for each in sorted(by_actor, reverse=True)
        if (window.below is None or each < window.below) and (window.above is None or each > window.above)
    ]
    page = ids[-window.limit :] if window.forward else ids[: window.limit]
    return await _shown(ports, [by_actor[each] for each in page], viewer)


async def request(ports: Ports, *, actor: Account, by: int) -> HeldRequest:
    """What is held back of one account's.

    Raises: NotFound.
    """
    by_actor, viewer = await _held(ports, actor)
    found = await _shown(ports, [by_actor[by]], viewer) if by in by_actor else []
    if not found:
        raise NotFound
    return found[0]


async def held_totals(ports: Ports, *, actor: Account) -> tuple[int, int]:
    """How many accounts have notices held back, and how many notices these are."""
    by_actor, _ = await _held(ports, actor)
    return len(by_actor), sum(len(each) for each in by_actor.values())


async def let_in(ports: Ports, *, actor: Account, ids: Sequence[int]) -> None:
    """Show what these accounts did, and what they do from now on, whatever the policy says.

    Raises: NotFound where one of them has nothing held back; nothing is changed then.
    """
    me = actor.account_id
    chosen = await _chosen(ports, actor, ids)
    writes: list[Write] = [
        Put(RELATIONS, RelationRow(account_id=me, kind=LET_IN, other=each, on=True, at_id=ports.new_id()))
        for each in chosen
    ]
    writes += [
        Put(NOTIFICATIONS, msgspec.structs.replace(row, filtered=False)) for held in chosen.values() for row in held
    ]
    await ports.store.write(writes)


async def send_away(ports: Ports, *, actor: Account, ids: Sequence[int]) -> None:
    """Take away what is held back of these accounts'.

    Raises: NotFound where one of them has nothing held back; nothing is changed then.
    """
    chosen = await _chosen(ports, actor, ids)
    await rows.switch_off(ports.store, [row for held in chosen.values() for row in held])


async def _chosen(ports: Ports, actor: Account, ids: Sequence[int]) -> dict[int, list[NotificationRow]]:
    by_actor, _ = await _held(ports, actor)
    if any(each not in by_actor for each in ids):
        raise NotFound
    return {each: by_actor[each] for each in ids}


async def _held(ports: Ports, actor: Account) -> tuple[dict[int, list[NotificationRow]], Viewer]:
    """What is held back, by who did it, newest first."""
    viewer = await viewer_of(ports, actor.account_id)
    found = await rows.notices_page(
        ports.store,
        actor.account_id,
        Window(limit=_MOST),
        months=months(ports, actor),
        keep=lambda row: row.filtered and is_welcome(viewer, row.actor),
    )
    by_actor: dict[int, list[NotificationRow]] = {}
    for row in found:
        by_actor.setdefault(row.actor, []).append(row)
    return by_actor, viewer


async def _shown(ports: Ports, page: Sequence[list[NotificationRow]], viewer: Viewer) -> list[HeldRequest]:
    shown = []
    notices = await dressed(ports, [row for held in page for row in held], viewer)
    for held in page:
        mine = [each for each in notices if each.row.actor == held[0].actor]
        if mine:
            shown.append(
                HeldRequest(
                    actor=mine[0].actor,
                    count=len(mine),
                    oldest_id=mine[-1].row.notification_id,
                    newest_id=mine[0].row.notification_id,
                    last_status=next((each.status for each in mine if each.status is not None), None),
                )
            )
    return shown
