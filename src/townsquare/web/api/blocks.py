"""Whom one blocks.

Box: web. Source: Mastodon API, /methods/blocks/
"""

from townsquare.social import relations
from townsquare.social.ports import Ports
from townsquare.web.api.joined import account_list
from townsquare.web.paging import window
from townsquare.web.routes import Request, Response, Route


async def blocks(request: Request, ports: Ports) -> Response:
    """Whom the viewer blocks, paged by account id."""
    page = window(request, 40, 80)
    rows = await relations.listed(ports, actor=request.account, kind="block", window=page)
    return await account_list(request, ports, [row.other for row in rows], page, prev="since_id")


ROUTES = [Route("GET", "/api/v1/blocks", blocks, scope=("read:blocks",))]
