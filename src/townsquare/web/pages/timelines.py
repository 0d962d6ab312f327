"""Timelines as pages: home, local, hashtags; favourites and bookmarks.

Box: web.
"""

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.kit.tags import normal_tag
from townsquare.model.errors import NotFound
from townsquare.social import bookmarks, favourites, marks, timelines
from townsquare.social.ports import Ports
from townsquare.social.timelines import TagFilter, TimelinePage
from townsquare.web.pages import front
from townsquare.web.pages.composer import Entry, composer
from townsquare.web.pages.frame import View, empty, pager, show, tabs
from townsquare.web.pages.parts.post import feed
from townsquare.web.paging import window
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

_PAGE = 20


async def home(request: Request, ports: Ports) -> Response:
    """Posts of those whom the reader follows; for who is not signed in, what this place is."""
    if request.session is None or request.session.user is None:
        return await front.welcome(request, ports)
    page = await timelines.home(ports, request.account_id, window(request, _PAGE, _PAGE))
    ports.facts.show(request.account_id, page.views, "home")
    nothing = empty("Nothing here yet. Find people to follow.", action=("See who is here", "/local"))
    write = composer(request, Entry(), action="/do/post", user=request.session.user) if _is_first(request) else None
    body = join(write, _listed(request, ports, page, label="Home", nothing=nothing))
    bar = timeline_tabs("home")
    return await show(request, ports, View(title="Home", body=body, bar=bar, place="home", live=_live(request, "home")))


async def local(request: Request, ports: Ports) -> Response:
    """The newest public posts of this server."""
    page = await timelines.public(ports, request.account_id, window(request, _PAGE, _PAGE))
    ports.facts.show(request.account_id, page.views, "public")
    body = _listed(request, ports, page, label="Local", nothing=empty("Nobody has posted anything yet."))
    bar = timeline_tabs("local") if request.session else None
    view = View(title="Local", body=body, bar=bar, place="local", live=_live(request, "local"))
    return await show(request, ports, view)


async def hashtag(request: Request, ports: Ports) -> Response:
    """Public posts with a hashtag."""
    name = normal_tag(request.path_params["tag"])
    if name is None:
        raise NotFound
    page = await timelines.hashtag(ports, request.account_id, name, window(request, _PAGE, _PAGE), wanted=TagFilter())
    ports.facts.show(request.account_id, page.views, "tag")
    body = _listed(request, ports, page, label=f"#{name}", nothing=empty(f"Nobody has used #{name} here yet."))
    return await show(request, ports, View(title=f"#{name}", body=body, place="tags"))


async def favourite_list(request: Request, ports: Ports) -> Response:
    """The reader's favourites, the last made first."""
    return await _marked(request, ports, kind=favourites.KIND, title="Favourites", place="favourites")


async def bookmark_list(request: Request, ports: Ports) -> Response:
    """The reader's bookmarks, the last made first."""
    return await _marked(request, ports, kind=bookmarks.KIND, title="Bookmarks", place="bookmarks")


async def _marked(request: Request, ports: Ports, *, kind: str, title: str, place: str) -> Response:
    page = await marks.marked_page(ports, actor=request.account, kind=kind, window=window(request, _PAGE, _PAGE))
    nothing = empty(f"No {title.lower()} yet. They will be listed here, for you alone.")
    listed = feed(page.views, label=title, now_ms=ports.clock.now_ms()) if page.views else nothing
    links = pager(
        request,
        older=None if page.is_end and not _goes_up(request) else page.oldest,
        newer=page.newest if not _is_first(request) else None,
    )
    return await show(request, ports, View(title=title, body=join(listed, links), place=place))


def timeline_tabs(here: str) -> Markup:
    """Home and local, side by side."""
    return tabs([("Home", "/", here == "home"), ("Local", "/local", here == "local")], label="Timelines")


def _listed(request: Request, ports: Ports, page: TimelinePage, *, label: str, nothing: Child) -> Markup:
    listed = feed(page.views, label=label, now_ms=ports.clock.now_ms())
    older = None if page.is_end and not _goes_up(request) else page.oldest
    links = pager(request, older=older, newer=None if _is_first(request) else page.newest)
    return join(tag("div", listed, class_="stream"), None if page.views else nothing, links)


def _is_first(request: Request) -> bool:
    return "max_id" not in request.params and "min_id" not in request.params


def _goes_up(request: Request) -> bool:
    return "min_id" in request.params


def _live(request: Request, on: str) -> str:
    return f"on={on}" if request.session is not None and _is_first(request) else ""


ROUTES = [
    Route("GET", "/", home, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", "/local", local, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", "/tags/{tag}", hashtag, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", "/favourites", favourite_list, cache=CacheClass.PAGE, html=True),
    Route("GET", "/bookmarks", bookmark_list, cache=CacheClass.PAGE, html=True),
]
