"""The policy on whose notices are held back, and what is held back.

Box: web. Source: Mastodon API, /methods/notifications/#get-policy and below
"""

from typing import Any

import msgspec

from townsquare.kit.clock import iso
from townsquare.render.status import status_json
from townsquare.social import notification_policy, notification_requests
from townsquare.social.notification_policy import RULES, Verdict
from townsquare.social.notification_requests import HeldRequest
from townsquare.social.ports import Ports
from townsquare.store.tables import NotificationPolicyRow
from townsquare.web.api.accounts import read_ids
from townsquare.web.api.joined import joined
from townsquare.web.paging import link_header, window
from townsquare.web.routes import Request, Response, Route, json_response

_V1_RULES = RULES[:4]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that are to change."""

    for_not_following: str | None = None
    for_not_followers: str | None = None
    for_new_accounts: str | None = None
    for_private_mentions: str | None = None
    for_limited_accounts: str | None = None


class OldPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules as version 1 names them."""

    filter_not_following: bool | None = None
    filter_not_followers: bool | None = None
    filter_new_accounts: bool | None = None
    filter_private_mentions: bool | None = None


async def policy(request: Request, ports: Ports) -> Response:
    """Whose notices are held back or dropped, and how much is held back."""
    return await _shown(request, ports, await notification_policy.read_policy(ports, request.account_id), v1=False)


async def change(request: Request, ports: Ports) -> Response:
    """Change whose notices are held back or dropped from now on."""
    asked = msgspec.structs.asdict(request.read(Policy))
    to = {name.removeprefix("for_"): word for name, word in asked.items() if word is not None}
    row = await notification_policy.change_policy(ports, actor=request.account, to=to)
    return await _shown(request, ports, row, v1=False)


async def old_policy(request: Request, ports: Ports) -> Response:
    """Whose notices are held back, in the form of version 1."""
    return await _shown(request, ports, await notification_policy.read_policy(ports, request.account_id), v1=True)


async def change_old(request: Request, ports: Ports) -> Response:
    """Change whose notices are held back, in the form of version 1."""
    asked = msgspec.structs.asdict(request.read(OldPolicy))
    to = {
        name.removeprefix("filter_"): str(Verdict.FILTER if held else Verdict.ACCEPT)
        for name, held in asked.items()
        if held is not None
    }
    row = await notification_policy.change_policy(ports, actor=request.account, to=to)
    return await _shown(request, ports, row, v1=True)


async def _shown(request: Request, ports: Ports, row: NotificationPolicyRow, *, v1: bool) -> Response:
    people, notices = await notification_requests.held_totals(ports, actor=request.account)
    summary = {"pending_requests_count": people, "pending_notifications_count": notices}
    rules: dict[str, Any] = (
        {f"filter_{rule}": getattr(row, rule) != Verdict.ACCEPT for rule in _V1_RULES}
        if v1
        else {f"for_{rule}": getattr(row, rule) for rule in RULES}
    )
    return json_response({**rules, "summary": summary})


# What is held back ----------------------------------------------------------------------------------------------------


def request_json(held: HeldRequest) -> bytes:
    """The NotificationRequest entity."""
    return (
        b'{"id":"%d","created_at":"%b","updated_at":"%b","notifications_count":"%d","account":%b,"last_status":%b}'
        % (
            held.actor.account.account_id,
            iso(held.oldest_id >> 16).encode(),
            iso(held.newest_id >> 16).encode(),
            held.count,
            held.actor.json,
            status_json(held.last_status) if held.last_status is not None else b"null",
        )
    )


async def requests(request: Request, ports: Ports) -> Response:
    """Who has notices held back, paged by account id."""
    page = window(request, 40, 80)
    found = await notification_requests.requests(ports, actor=request.account, window=page)
    headers: Any = ()
    if found:
        ids = [each.actor.account.account_id for each in found]
        headers = link_header(request, ids[0], ids[-1], len(ids), page.limit)
    return joined([request_json(each) for each in found], headers)


async def one_request(request: Request, ports: Ports) -> Response:
    """What is held back of one account's."""
    return Response(request_json(await notification_requests.request(ports, actor=request.account, by=request.id())))


async def merged(request: Request, ports: Ports) -> Response:
    """Whether all notices that were let in are in the list: always, since they are when the answer comes."""
    return json_response({"merged": True})


async def accept(request: Request, ports: Ports) -> Response:
    """Let an account's notices in."""
    await notification_requests.let_in(ports, actor=request.account, ids=[request.id()])
    return Response(b"{}")


async def dismiss(request: Request, ports: Ports) -> Response:
    """Take an account's held notices away."""
    await notification_requests.send_away(ports, actor=request.account, ids=[request.id()])
    return Response(b"{}")


async def accept_several(request: Request, ports: Ports) -> Response:
    """Let the notices of several accounts in."""
    await notification_requests.let_in(ports, actor=request.account, ids=read_ids(request))
    return Response(b"{}")


async def dismiss_several(request: Request, ports: Ports) -> Response:
    """Take the held notices of several accounts away."""
    await notification_requests.send_away(ports, actor=request.account, ids=read_ids(request))
    return Response(b"{}")


_REQUESTS = "/api/v1/notifications/requests"
_READ, _WRITE = ("read:notifications",), ("write:notifications",)

ROUTES = [
    Route("GET", "/api/v2/notifications/policy", policy, scope=_READ),
    Route("PATCH", "/api/v2/notifications/policy", change, scope=_WRITE),
    Route("GET", "/api/v1/notifications/policy", old_policy, scope=_READ),
    Route("PUT", "/api/v1/notifications/policy", change_old, scope=_WRITE),
    Route("PATCH", "/api/v1/notifications/policy", change_old, scope=_WRITE),
    Route("GET", _REQUESTS, requests, scope=_READ),
    Route("GET", f"{_REQUESTS}/merged", merged, scope=_READ),
    Route("POST", f"{_REQUESTS}/accept", accept_several, scope=_WRITE),
    Route("POST", f"{_REQUESTS}/dismiss", dismiss_several, scope=_WRITE),
    Route("GET", f"{_REQUESTS}/{{id}}", one_request, scope=_READ),
    Route("POST", f"{_REQUESTS}/{{id}}/accept", accept, scope=_WRITE),
    Route("POST", f"{_REQUESTS}/{{id}}/dismiss", dismiss, scope=_WRITE),
]
