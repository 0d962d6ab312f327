"""Notices in groups, and the policy on whose notices are held back.

Box: web. Source: Mastodon API, /methods/grouped_notifications/
"""

from collections.abc import Sequence

import msgspec

from townsquare.render.notification import group_json
from townsquare.render.status import status_json
from townsquare.social import notification_groups
from townsquare.social.notification_groups import GROUPED, Group
from townsquare.social.ports import Ports
from townsquare.web.api.joined import joined, scanned_links
from townsquare.web.api.notifications import wanted
from townsquare.web.paging import page_limit, window
from townsquare.web.routes import Request, Response, Route, json_response


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which types are put into groups; none given: all that can be."""

    grouped_types: tuple[str, ...] = GROUPED


def results(groups: Sequence[Group]) -> bytes:
    """The GroupedNotificationsResults entity: groups, and each account and status of theirs once."""
    accounts: dict[int, bytes] = {}
    statuses: dict[int, bytes] = {}
    parts = []
    for each in groups:
        actors = list(dict.fromkeys(notice.row.actor for notice in each.notices))
        for notice in each.notices:
            accounts[notice.row.actor] = notice.actor.json
            if notice.status is not None and notice.row.status_id not in statuses:
                statuses[notice.row.status_id] = status_json(notice.status)
        ids = [notice.row.notification_id for notice in each.notices]
        status_id = each.notices[0].row.status_id
        parts.append(group_json(each.key, each.kind, ids, accounts=actors, status_id=status_id))
    return b'{"accounts":[%b],"statuses":[%b],"notification_groups":[%b]}' % (
        b",".join(accounts.values()),
        b",".join(statuses.values()),
        b",".join(parts),
    )


async def listed(request: Request, ports: Ports) -> Response:
    """What others did that concerns the viewer, in groups."""
    page = window(request, 40, 80)
    found, last = await notification_groups.groups(
        ports,
        actor=request.account,
        window=page,
        wanted=wanted(request),
        grouped=request.read(Asked).grouped_types,
    )
    ids = sorted((notice.row.notification_id for each in found for notice in each.notices), reverse=True)
    return Response(results(found), headers=scanned_links(request, ids, page, last))


async def one(request: Request, ports: Ports) -> Response:
    """One group."""
    found = await notification_groups.group(ports, actor=request.account, key=request.path_params["key"])
    return Response(results([found]))


async def accounts(request: Request, ports: Ports) -> Response:
    """All whom a group is about, the last one first."""
    found = await notification_groups.group(ports, actor=request.account, key=request.path_params["key"])
    return joined(list({notice.row.actor: notice.actor.json for notice in found.notices}.values()))


async def dismiss(request: Request, ports: Ports) -> Response:
    """Take a group away."""
    await notification_groups.dismiss_group(ports, actor=request.account, key=request.path_params["key"])
    return Response(b"{}")


async def unread_count(request: Request, ports: Ports) -> Response:
    """How many groups have notices since the last one that was marked as read."""
    count = await notification_groups.unread_groups(
        ports,
        actor=request.account,
        wanted=wanted(request),
        grouped=request.read(Asked).grouped_types,
        limit=page_limit(request, 100, 1000),
    )
    return json_response({"count": count})


async def policy(request: Request, ports: Ports) -> Response:
    """Whose notices are held back: nobody's, this server shows all that are not muted or blocked."""
    whose = ("not_following", "not_followers", "new_accounts", "private_mentions", "limited_accounts")
    none_held = {"pending_requests_count": 0, "pending_notifications_count": 0}
    return json_response({**{f"for_{each}": "accept" for each in whose}, "summary": none_held})


async def no_requests(request: Request, ports: Ports) -> Response:
    """Notices that are held back: there are none."""
    return Response(b"[]")


async def merged(request: Request, ports: Ports) -> Response:
    """Whether all notices that were let in are in the list: always, as none are held back."""
    return json_response({"merged": True})


_BASE = "/api/v2/notifications"
_READ, _WRITE = ("read:notifications",), ("write:notifications",)

ROUTES = [
    Route("GET", _BASE, listed, scope=_READ),
    Route("GET", f"{_BASE}/unread_count", unread_count, scope=_READ),
    Route("GET", f"{_BASE}/policy", policy, scope=_READ),
    Route("GET", f"{_BASE}/{{key}}", one, scope=_READ),
    Route("GET", f"{_BASE}/{{key}}/accounts", accounts, scope=("read:notifications", "write:notifications")),
    Route("POST", f"{_BASE}/{{key}}/dismiss", dismiss, scope=_WRITE),
    Route("GET", "/api/v1/notifications/requests", no_requests, scope=_READ),
    Route("GET", "/api/v1/notifications/requests/merged", merged, scope=_READ),
]
