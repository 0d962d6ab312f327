"""Whether this process lives and may be sent requests.

Box: web. Source: Mastodon API, /methods/health/
"""

import asyncio

from townsquare.model.errors import Unavailable
from townsquare.social.ports import Ports
from townsquare.store.tables import LEASES
from townsquare.web.routes import Access, Limit, Request, Response, Route, json_response

_PATIENCE_S = 2.0


async def live(request: Request, ports: Ports) -> Response:
    """That the process answers at all: a supervisor starts it again when it does not."""
    return json_response({"status": "OK"})


async def ready(request: Request, ports: Ports) -> Response:
    """That the store and the queue answer too: a load balancer sends nobody here when they do not."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await ports.store.get(LEASES, ("scheduler",))
            await ports.queue.depths()
    except (Unavailable, TimeoutError):
        return json_response({"status": "unavailable"}, status=503, headers=(("retry-after", "2"),))
    return json_response({"status": "OK"})


ROUTES = [
    Route("GET", "/health", ready, access=Access.PUBLIC, limit=Limit.NONE),
    Route("GET", "/health/live", live, access=Access.PUBLIC, limit=Limit.NONE),
    Route("GET", "/health/ready", ready, access=Access.PUBLIC, limit=Limit.NONE),
]
