"""Accounts that want to be found.

Box: web. Source: Mastodon API, /methods/directory/
"""

import msgspec

from townsquare.social.accounts import shown_jsons
from townsquare.social.ports import Ports
from townsquare.social.server_stats import read_directory
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

_DEFAULT, _MOST = 40, 80


class _Show(msgspec.Struct, frozen=True):
    offset: int = 0
    limit: int = _DEFAULT
    order: str = "active"
    local: bool = False


async def show(request: Request, ports: Ports) -> Response:
    """Accounts that want to be found, by last status or by age; as they were last looked up."""
    asked = request.read(_Show)
    directory = await read_directory(ports)
    ids = directory.new if asked.order == "new" else directory.active
    offset, limit = max(0, asked.offset), min(max(1, asked.limit), _MOST)
    accounts = await shown_jsons(ports, ids[offset : offset + limit])
    return Response(b"[" + b",".join(accounts) + b"]")


ROUTES = [Route("GET", "/api/v1/directory", show, access=Access.PUBLIC, cache=CacheClass.TIMELINE)]
