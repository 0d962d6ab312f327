"""Favourites and boosts: make, take back, who made them; the account's own favourites.

Box: web. Source: Mastodon API, /methods/statuses/#favourite, #boost and /methods/favourites/
"""

import msgspec

from townsquare.render.status import status_json, status_list_json
from townsquare.social import favourites, marks, reblogs
from townsquare.social.ports import Ports
from townsquare.social.viewer import viewer_of
from townsquare.web.api.joined import joined
from townsquare.web.paging import link_header, window
from townsquare.web.routes import Access, Limit, Request, Response, Route


class _Reblog(msgspec.Struct, frozen=True):
    visibility: str = ""


async def favourite(request: Request, ports: Ports) -> Response:
    """Mark a status as a favourite."""
    return Response(status_json(await favourites.favourite(ports, actor=request.account, status_id=request.id())))


async def unfavourite(request: Request, ports: Ports) -> Response:
    """Take a favourite back."""
    return Response(status_json(await favourites.unfavourite(ports, actor=request.account, status_id=request.id())))


async def reblog(request: Request, ports: Ports) -> Response:
    """Boost a status; the answer is the boost."""
    view = await reblogs.reblog(
        ports,
        actor=request.account,
        user=request.user,
        status_id=request.id(),
        visibility=request.read(_Reblog).visibility or None,
    )
    return Response(status_json(view))


async def unreblog(request: Request, ports: Ports) -> Response:
    """Take a boost back; the answer is the original."""
    return Response(status_json(await reblogs.unreblog(ports, actor=request.account, status_id=request.id())))


async def favourited_by(request: Request, ports: Ports) -> Response:
    """Who marked a status as a favourite."""
    return await _reacted(request, ports, "favourite")


async def reblogged_by(request: Request, ports: Ports) -> Response:
    """Who boosted a status."""
    return await _reacted(request, ports, "reblog")


async def _reacted(request: Request, ports: Ports, kind: str) -> Response:
    viewer, page = await viewer_of(ports, request.account_id), window(request, 40, 80)
    shown, ids = await marks.reacted(ports, status_id=request.id(), kind=kind, viewer=viewer, window=page)
    links = link_header(request, ids[0], ids[-1], len(ids), page.limit, prev="since_id") if ids else ()
    return joined([person.json for person in shown], links)


async def list_favourites(request: Request, ports: Ports) -> Response:
    """The account's own favourites, the last made first."""
    return await marked(request, ports, favourites.KIND)


async def marked(request: Request, ports: Ports, kind: str) -> Response:
    """A page of the account's favourites or bookmarks. The ids in the Link header are those of the marks."""
    page = window(request)
    found = await marks.marked_page(ports, actor=request.account, kind=kind, window=page)
    count = 0 if not found.newest else 1 if found.is_end else page.limit
    return Response(
        status_list_json(found.views), headers=link_header(request, found.newest, found.oldest, count, page.limit)
    )


_ONE = "/api/v1/statuses/{id}"
_WRITE = ("write:favourites",)
_READ = ("read:statuses",)
ROUTES = [
    Route("POST", f"{_ONE}/favourite", favourite, scope=_WRITE),
    Route("POST", f"{_ONE}/unfavourite", unfavourite, scope=_WRITE),
    Route("POST", f"{_ONE}/reblog", reblog, scope=("write:statuses",)),
    Route("POST", f"{_ONE}/unreblog", unreblog, scope=("write:statuses",), limit=Limit.DELETE),
    Route("GET", f"{_ONE}/favourited_by", favourited_by, access=Access.PUBLIC, scope=_READ),
    Route("GET", f"{_ONE}/reblogged_by", reblogged_by, access=Access.PUBLIC, scope=_READ),
    Route("GET", "/api/v1/favourites", list_favourites, scope=("read:favourites",)),
]
