"""Home and the timelines that all share: select ids, hydrate, sift, and read on where much was left out.

Box: social. Source: Mastodon API, /methods/timelines/
Home is a ring of ids that the fan-out fills. A ring that is not there is made from the authors' logs while its reader
waits; below its floor the logs are read, and for all of it while rings do not answer.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from townsquare.feeds.port import RING_LENGTH, Reason
from townsquare.model.account import Visibility
from townsquare.model.errors import Unavailable
from townsquare.model.paging import Window
from townsquare.render.status import StatusView
from townsquare.social.hydrate import statuses
from townsquare.social.ports import Ports
from townsquare.social.viewer import Viewer, viewer_of
from townsquare.store.tables import LogRow
from townsquare.store.timelines import LOCAL, merged_logs, shared_page

HOME_LENGTH = 400  # entries of a ring that is made anew
STEPS = 5  # reads for one page
_SAME_WITHIN = 40  # entries among which one status is not boosted twice
_LATE_MS = 2_000  # what was posted so shortly before a ring was made may still be pushed to it
_AHEAD_MS = 1_000  # how far ids may be ahead of our clock

Select = Callable[[Window], Awaitable[list[int]]]
Wanted = Callable[[StatusView], bool]
Sift = Callable[[list[StatusView]], list[StatusView]]


class TimelinePage(msgspec.Struct, frozen=True):
    """Statuses newest first, and the ids of the first and the last entry that were looked at, shown or not."""

    views: list[StatusView]
    newest: int = 0
    oldest: int = 0
    is_end: bool = True


# Home -----------------------------------------------------------------------------------------------------------------


async def home(ports: Ports, account_id: int, window: Window) -> TimelinePage:
    """A page of an account's home timeline. Cost: a read of its ring, then what the page's statuses cost."""
    viewer = await viewer_of(ports, account_id)
    return await _read_on(ports, viewer, window, partial(_home_ids, ports, viewer), partial(_standing, viewer))


async def _home_ids(ports: Ports, viewer: Viewer, window: Window) -> list[int]:
    try:
        return await _ids_of_ring(ports, viewer, window)
    except Unavailable:  # of the rings; the logs know it all, and say so themselves if they do not answer either
        return await _from_logs(ports, viewer, window)


async def _ids_of_ring(ports: Ports, viewer: Viewer, window: Window) -> list[int]:
    # A few more than asked for, if the ring has them: hydrating these costs less than a second look, which a page with
    # a repeated boost would need.
    limit = RING_LENGTH if window.forward else window.limit + window.limit // 4
    page = await ports.feeds.read(viewer.account_id, below=window.below, above=window.above, limit=limit)
    if page is None:
        await _make_ring(ports, viewer)
        page = await ports.feeds.read(viewer.account_id, below=window.below, above=window.above, limit=limit)
        if page is None:  # taken away again meanwhile: the logs have it all
            return await _from_logs(ports, viewer, window)
    if page.floor == 0 or (window.above is not None and window.above >= page.floor):
        return page.ids[-window.limit :] if window.forward else page.ids
    if window.forward:
        below_floor = min(window.below or page.floor + 1, page.floor + 1)
        older = await _from_logs(ports, viewer, msgspec.structs.replace(window, below=below_floor))
        return [*page.ids, *older][-window.limit :]
    if len(page.ids) >= window.limit:
        return page.ids
    below = min(window.below or page.floor + 1, page.floor + 1)
    rest = msgspec.structs.replace(window, below=below, limit=window.limit - len(page.ids))
    return [*page.ids, *await _from_logs(ports, viewer, rest)]


async def _make_ring(ports: Ports, viewer: Viewer) -> None:
    """Give the account its ring anew. It is there, empty, before the logs are read: so nothing falls between."""
    me, now = viewer.account_id, ports.clock.now_ms()
    await ports.feeds.fill(me, [], [], floor=(now - _LATE_MS) << 16)
    ids = await _from_logs(ports, viewer, Window(limit=HOME_LENGTH))
    floor = ids[-1] - 1 if len(ids) == HOME_LENGTH else 0
    await ports.feeds.fill(me, ids, [Reason.FOLLOW] * len(ids), floor=floor)


async def _from_logs(ports: Ports, viewer: Viewer, window: Window) -> list[int]:
    authors = [viewer.account_id, *viewer.following]
    rows = await merged_logs(ports.store, authors, window, lambda row: belongs(row, viewer))
    return [row.status_id for row in rows]


def belongs(row: LogRow, viewer: Viewer) -> bool:
    """Whether a status of the viewer or a followee goes into the viewer's home: replies only if the viewer follows
    whom they answer, or is that one. The fan-out asks the same of all followers at once."""
    me = viewer.account_id
    if row.author == me:
        return True
    if row.boost_of and row.author in viewer.no_reblogs:
        return False
    return row.reply_to_author in (0, row.author, me) or row.reply_to_author in viewer.following


def _standing(viewer: Viewer, views: list[StatusView]) -> list[StatusView]:
    """Those of which the reason why they are in the ring still holds."""
    authors = {view.author_id for view in views}
    left = (
        viewer.left
    )  # what was pushed was followed then: looking for whom they left is shorter than for all they follow
    if left is not None and left.isdisjoint(authors) and not viewer.languages and viewer.no_reblogs.isdisjoint(authors):
        return views
    return [view for view in views if _stands(view, viewer)]


def _stands(view: StatusView, viewer: Viewer) -> bool:
    author = view.status.author
    if author == viewer.account_id:
        return True
    if author not in viewer.following or (view.reblog is not None and author in viewer.no_reblogs):
        return False
    wanted, language = viewer.languages.get(author), (view.reblog or view).status.language
    return not wanted or not language or language in wanted


async def merge_followee(ports: Ports, follower: int, target: int) -> None:
    """Bring a new followee's statuses into the follower's ring. Called when the follow is in `followers` and no process
    keeps the old ones: what is posted from then on is pushed. A repeat changes nothing."""
    page = await ports.feeds.read(follower, limit=1)
    if page is None:
        return
    viewer = await viewer_of(ports, follower)
    window = Window(above=page.floor, limit=RING_LENGTH)
    rows = await merged_logs(ports.store, [target], window, lambda row: belongs(row, viewer))
    await ports.feeds.merge(follower, [row.status_id for row in rows], Reason.FOLLOW)


# Shared ---------------------------------------------------------------------------------------------------------------


async def public(ports: Ports, account_id: int, window: Window, *, only_media: bool = False) -> TimelinePage:
    """A page of the public statuses of this server; replies and boosts are not among them."""
    return await _shared(ports, account_id, LOCAL, window, lambda view: not only_media or bool(view.status.media))


class TagFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which statuses of a hashtag's timeline are wanted, by their other tags (lower case)."""

    also: tuple[str, ...] = ()  # or with one of these
    every: tuple[str, ...] = ()  # only with all of these
    none: tuple[str, ...] = ()  # without any of these
    only_media: bool = False


async def hashtag(ports: Ports, account_id: int, tag: str, window: Window, *, wanted: TagFilter) -> TimelinePage:
    """A page of the public statuses with a hashtag. Cost: as `public`, for each tag of `also` once more."""
    tags = tuple(dict.fromkeys((tag, *wanted.also)))

    def sift(view: StatusView) -> bool:
        carried = {each.lower() for each in view.status.tags}
        return (
            not carried.isdisjoint(tags)
            and carried.issuperset(wanted.every)
            and carried.isdisjoint(wanted.none)
            and (not wanted.only_media or bool(view.status.media))
        )

    viewer = await viewer_of(ports, account_id)

    async def select(part: Window) -> list[int]:
        now_id = _now_id(ports)
        rows = [row for each in tags for row in await shared_page(ports.store, f"#{each}", part, now_id)]
        ids = sorted({row.status_id for row in rows}, reverse=not part.forward)[: part.limit]
        return ids[::-1] if part.forward else ids

    return await _read_on(ports, viewer, window, select, _open_ones(viewer, sift))


async def _shared(ports: Ports, account_id: int, timeline: str, window: Window, wanted: Wanted) -> TimelinePage:
    viewer = await viewer_of(ports, account_id)

    async def select(part: Window) -> list[int]:
        return [row.status_id for row in await shared_page(ports.store, timeline, part, _now_id(ports))]

    return await _read_on(ports, viewer, window, select, _open_ones(viewer, wanted))


def _open_ones(viewer: Viewer, wanted: Wanted) -> Sift:
    return lambda views: [view for view in views if _is_open(view, viewer) and wanted(view)]


def _is_open(view: StatusView, viewer: Viewer) -> bool:
    """Whether it may stand before everybody; those of a limited author only before followers."""
    author = view.author.account
    if author.limited and author.account_id != viewer.account_id and author.account_id not in viewer.following:
        return False
    return view.status.visibility is Visibility.PUBLIC


def _now_id(ports: Ports) -> int:
    return (ports.clock.now_ms() + _AHEAD_MS) << 16


# Reading on -----------------------------------------------------------------------------------------------------------


async def _read_on(ports: Ports, viewer: Viewer, window: Window, select: Select, sift: Sift) -> TimelinePage:
    """Select, hydrate, sift; where too little is left, again below (or above), at most `STEPS` times."""
    views: list[StatusView] = []
    newest, oldest, full = 0, 0, True
    part = window
    for step in range(STEPS):
        missing = window.limit - len(views)
        if not missing or not full:
            break
        if step:
            part = msgspec.structs.replace(part, limit=-(-missing * 3 // 2))
        ids = await select(part)
        full = len(ids) >= part.limit
        if not ids:
            break
        found = sift(await statuses(ports, ids, viewer))
        views = _once(found + views if window.forward else views + found)
        newest, oldest = max(newest, ids[0]), min(oldest or ids[-1], ids[-1])
        if len(views) == window.limit and full:
            break
        if len(views) > window.limit:
            views, newest, oldest = _cut(views, window, newest, oldest)
            full = True
            break
        part = msgspec.structs.replace(part, **{"above": ids[0]} if window.forward else {"below": ids[-1]})
    return TimelinePage(views, newest, oldest, not full)


def _cut(views: list[StatusView], window: Window, newest: int, oldest: int) -> tuple[list[StatusView], int, int]:
    """What is too much goes to the next page."""
    if window.forward:
        views = views[-window.limit :]
        return views, views[0].status.status_id, oldest
    views = views[: window.limit]
    return views, newest, views[-1].status.status_id


def _once(views: list[StatusView]) -> list[StatusView]:
    """Without boosts of what stands close by already, itself or as another's boost."""
    shown = [view.shown_id for view in views]
    if len(set(shown)) == len(shown):
        return views
    repeated = {each for each, times in Counter(shown).items() if times > 1}
    places = {each: place for place, each in enumerate(shown) if each in repeated and views[place].reblog is None}
    kept: list[StatusView] = []
    boosted: dict[int, int] = {}
    for place, (each, view) in enumerate(zip(shown, views, strict=True)):
        if each in repeated and view.reblog is not None:
            near = [at for at in (places.get(each), boosted.get(each)) if at is not None]
            if any(abs(at - place) < _SAME_WITHIN for at in near):
                continue
            boosted[each] = place
        kept.append(view)
    return kept
