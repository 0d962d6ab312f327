"""What an account does with statuses, switched on and off: the part that favourites, boosts and bookmarks share.

Box: social. The actor's `mine` row is the truth; the counts worker brings everything else into line with it.
"""

from collections.abc import Sequence

import msgspec

from townsquare.kit.snowflake import month_of
from townsquare.model.account import Account
from townsquare.model.errors import Forbidden
from townsquare.model.paging import Window
from townsquare.model.status import Status, StatusCounts
from townsquare.model.tasks import ApplyReaction
from townsquare.render.status import Person, StatusView, totals
from townsquare.social.accounts import standing_people
from townsquare.social.hydrate import drop_flags, drop_totals, statuses, visible
from townsquare.social.ports import Ports
from townsquare.social.seeing import may_see
from townsquare.social.viewer import Viewer, viewer_of
from townsquare.store.port import Put, Write
from townsquare.store.reactions import marks_page, mine, mine_many, reaction, reactions_page, year_of
from townsquare.store.tables import MARKS, MINE, MarkRow, MineRow

_STEPS = 5  # reads of a page of which much was undone or is not to be seen


async def target_of(ports: Ports, *, actor: Account, status_id: int) -> Status:
    """The status that an act is about: the original, where a boost is named.

    Raises: NotFound where the actor may not see it; Forbidden where the actor blocks its author.
    """
    status = await shown_target(ports, actor=actor, status_id=status_id)
    if status.author in (await viewer_of(ports, actor.account_id)).blocking:
        raise Forbidden
    return status


async def shown_target(ports: Ports, *, actor: Account, status_id: int) -> Status:
    """The same for acts that concern nobody else.

    Raises: NotFound where the actor may not see it.
    """
    view = await visible(ports, status_id, await viewer_of(ports, actor.account_id))
    return (view.reblog or view).status


async def switch(ports: Ports, *, actor_id: int, status_id: int, kind: str, on: bool) -> None:
    """Switch a favourite or a bookmark; a repeat changes nothing."""
    old = await mine(ports.store, actor_id, status_id, kind)
    if (old is not None and old.on) == on:
        return
    mark_id = ports.new_id() if on else 0
    before: list[Write] = []
    if on:
        mark = MarkRow(account_id=actor_id, kind=kind, year=year_of(mark_id), mark_id=mark_id, status_id=status_id)
        before.append(Put(MARKS, mark))
    row = mine_row(ports, actor_id, status_id, kind, old=old, on=on, ref=mark_id)
    await ports.outbox.commit(before, [Put(MINE, row)], tasks=[_reaction(row, None if on else old)])
    await drop_flags(ports, actor_id, [status_id])


async def end_reblog(ports: Ports, row: MineRow) -> None:
    """The boost is gone: so is the reaction."""
    new = mine_row(ports, row.account_id, row.status_id, row.kind, old=row, on=False, ref=row.ref)
    await ports.outbox.commit([Put(MINE, new)], tasks=[_reaction(new, row)])
    await drop_flags(ports, row.account_id, [row.status_id])


def _reaction(row: MineRow, undone: MineRow | None) -> ApplyReaction:
    """The task to an act, or to the undoing of one."""
    ref, at_ms = (undone.ref, undone.at_ms) if undone is not None and undone.on else (0, 0)
    return ApplyReaction(row.status_id, row.account_id, row.kind, undone_ref=ref, undone_ms=at_ms)


def mine_row(
    ports: Ports, actor_id: int, status_id: int, kind: str, *, old: MineRow | None, on: bool, ref: int
) -> MineRow:
    """A new state of an account's act, later than the old one whatever the clock says."""
    at_ms = max(ports.clock.now_ms(), old.at_ms + 1 if old else 0)
    month = month_of(status_id)
    return MineRow(account_id=actor_id, month=month, status_id=status_id, kind=kind, on=on, ref=ref, at_ms=at_ms)


async def seen_by_actor(ports: Ports, *, actor: Account, status_id: int, kind: str) -> StatusView:
    """The status as the actor sees it just after acting: the total holds the own change, counted yet or not.

    Raises: NotFound.
    """
    viewer = await viewer_of(ports, actor.account_id)
    view = await visible(ports, status_id, viewer)
    target = (view.reblog or view).status.status_id
    counted = await _counted(ports, target, kind, actor.account_id)
    while True:
        await drop_totals(ports, [target])
        view = await visible(ports, status_id, viewer)
        again = await _counted(ports, target, kind, actor.account_id)
        if again == counted:
            break
        counted = again
    wanted = await mine(ports.store, actor.account_id, target, kind)
    return _adjusted(view, kind, int(wanted is not None and wanted.on) - int(counted))


async def _counted(ports: Ports, status_id: int, kind: str, actor_id: int) -> bool:
    row = await reaction(ports.store, status_id, kind, actor_id)
    return row is not None and row.on and row.counted


def _adjusted(view: StatusView, kind: str, change: int) -> StatusView:
    if not change:
        return view
    counts = view.totals.counts
    field = {"favourite": "favourites", "reblog": "reblogs"}[kind]
    new: StatusCounts = msgspec.structs.replace(counts, **{field: max(0, getattr(counts, field) + change)})
    inner = None if view.reblog is None else _adjusted(view.reblog, kind, change)
    totals_now = totals(new, votes=view.totals.votes, voters=view.totals.voters)
    return msgspec.structs.replace(view, totals=totals_now, reblog=inner, parts=())


async def reacted(
    ports: Ports, *, status_id: int, kind: str, viewer: Viewer, window: Window
) -> tuple[list[Person], list[int]]:
    """Who marked or boosted a status, without those who are at odds with the viewer; and the account ids of all that
    the page is about, the highest first, by which the next one is asked for.

    Raises: NotFound where the viewer may not see the status.
    """
    view = await visible(ports, status_id, viewer)
    rows = await reactions_page(ports.store, (view.reblog or view).status.status_id, kind, window)
    hidden = viewer.blocking | viewer.blocked_by
    shown = await standing_people(ports, [row.account_id for row in rows if row.account_id not in hidden])
    return shown, [row.account_id for row in rows]


class MarksPage(msgspec.Struct, frozen=True):
    """Statuses of a list, and the ids of the first and last entry that were looked at."""

    views: list[StatusView]
    newest: int = 0
    oldest: int = 0
    is_end: bool = False


async def marked_page(ports: Ports, *, actor: Account, kind: str, window: Window) -> MarksPage:
    """An account's favourites or bookmarks that it may still see, in the order in which they were made."""
    viewer = await viewer_of(ports, actor.account_id)
    now_id = ports.clock.now_ms() + 1000 << 16
    views: list[StatusView] = []
    scanned: list[int] = []
    full = True
    for _ in range(_STEPS):
        missing = window.limit - len(views)
        if not missing or not full:
            break
        rows = await marks_page(
            ports.store, actor.account_id, kind, msgspec.structs.replace(window, limit=missing), now_id
        )
        full = len(rows) == missing
        if rows:
            scanned += [row.mark_id for row in rows]
            found = await statuses(ports, await _held(ports, actor.account_id, kind, rows), viewer, gate=may_see)
            views = [*found, *views] if window.forward else [*views, *found]
            window = window.beyond(rows[0 if window.forward else -1].mark_id)
    return MarksPage(views, max(scanned, default=0), min(scanned, default=0), is_end=not full)


async def _held(ports: Ports, account_id: int, kind: str, rows: Sequence[MarkRow]) -> list[int]:
    """The statuses whose marks still stand."""
    acts = await mine_many(ports.store, account_id, kind, [row.status_id for row in rows])
    return [
        row.status_id
        for row, act in zip(rows, acts, strict=True)
        if act is not None and act.on and act.ref == row.mark_id
    ]
