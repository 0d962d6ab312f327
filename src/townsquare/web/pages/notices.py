"""What others did: mentions, boosts, favourites, follows, and those who ask to follow.

Box: web.
"""

from collections.abc import Sequence

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.model.paging import Window
from townsquare.render.status import StatusView
from townsquare.social import follows, markers, notifications
from townsquare.social.hydrate import people
from townsquare.social.notifications import Notice, NoticeFilter
from townsquare.social.ports import Ports
from townsquare.web.pages.frame import View, empty, pager, show, tabs
from townsquare.web.pages.icons import icon
from townsquare.web.pages.parts import person
from townsquare.web.pages.parts.post import Look, path_of, post
from townsquare.web.pages.parts.when import ago
from townsquare.web.paging import window
from townsquare.web.routes import CacheClass, Request, Response, Route

_PAGE, _PEOPLE = 40, 40
_EXCERPT = 200
_WHOLE = ("mention",)  # shown as the post that it is
_WORDS = {
    "reblog": ("boost", "boosted your post"),
    "favourite": ("fave", "marked your post as a favourite"),
    "follow": ("person", "follows you"),
    "follow_request": ("person", "asks to follow you"),
    "status": ("bell", "posted"),
    "poll": ("poll", "A poll that you took part in is over"),
    "update": ("write", "edited a post"),
}
_GROUPED = ("reblog", "favourite")


async def notices(request: Request, ports: Ports) -> Response:
    """What others did, newest first. To look at the first page is to have read it."""
    tab = request.params.get("tab", "")
    page = window(request, _PAGE, _PAGE)
    wanted = NoticeFilter(types=("mention",) if tab == "mentions" else ())
    seen = await markers.read_markers(ports, actor=request.account, timelines=("notifications",))
    read_id = seen[0].last_read_id if seen else 0
    found, last = await notifications.notices(ports, actor=request.account, window=page, wanted=wanted)
    is_first = page.below is None and page.above is None
    newest = found[0].row.notification_id if found else 0
    if is_first and not tab and newest > read_id:
        await markers.move_markers(ports, actor=request.account, to={"notifications": newest})
    now_ms = ports.clock.now_ms()
    listed = [_row(group, read_id=read_id, now_ms=now_ms) for group in _groups(found)]
    oldest = (found[-1].row.notification_id if found else None) if page.forward else last
    nothing = empty("Nothing yet. When somebody answers, boosts or follows you, it stands here.")
    clear = tag("p", person.act("Clear all", "/do/notifications/clear", kind="quiet"), class_="pager")
    body = join(
        tag("div", listed, class_="notes") if listed else nothing,
        pager(request, older=oldest, newer=None if is_first else newest),
        clear if listed and is_first else None,
    )
    view = View(
        title="Notifications", body=body, bar=await _bar(request, ports), place="notifications", live="on=notices"
    )
    return await show(request, ports, view)


async def _bar(request: Request, ports: Ports) -> Markup:
    tab, path = request.params.get("tab", ""), "/notifications"
    is_list = request.path.rstrip("/") == path
    entries = [
        ("All", path, is_list and tab != "mentions"),
        ("Mentions", f"{path}?tab=mentions", is_list and tab == "mentions"),
    ]
    if not is_list or await follows.requests(ports, actor=request.account, window=Window(limit=1)):
        entries.append(("Follow requests", "/follow-requests", not is_list))
    return tabs(entries, label="Kinds")


def _groups(found: Sequence[Notice]) -> list[list[Notice]]:
    """Those who did the same with the same post, together at the place of the newest."""
    groups: dict[tuple[str, int], list[Notice]] = {}
    for each in found:
        row = each.row
        alone = row.kind not in _GROUPED
        groups.setdefault((row.kind, row.notification_id if alone else row.status_id), []).append(each)
    return list(groups.values())


def _row(group: Sequence[Notice], *, read_id: int, now_ms: int) -> Markup:
    first = group[0]
    unread = first.row.notification_id > read_id
    if first.row.kind in _WHOLE and first.status is not None:
        inner = post(first.status, Look(now_ms=now_ms))
        return tag("div", _new(unread), inner, class_="mention unread" if unread else "mention")
    shape, words = _WORDS.get(first.row.kind, ("bell", "did something"))
    accounts = [each.actor.account for each in group]
    return tag(
        "div",
        icon(shape),
        tag(
            "div",
            person.faces(accounts) if first.row.kind != "poll" else None,
            tag("p", _who(group, words), " ", ago(first.row.notification_id >> 16, now_ms), _new(unread)),
            _excerpt(first.status),
            _answers(first) if first.row.kind == "follow_request" else None,
        ),
        class_=f"note {first.row.kind}{' unread' if unread else ''}",
    )


def _new(unread: bool) -> Markup | None:
    return tag("span", "new", class_="visually-hidden") if unread else None


def _who(group: Sequence[Notice], words: str) -> Child:
    if group[0].row.kind == "poll":
        return words
    first, others = group[0].actor.account, len(group) - 1
    if not others:
        return join(person.name(first), f" {words}")
    if others == 1:
        return join(person.name(first), " and ", person.name(group[1].actor.account), f" {words}")
    return join(person.name(first), f" and {others} others {words}")


def _excerpt(view: StatusView | None) -> Markup | None:
    if view is None:
        return None
    status = (view.reblog or view).status
    said = " ".join((status.spoiler_text or status.text).split())[:_EXCERPT] or "A post with pictures"
    return tag("p", tag("a", tag("bdi", said), href=path_of(view.reblog or view)), class_="excerpt")


def _answers(notice: Notice) -> Markup:
    path = f"/do/requests/{notice.actor.account.account_id}"
    return tag(
        "p", person.act("Accept", f"{path}/accept"), person.act("Refuse", f"{path}/refuse", kind="quiet"), class_="row"
    )


async def requests(request: Request, ports: Ports) -> Response:
    """Who asks to follow the reader."""
    page = window(request, _PEOPLE, _PEOPLE)
    ids = await follows.requests(ports, actor=request.account, window=page)
    shown = [each for each in await people(ports, ids) if each is not None and not each.account.deleted]
    rows = []
    for each in shown:
        path = f"/do/requests/{each.account.account_id}"
        name = person.name_of(each.account)
        buttons = tag(
            "div",
            person.act("Accept", f"{path}/accept", label=f"Accept {name}"),
            person.act("Refuse", f"{path}/refuse", label=f"Refuse {name}", kind="quiet"),
            class_="row",
        )
        rows.append(person.row(each, beside=buttons))
    older = ids[-1] if len(ids) == page.limit else None
    nothing = empty("Nobody is waiting for an answer.")
    body = join(tag("ul", rows, class_="feed") if rows else nothing, pager(request, older=older))
    view = View(title="Follow requests", body=body, bar=await _bar(request, ports), place="notifications")
    return await show(request, ports, view)


ROUTES = [
    Route("GET", "/notifications", notices, cache=CacheClass.PAGE, html=True),
    Route("GET", "/follow-requests", requests, cache=CacheClass.PAGE, html=True),
]
