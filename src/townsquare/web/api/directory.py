"""Accounts that want to be found.

Box: web. Source: Mastodon API, /methods/directory/
"""

import msgspec

from townsquare.social.accounts import shown_jsons
from townsquare.social.ports import Ports
from townsquare.social.server_stats import read_directory
from townsquare.web.api.joined import joined
from townsquare.web.paging import offset_link_header, page_limit, page_offset
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

_DEFAULT, _MOST = 40, 80


class _Show(msgspec.Struct, frozen=True):
    order: str = "active"
    local: bool = False


async def show(request: Request, ports: Ports) -> Response:
    """Accounts that want to be found, by last status or by age; as they were last looked up."""
    asked = request.read(_Show)
    directory = await read_directory(ports)
    ids = directory.new if asked.order == "new" else directory.active
    offset, limit = page_offset(request), page_limit(request, _DEFAULT, _MOST)
    page = ids[offset : offset + limit]
    return joined(await shown_jsons(ports, page), offset_link_header(request, offset, len(page), limit))


ROUTES = [Route("GET", "/api/v1/directory", show, access=Access.PUBLIC, cache=CacheClass.TIMELINE)]
