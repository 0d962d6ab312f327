"""Notices of what others did.

Box: web. Source: Mastodon API, /methods/notifications/
"""

import msgspec

from townsquare.model.errors import NotFound
from townsquare.model.notification import group_key
from townsquare.render.notification import notification_json
from townsquare.render.status import status_json
from townsquare.social import notifications
from townsquare.social.notifications import Notice, NoticeFilter
from townsquare.social.ports import Ports
from townsquare.web.api.joined import joined, scanned_links
from townsquare.web.paging import page_limit, window
from townsquare.web.params import read_id
from townsquare.web.routes import Limit, Request, Response, Route, json_response

MAX_DISMISSED = 200


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which notices are asked for."""

    types: tuple[str, ...] = ()
    exclude_types: tuple[str, ...] = ()
    account_id: str = ""
    include_filtered: bool = False


def wanted(request: Request) -> NoticeFilter:
    """The filter in a request's parameters."""
    asked = request.read(Asked)
    only = read_id(asked.account_id) if asked.account_id else 0
    return NoticeFilter(
        types=asked.types,
        exclude_types=asked.exclude_types,
        account_id=-1 if only is None else only,  # what is no id is nobody's
        filtered=None if asked.include_filtered else False,
    )


def notice_json(each: Notice) -> bytes:
    """One notice as JSON."""
    return notification_json(
        each.row.notification_id,
        each.row.kind,
        group_key=group_key(each.row.kind, each.row.status_id, each.row.notification_id),
        account=each.actor.json,
        status=status_json(each.status) if each.status is not None else None,
    )


async def notices(request: Request, ports: Ports) -> Response:
    """What others did that concerns the viewer, newest first."""
    page = window(request, 40, 80)
    found, last = await notifications.notices(ports, actor=request.account, window=page, wanted=wanted(request))
    ids = [each.row.notification_id for each in found]
    return joined([notice_json(each) for each in found], scanned_links(request, ids, page, last))


async def one(request: Request, ports: Ports) -> Response:
    """One notice of the viewer's own."""
    return Response(notice_json(await notifications.notice(ports, actor=request.account, notification_id=request.id())))


async def clear(request: Request, ports: Ports) -> Response:
    """Take all notices away."""
    await notifications.clear(ports, actor=request.account)
    return Response(b"{}")


async def dismiss(request: Request, ports: Ports) -> Response:
    """Take one notice away."""
    if not await notifications.dismiss(ports, actor=request.account, ids=[request.id()]):
        raise NotFound
    return Response(b"{}")


class Several(msgspec.Struct, frozen=True, kw_only=True):
    """Notices by id."""

    ids: tuple[str, ...] = ()


async def dismiss_several(request: Request, ports: Ports) -> Response:
    """Take several notices away; those that are not there are passed over."""
    ids = [number for text in request.read(Several).ids[:MAX_DISMISSED] if (number := read_id(text)) is not None]
    await notifications.dismiss(ports, actor=request.account, ids=list(dict.fromkeys(ids)))
    return Response(b"{}")


async def unread_count(request: Request, ports: Ports) -> Response:
    """How many notices came since the last one that was marked as read."""
    limit = page_limit(request, 100, 1000)
    count = await notifications.unread_count(ports, actor=request.account, wanted=wanted(request), limit=limit)
    return json_response({"count": count})


_BASE = "/api/v1/notifications"
_READ, _WRITE = ("read:notifications",), ("write:notifications",)

ROUTES = [
    Route("GET", _BASE, notices, scope=_READ),
    Route("GET", f"{_BASE}/unread_count", unread_count, scope=_READ),
    Route("GET", f"{_BASE}/{{id}}", one, scope=_READ),
    Route("POST", f"{_BASE}/clear", clear, scope=_WRITE),
    Route("POST", f"{_BASE}/{{id}}/dismiss", dismiss, scope=_WRITE),
    Route("DELETE", f"{_BASE}/destroy_multiple", dismiss_several, scope=_WRITE, limit=Limit.API),
]
