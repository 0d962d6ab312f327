"""The web server as an ASGI application: a request is read, admitted, counted, handled and answered here.

Box: web. Falcon brings the compiled router and the multipart reader; its request and response objects are left out,
for they cost as much as a whole answer of ours.
"""

import itertools
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Protocol
from urllib.parse import quote

from townsquare.kit.request_id import REQUEST_ID
from townsquare.model.errors import Invalid, NotFound, TooLarge, TownsquareError, Unauthorized
from townsquare.social.ports import Ports
from townsquare.web.auth import SIGN_IN_PATH, admitted, find_caller
from townsquare.web.bodies import Disconnected, Receive
from townsquare.web.csrf import check_csrf, server_key
from townsquare.web.errors import OUR_FAULT, UNKNOWN_ROUTE, WRONG_METHOD, error_body, error_headers, status_of
from townsquare.web.limits import Limiter
from townsquare.web.multipart import close_files
from townsquare.web.routes import Access, RawHeaders, Request, Response, Route
from townsquare.web.server.answers import headers_of_route
from townsquare.web.server.reading import Headers, Scope, is_plain_path, request_of, take_body
from townsquare.web.server.sending import Asked, Send, send_answer
from townsquare.web.server.site import Place, Site, Stop

ErrorPage = Callable[[Request | None, int, str], bytes]
Hook = Callable[[], Awaitable[None]]

_HTML = "text/html; charset=utf-8"
_API_PATHS = ("/api/", "/oauth/", "/.well-known/", "/nodeinfo/")
_HEADER_NAMES = re.compile(r"[A-Za-z0-9_, -]+")
_CHECKED_METHODS = frozenset(("POST", "PUT", "PATCH", "DELETE"))

log = logging.getLogger(__name__)


class Sockets(Protocol):
    """What takes WebSocket connections."""

    async def connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until it ends."""

    async def drain(self) -> None:
        """Ask all connections to go elsewhere, and wait for that."""


def plain_error_page(request: Request | None, status: int, message: str) -> bytes:
    """An error as the plainest of pages."""
    safe = message.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{status}</title><h1>{safe}</h1>'.encode()


class App:
    """The ASGI application of one web process. It keeps no state but what belongs to its own life."""

    def __init__(
        self,
        ports: Ports,
        site: Site,
        *,
        error_page: ErrorPage,
        sockets: Sockets | None,
        hooks: tuple[Sequence[Hook], Sequence[Hook]],
    ) -> None:
        self._ports, self._site, self._error_page, self._sockets = ports, site, error_page, sockets
        self._startup, self._shutdown = hooks
        self._base_url = ports.settings.base
        self._folder = Path(ports.settings.data)
        self._secret_key = b""
        self._request_ids = itertools.count()
        self._request_prefix = secrets.token_hex(6)
        self._limiter = Limiter(ports)
        self._logs_requests = ports.settings.log_requests
        self._no_route, self._no_page = _unknown_stop(html=False), _unknown_stop(html=True)
        self._other = _unknown_stop(html=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket" and self._sockets is not None:
            await self._sockets.connect(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)

    def stops(self) -> Iterator[Stop]:
        """All routes with their meters, and those that stand where no route is."""
        return itertools.chain(self._site.stops(), (self._no_route, self._no_page, self._other))

    async def drain(self) -> None:
        """Send open streams elsewhere; requests that have begun go on."""
        if self._sockets is not None:
            await self._sockets.drain()

    # One request.

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        request_id = f"{self._request_prefix}-{next(self._request_ids):x}"
        headers = Headers(scope["headers"])
        found = self._site.find(scope["path"]) if is_plain_path(scope) else None
        stop = self._stop(scope, found)
        asked = Asked(scope=scope, headers=headers, stop=stop)
        try:
            if found is None:
                raise NotFound(UNKNOWN_ROUTE)
            if stop is self._other:
                response = _other_method(asked, found[0])
            else:
                request = asked.request = request_of(
                    scope, headers, stop.route, found[1], request_id=request_id, base_url=self._base_url
                )
                request_id = request.request_id
                REQUEST_ID.set(request_id)
                response = await self._handle(request, asked.own, receive)
        except TownsquareError as exc:
            response = self._error(exc, asked)
        except Disconnected:
            return
        except Exception:
            log.exception("request %s failed: %s %s", request_id, scope["method"], ascii(scope["path"]))
            response = self._page_or_json(asked, 500, OUR_FAULT)
        finally:
            if asked.request is not None and asked.request.files:
                close_files(asked.request.files)
        stop.meter.note(response.status, perf_counter() - began)
        if self._logs_requests:
            log.info("%s %s: %d", scope["method"], ascii(scope["path"]), response.status)
        asked.own.append((b"x-request-id", request_id.encode("latin-1")))
        await send_answer(asked, response, receive, send)

    async def _handle(self, request: Request, own: RawHeaders, receive: Receive) -> Response:
        ports, route = self._ports, request.route
        if route.html:
            request.secret_key = self._secret_key or await self._learn_secret_key()
        request.session = await find_caller(ports, request)
        own += await self._limiter.count(request)
        session = request.session = admitted(route, request.session)
        if session is not None:
            ports.facts.see(session.token, session.account)
        await take_body(request, receive, folder=self._folder)
        if route.html and request.method in _CHECKED_METHODS:
            check_csrf(request)
        return await route.handler(request, ports)

    async def _learn_secret_key(self) -> bytes:
        self._secret_key = await server_key(self._ports)
        return self._secret_key

    def _stop(self, scope: Scope, found: tuple[Place, Mapping[str, str]] | None) -> Stop:
        if found is None:
            return self._no_page if not scope["path"].startswith(_API_PATHS) else self._no_route
        method = scope["method"]
        return found[0].stops.get("GET" if method == "HEAD" else method, self._other)

    # Errors.

    def _error(self, error: TownsquareError, asked: Asked) -> Response:
        status = status_of(error)
        headers = error_headers(error, now_ms=self._ports.clock.now_ms())
        if isinstance(error, TooLarge):
            headers.append(("connection", "close"))
        request = asked.request
        if asked.stop.route.html and isinstance(error, Unauthorized) and request is not None:
            return _to_sign_in(request)
        details = error.details if isinstance(error, Invalid) else None
        response = self._page_or_json(asked, status, str(error), details)
        response.headers = tuple(headers)
        return response

    def _page_or_json(
        self, asked: Asked, status: int, message: str, details: dict[str, list[tuple[str, str]]] | None = None
    ) -> Response:
        if asked.stop.route.html:
            return Response(self._error_page(asked.request, status, message), status, _HTML)
        return Response(error_body(message, details), status)

    # The life of the process.

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            for hook in self._startup:
                await hook()
        except Exception as exc:
            log.exception("the web server cannot start")
            await send({"type": "lifespan.startup.failed", "message": str(exc)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for hook in self._shutdown:
            await hook()
        await send({"type": "lifespan.shutdown.complete"})


def _to_sign_in(request: Request) -> Response:
    """Where a page sends one who must sign in first; back to where they were, if that was only looking."""
    back = request.path + (f"?{request.query_string}" if request.query_string else "")
    after = f"?next={quote(back, safe='')}" if request.method == "GET" else ""
    return Response(b"", 303, _HTML, (("location", f"{SIGN_IN_PATH}{after}"),))


def _other_method(asked: Asked, place: Place) -> Response:
    """The answer to OPTIONS and to methods that the path does not have."""
    allow = ("allow", place.allow)
    if asked.scope["method"] != "OPTIONS":
        if asked.scope["path"].startswith("/api/"):  # a method that is not there yet, as far as clients can tell
            return Response(error_body(UNKNOWN_ROUTE), 404, headers=(allow,))
        return Response(error_body(WRONG_METHOD), 405, headers=(allow,))
    headers = [allow]
    names = asked.headers.get("access-control-request-headers")
    if names and len(names) < 1_000 and _HEADER_NAMES.fullmatch(names):
        headers.append(("access-control-allow-headers", names))
    return Response(b"", 200, headers=tuple(headers))


async def _nowhere(request: Request, ports: Ports) -> Response:
    """Stands where no route is."""
    raise NotFound(UNKNOWN_ROUTE)


def _unknown_stop(*, html: bool) -> Stop:
    route = Route("GET", "/", _nowhere, access=Access.PUBLIC, html=html)
    return Stop(route, headers_of_route(route))


def make_app(
    ports: Ports,
    routes: Sequence[Route],
    *,
    error_page: ErrorPage = plain_error_page,
    sockets: Sockets | None = None,
    startup: Sequence[Hook] = (),
    shutdown: Sequence[Hook] = (),
) -> App:
    """The application with these routes.

    Raises: ValueError for a route that is not documented or is declared twice.
    """
    files = {ports.settings.base.elsewhere, ports.media.origin or ""} - {""}
    site = Site(routes, files=tuple(sorted(files)))
    return App(ports, site, error_page=error_page, sockets=sockets, hooks=(startup, shutdown))
