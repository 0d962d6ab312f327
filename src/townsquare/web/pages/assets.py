"""What pages are made with: style, script, icons of the site, and pictures drawn for those who have chosen none.

Box: web. Addresses carry a mark of the content, so that they may be kept for ever.
"""

import functools
import zlib
from importlib.resources import files

import msgspec

from townsquare.kit.identicon import draw_avatar, draw_header
from townsquare.model.errors import NotFound
from townsquare.social.ports import Ports
from townsquare.web.routes import Access, CacheClass, Limit, Request, Response, Route

STYLE, SCRIPT, FAVICON = "site.css", "live.js", "favicon.svg"
CHARTS_STYLE, CHARTS_SCRIPT = "charts.css", "charts.js"  # only on pages with charts
THEME_COLOURS = ("#F4F6F8", "#0C1014")  # light, dark: the token `bg`
_TYPES = {
    STYLE: "text/css; charset=utf-8",
    SCRIPT: "text/javascript; charset=utf-8",
    CHARTS_STYLE: "text/css; charset=utf-8",
    CHARTS_SCRIPT: "text/javascript; charset=utf-8",
    FAVICON: "image/svg+xml; charset=utf-8",
}
_encode = msgspec.json.Encoder().encode


@functools.cache
def _content(name: str) -> bytes:
    return (files(__package__) / "static" / name).read_bytes()


def text_of(name: str) -> str:
    """A file of the pages as text, for a page that must hold all it needs."""
    return _content(name).decode()


@functools.cache
def address(name: str) -> str:
    """Where a file is to be had.

    Raises: KeyError for a name that is none.
    """
    if name not in _TYPES:
        raise KeyError(name)
    return f"/assets/{name}?v={mark(name)}"


@functools.cache
def mark(name: str) -> str:
    """What tells the content of a file from others."""
    return f"{zlib.crc32(_content(name)):08x}"


async def asset(request: Request, ports: Ports) -> Response:
    """A file of the pages: style, script, icon."""
    name = request.path_params["name"]
    if name not in _TYPES:
        raise NotFound
    response = Response(_content(name), content_type=_TYPES[name])
    if request.params.get("v", mark(name)) != mark(name):
        # Asked for by a page of another version, as while a server is renewed: nobody may keep ours under its address.
        response.headers = (("cache-control", "no-cache"),)
    return response


async def favicon(request: Request, ports: Ports) -> Response:
    """The site's icon, where browsers look for it by themselves."""
    return Response(_content(FAVICON), content_type=_TYPES[FAVICON])


async def avatar(request: Request, ports: Ports) -> Response:
    """The picture drawn for an account that has chosen none."""
    return Response(draw_avatar(request.id()), content_type="image/png")


async def header(request: Request, ports: Ports) -> Response:
    """The wide picture that everybody starts with."""
    return Response(_header(), content_type="image/png")


@functools.cache
def _header() -> bytes:
    return draw_header()


async def manifest(request: Request, ports: Ports) -> Response:
    """What a phone needs to keep the site among its programs."""
    light, _ = THEME_COLOURS
    shown = {
        "name": ports.settings.title,
        "short_name": ports.settings.title[:12],
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": light,
        "theme_color": light,
        "icons": [{"src": "/favicon.svg", "type": "image/svg+xml", "sizes": "any"}],
    }
    return Response(_encode(shown), content_type="application/manifest+json")


ROUTES = [
    Route("GET", "/assets/{name}", asset, access=Access.PUBLIC, limit=Limit.NONE, cache=CacheClass.IMMUTABLE),
    Route("GET", "/avatars/{id}.png", avatar, access=Access.PUBLIC, limit=Limit.NONE, cache=CacheClass.IMMUTABLE),
    Route("GET", "/headers/default.png", header, access=Access.PUBLIC, limit=Limit.NONE, cache=CacheClass.IMMUTABLE),
    Route("GET", "/favicon.ico", favicon, access=Access.PUBLIC, limit=Limit.NONE, cache=CacheClass.INSTANCE),
    Route("GET", "/favicon.svg", favicon, access=Access.PUBLIC, limit=Limit.NONE, cache=CacheClass.INSTANCE),
    Route("GET", "/manifest.json", manifest, access=Access.PUBLIC, limit=Limit.NONE, cache=CacheClass.INSTANCE),
]
