"""The web server as an ASGI application: a request is read, admitted, counted, handled and answered here.

Box: web. Falcon brings the compiled router and the multipart reader; its request and response objects are left out,
for they cost as much as a whole answer of ours.
"""

import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from townsquare.model.errors import Invalid, NotFound, TooLarge, TooMany, TownsquareError, Unauthorized
from townsquare.social.ports import Ports
from townsquare.web.auth import admitted, find_caller
from townsquare.web.bodies import Disconnected, Receive
from townsquare.web.csrf import check_csrf, server_key
from townsquare.web.errors import OUR_FAULT, UNKNOWN_ROUTE, WRONG_METHOD, error_body, error_headers, status_of
from townsquare.web.limits import count_request, limit_headers
from townsquare.web.routes import Access, Request, Response, Route
from townsquare.web.server.answers import (
    API_POLICY,
    RawHeaders,
    headers_of_route,
    matches,
    raw_header,
    shared_headers,
    tag_of,
    with_own_headers,
)
from townsquare.web.server.reading import Headers, Scope, is_plain_path, request_of, take_body
from townsquare.web.server.site import Place, Site, Stop

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ErrorPage = Callable[[Request | None, int, str], bytes]
Hook = Callable[[], Awaitable[None]]

SIGN_IN_PATH = "/auth/sign_in"
_HTML = "text/html; charset=utf-8"
_API_PATHS = ("/api/", "/oauth/", "/.well-known/", "/nodeinfo/")
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
        self._base_url = ports.settings.url
        self._secret_key = b""
        self._request_ids = itertools.count()
        self._request_prefix = secrets.token_hex(6)
        self._unknown = {html: _unknown_stop(ports, html=html) for html in (False, True)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket" and self._sockets is not None:
            await self._sockets.connect(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)

    async def drain(self) -> None:
        """Send open streams elsewhere; requests that have begun go on."""
        if self._sockets is not None:
            await self._sockets.drain()

    # One request.

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = f"{self._request_prefix}-{next(self._request_ids):x}"
        found = self._site.find(scope["path"]) if is_plain_path(scope) else None
        stop = self._stop(scope, found)
        request: Request | None = None
        try:
            if found is None:
                raise NotFound(UNKNOWN_ROUTE)
            if stop is None:
                await self._send(scope, send, self._other_method(scope, found[0]), None, request_id)
                return
            request = request_of(scope, stop.route, found[1], request_id=request_id, base_url=self._base_url)
            request_id = request.request_id
            response = await self._handle(request, receive)
        except TownsquareError as exc:
            response = self._error(exc, stop or self._unknown[False], request)
        except Disconnected:
            return
        except Exception:
            log.exception("request %s failed: %s %s", request_id, scope["method"], ascii(scope["path"]))
            response = self._page_or_json(stop or self._unknown[False], request, 500, OUR_FAULT)
        await self._send(scope, send, response, (stop or self._unknown[False], request), request_id)

    async def _handle(self, request: Request, receive: Receive) -> Response:
        ports, route = self._ports, request.route
        if route.html:
            request.secret_key = self._secret_key or await self._learn_secret_key()
        request.session = await find_caller(ports, request)
        request.made.extend(await count_request(ports, request))
        request.session = admitted(route, request.session)
        await take_body(request, receive)
        if route.html and request.method in _CHECKED_METHODS:
            check_csrf(request)
        return await route.handler(request, ports)

    async def _learn_secret_key(self) -> bytes:
        self._secret_key = await server_key(self._ports)
        return self._secret_key

    def _stop(self, scope: Scope, found: tuple[Place, Mapping[str, str]] | None) -> Stop | None:
        if found is None:
            return self._unknown[not scope["path"].startswith(_API_PATHS)]
        method = scope["method"]
        return found[0].stops.get("GET" if method == "HEAD" else method)

    def _other_method(self, scope: Scope, place: Place) -> Response:
        """The answer to OPTIONS and to methods that the path does not have."""
        allow = ("allow", place.allow)
        if scope["method"] != "OPTIONS":
            return Response(error_body(WRONG_METHOD), 405, headers=(allow,))
        headers = [allow]
        asked = Headers(scope["headers"]).get("access-control-request-headers")
        if asked and len(asked) < 1_000 and all(c.isalnum() or c in "-_, " for c in asked) and asked.isascii():
            headers.append(("access-control-allow-headers", asked))
        return Response(b"", 200, headers=tuple(headers))

    # Errors.

    def _error(self, error: TownsquareError, stop: Stop, request: Request | None) -> Response:
        status = status_of(error)
        headers = error_headers(error, now_ms=self._ports.clock.now_ms())
        if isinstance(error, TooMany):
            headers += limit_headers(error.limit, 0, error.reset_ms)
        if isinstance(error, TooLarge):
            headers.append(("connection", "close"))
        if stop.route.html and isinstance(error, Unauthorized) and request is not None and request.method == "GET":
            back = request.path + (f"?{request.query_string}" if request.query_string else "")
            return Response(b"", 303, _HTML, (("location", f"{SIGN_IN_PATH}?next={quote(back, safe='')}"),))
        details = error.details if isinstance(error, Invalid) else None
        response = self._page_or_json(stop, request, status, str(error), details)
        response.headers = tuple(headers)
        return response

    def _page_or_json(
        self,
        stop: Stop,
        request: Request | None,
        status: int,
        message: str,
        details: dict[str, list[tuple[str, str]]] | None = None,
    ) -> Response:
        if stop.route.html:
            return Response(self._error_page(request, status, message), status, _HTML)
        return Response(error_body(message, details), status)

    # The answer.

    async def _send(
        self,
        scope: Scope,
        send: Send,
        response: Response,
        asked: tuple[Stop, Request | None] | None,
        request_id: str,
    ) -> None:
        headers, body, status = self._headers(scope, response, asked), response.body, response.status
        headers.append((b"x-request-id", request_id.encode("latin-1")))
        if asked is not None and scope["method"] in ("GET", "HEAD"):
            tag = tag_of(asked[0].route, response)
            if tag is not None:
                headers.append((b"etag", tag))
                if matches(Headers(scope["headers"]).get("if-none-match"), tag):
                    status, body = 304, b""
        if response.chunks is None:
            if status not in (204, 304):
                headers.append((b"content-length", b"%d" % len(body)))
            if scope["method"] == "HEAD":
                body = b""
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["method"] != "HEAD":
            async for chunk in response.chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _headers(self, scope: Scope, response: Response, asked: tuple[Stop, Request | None] | None) -> RawHeaders:
        if asked is None:
            fixed, request, shared = [(b"content-security-policy", API_POLICY.encode())], None, None
        else:
            stop, request = asked
            fixed = stop.headers.anonymous if request is None or request.session is None else stop.headers.signed_in
            shared = stop.headers.shared
        own = [raw_header(name, value) for name, value in response.headers]
        if request is not None:
            own += [raw_header(name, value) for name, value in request.made if name != "set-cookie"]
        if response.status >= 400:
            own.append((b"cache-control", b"private, no-store"))
        headers = with_own_headers(fixed, own)
        if request is not None:
            headers += [raw_header(name, value) for name, value in request.made if name == "set-cookie"]
        headers.append((b"content-type", response.content_type.encode("latin-1")))
        if any(name == b"origin" for name, _ in scope["headers"]):
            headers += shared or shared_headers(scope["path"])
        return headers

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


async def _nowhere(request: Request, ports: Ports) -> Response:
    """Stands where no route is."""
    raise NotFound(UNKNOWN_ROUTE)


def _unknown_stop(ports: Ports, *, html: bool) -> Stop:
    route = Route("GET", "/", _nowhere, access=Access.PUBLIC, html=html)
    return Stop(route, headers_of_route(route, ports.settings))


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
    site = Site(routes, ports.settings)
    return App(ports, site, error_page=error_page, sockets=sockets, hooks=(startup, shutdown))
