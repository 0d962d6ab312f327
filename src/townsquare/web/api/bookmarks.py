"""Bookmarks: make, take back, list.

Box: web. Source: Mastodon API, /methods/statuses/#bookmark and /methods/bookmarks/
"""

from townsquare.render.status import status_json
from townsquare.social import bookmarks
from townsquare.social.ports import Ports
from townsquare.web.api.favourites import marked
from townsquare.web.routes import Request, Response, Route


async def bookmark(request: Request, ports: Ports) -> Response:
    """Keep a status for later."""
    return Response(
        status_json(await bookmarks.bookmark(ports, actor=request.account, status_id=request.id(), on=True))
    )


async def unbookmark(request: Request, ports: Ports) -> Response:
    """Keep a status no longer."""
    return Response(
        status_json(await bookmarks.bookmark(ports, actor=request.account, status_id=request.id(), on=False))
    )


async def list_bookmarks(request: Request, ports: Ports) -> Response:
    """The account's bookmarks, the last made first."""
    return await marked(request, ports, bookmarks.KIND)


ROUTES = [
    Route("POST", "/api/v1/statuses/{id}/bookmark", bookmark, scope=("write:bookmarks",)),
    Route("POST", "/api/v1/statuses/{id}/unbookmark", unbookmark, scope=("write:bookmarks",)),
    Route("GET", "/api/v1/bookmarks", list_bookmarks, scope=("read:bookmarks",)),
]
