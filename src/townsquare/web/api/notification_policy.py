"""The policy on whose notices are held back, and what is held back.

Box: web. Source: Mastodon API, /methods/notifications/#get-policy
"""

from townsquare.social.ports import Ports
from townsquare.web.routes import Request, Response, Route, json_response


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


_READ = ("read:notifications",)

ROUTES = [
    Route("GET", "/api/v2/notifications/policy", policy, scope=_READ),
    Route("GET", "/api/v1/notifications/requests", no_requests, scope=_READ),
    Route("GET", "/api/v1/notifications/requests/merged", merged, scope=_READ),
]
