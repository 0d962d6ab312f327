"""Notices in groups.

Box: web. Source: Mastodon API, /methods/grouped_notifications/
"""

from typing import Any

import msgspec

from townsquare.render.grouped_notifications import groups_json, partial_account
from townsquare.render.status import status_json
from townsquare.social import grouped_notifications
from townsquare.social.grouped_notifications import GroupFilter, GroupPage, grouped_kinds
from townsquare.social.ports import Ports
from townsquare.web.api.joined import joined
from townsquare.web.api.notifications import clear, wanted
from townsquare.web.paging import link_header, page_limit, window
from townsquare.web.routes import Request, Response, Route, json_response

PARTIAL = "partial_avatars"


class Grouping(msgspec.Struct, frozen=True, kw_only=True):
    """How groups are asked for."""

    grouped_types: tuple[str, ...] | None = None
    expand_accounts: str = "full"


def group_filter(request: Request) -> GroupFilter:
    """The filter in a request's parameters."""
    return GroupFilter(notices=wanted(request), grouped=grouped_kinds(request.read(Grouping).grouped_types))


async def groups(request: Request, ports: Ports) -> Response:
    """What others did that concerns the viewer, what belongs together as one."""
    page = window(request, 40, 80)
    found = await grouped_notifications.groups(ports, actor=request.account, window=page, wanted=group_filter(request))
    count = page.limit if found.more else len(found.groups) or bool(found.newest)
    headers = link_header(request, found.newest, found.oldest, count, page.limit)
    partial = request.read(Grouping).expand_accounts == PARTIAL
    return Response(_json(found, base=request.base_url, partial=partial), headers=headers)


def _json(found: GroupPage, *, base: str, partial: bool) -> bytes:
    whole = dict.fromkeys(each for group in found.groups for each in (group.samples[:1] if partial else group.samples))
    others = [found.people[each] for each in found.people if each not in whole]
    return groups_json(
        found.groups,
        accounts=[found.people[each].json for each in whole],
        statuses=[status_json(view) for view in found.statuses.values()],
        partial=[partial_account(each.account, base) for each in others] if partial else None,
    )


async def one(request: Request, ports: Ports) -> Response:
    """One group, whole."""
    found = await grouped_notifications.group(ports, actor=request.account, key=request.path_params["group_key"])
    return Response(_json(found, base=request.base_url, partial=False))


async def accounts(request: Request, ports: Ports) -> Response:
    """Who is behind a group, the last one first."""
    page = window(request, 40, 80)
    found = await grouped_notifications.group_members(
        ports, actor=request.account, key=request.path_params["group_key"], window=page
    )
    headers: Any = ()
    if found:
        ids = [each.row.notification_id for each in found]
        headers = link_header(request, ids[0], ids[-1], len(ids), page.limit)
    return joined([each.actor.json for each in found], headers)


async def dismiss(request: Request, ports: Ports) -> Response:
    """Take a group's notices away."""
    await grouped_notifications.dismiss_group(ports, actor=request.account, key=request.path_params["group_key"])
    return Response(b"{}")


async def unread_count(request: Request, ports: Ports) -> Response:
    """How many groups have notices since the last one that was marked as read."""
    limit = page_limit(request, 100, 1000)
    count = await grouped_notifications.unread_groups(
        ports, actor=request.account, wanted=group_filter(request), limit=limit
    )
    return json_response({"count": count})


_BASE = "/api/v2/notifications"
_READ, _WRITE = ("read:notifications",), ("write:notifications",)

ROUTES = [
    Route("GET", _BASE, groups, scope=_READ),
    Route("GET", f"{_BASE}/unread_count", unread_count, scope=_READ),
    Route("POST", f"{_BASE}/clear", clear, scope=_WRITE),
    Route("GET", f"{_BASE}/{{group_key}}", one, scope=_READ),
    Route("GET", f"{_BASE}/{{group_key}}/accounts", accounts, scope=(*_READ, *_WRITE)),
    Route("POST", f"{_BASE}/{{group_key}}/dismiss", dismiss, scope=_WRITE),
]
