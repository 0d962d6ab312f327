"""Timelines: home, public, hashtag.

Box: web. Source: Mastodon API, /methods/timelines/
"""

import msgspec

from townsquare.model.errors import NotFound
from townsquare.render.status import status_list_json
from townsquare.social import timelines
from townsquare.social.ports import Ports
from townsquare.social.timelines import TagFilter, TimelinePage
from townsquare.web.paging import link_header, page_limit, window
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

_MOST_TAGS = 4  # of each of any, all and none, as Mastodon


class _Public(msgspec.Struct, frozen=True):
    remote: bool = False
    only_media: bool = False


class _Tag(msgspec.Struct, frozen=True):
    any: list[str] = []
    all: list[str] = []
    none: list[str] = []
    remote: bool = False
    only_media: bool = False


async def home(request: Request, ports: Ports) -> Response:
    """Statuses of those whom the account follows, and its own."""
    return _page(request, ports, await timelines.home(ports, request.account_id, window(request)), "home")


async def public(request: Request, ports: Ports) -> Response:
    """Public statuses of this server. It knows no others, so there are none from elsewhere."""
    form, page = request.read(_Public), window(request)
    if form.remote:
        return Response(b"[]")
    found = await timelines.public(ports, request.account_id, page, only_media=form.only_media)
    return _page(request, ports, found, "public")


async def tag(request: Request, ports: Ports) -> Response:
    """Public statuses with a hashtag."""
    form, page = request.read(_Tag), window(request)
    if form.remote:
        return Response(b"[]")
    wanted = TagFilter(
        also=_names(form.any), every=_names(form.all), none=_names(form.none), only_media=form.only_media
    )
    name = request.path_params["hashtag"].lower().removeprefix("#")
    return _page(request, ports, await timelines.hashtag(ports, request.account_id, name, page, wanted=wanted), "tag")


def _names(tags: list[str]) -> tuple[str, ...]:
    return tuple(each.lower().removeprefix("#") for each in tags[:_MOST_TAGS])


async def of_list(request: Request, ports: Ports) -> Response:
    """Statuses of a list: nobody has one."""
    raise NotFound


def _page(request: Request, ports: Ports, page: TimelinePage, where: str) -> Response:
    ports.facts.show(request.account_id, page.views, where)
    limit = page_limit(request)
    count = 0 if not page.newest else min(len(page.views), limit - 1) or 1 if page.is_end else limit
    return Response(status_list_json(page.views), headers=link_header(request, page.newest, page.oldest, count, limit))


_ROOT = "/api/v1/timelines"
_READ = ("read:statuses",)
ROUTES = [
    Route("GET", f"{_ROOT}/home", home, scope=_READ),
    Route("GET", f"{_ROOT}/public", public, access=Access.PUBLIC, scope=_READ, cache=CacheClass.TIMELINE),
    Route("GET", f"{_ROOT}/tag/{{hashtag}}", tag, access=Access.PUBLIC, scope=_READ, cache=CacheClass.TIMELINE),
    Route("GET", f"{_ROOT}/list/{{id}}", of_list, scope=("read:lists",)),
]
