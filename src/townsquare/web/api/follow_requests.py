"""Those who ask to follow: list, let, refuse.

Box: web. Source: Mastodon API, /methods/follow_requests/
"""

from collections.abc import Awaitable, Callable

from townsquare.model.account import Account
from townsquare.social import follows
from townsquare.social.ports import Ports
from townsquare.web.api.accounts import relationship_response
from townsquare.web.api.joined import account_list
from townsquare.web.paging import window
from townsquare.web.routes import Request, Response, Route


async def requests(request: Request, ports: Ports) -> Response:
    """Who asks to follow the viewer, paged by account id."""
    page = window(request, 40, 80)
    ids = await follows.requests(ports, actor=request.account, window=page)
    return await account_list(request, ports, ids, page, prev="since_id")


Act = Callable[..., Awaitable[None]]


async def authorize(request: Request, ports: Ports) -> Response:
    """Let somebody who asked follow the viewer."""
    return await _answer(request, ports, follows.authorize)


async def reject(request: Request, ports: Ports) -> Response:
    """Refuse somebody who asked to follow the viewer."""
    return await _answer(request, ports, follows.reject)


async def _answer(request: Request, ports: Ports, verb: Act) -> Response:
    actor: Account = request.account
    await verb(ports, actor=actor, follower_id=request.id())
    return await relationship_response(request, ports, request.id())


ROUTES = [
    Route("GET", "/api/v1/follow_requests", requests, scope=("read:follows",)),
    Route("POST", "/api/v1/follow_requests/{id}/authorize", authorize, scope=("write:follows",)),
    Route("POST", "/api/v1/follow_requests/{id}/reject", reject, scope=("write:follows",)),
]
