"""The WebSocket: one connection, many streams.

Box: web. Source: Mastodon API, /methods/streaming/#websocket
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import msgspec

from townsquare.model.errors import BadRequest, Forbidden, NotFound, TownsquareError, Unauthorized, Unavailable
from townsquare.social.ports import Ports
from townsquare.social.sessions import Session
from townsquare.social.users import closed_reason
from townsquare.web.auth import MISSING_TOKEN, NEEDS_USER, session_of
from townsquare.web.bodies import Receive
from townsquare.web.cookies import SESSION, cookie_name, read_cookies
from townsquare.web.errors import error_body, status_of
from townsquare.web.forms import decode_pairs
from townsquare.web.server.reading import Headers, Scope
from townsquare.web.server.sending import Send, bound_unread, cut
from townsquare.web.streaming.channels import Wish, subscription_of
from townsquare.web.streaming.connection import MAX_SUBSCRIPTIONS, POLICY, Caller, Waiting
from townsquare.web.streaming.envelopes import Envelope, Label, error_text
from townsquare.web.streaming.hub import Hub

PATH = "/api/v1/streaming"
MAX_MESSAGES = 100  # of a client, in each window
WINDOW_S = 10.0
KERNEL_BYTES = 64 * 1024
CLOSE_WITHIN_S = 2.0
_NOT_TEXT = 1003


class Command(msgspec.Struct, frozen=True):
    """What a client says."""

    type: str
    stream: str = ""
    tag: str | None = None
    list: str | int | None = None


_COMMAND = msgspec.json.Decoder(Command)


class WebSocketConnection(Caller):
    """A client on a WebSocket. Between events it has no task of its own but the one that reads."""

    __slots__ = ("__weakref__", "_busy_since", "_closed", "_flusher", "_messages", "_send", "_waiting", "_window_until")

    def __init__(self, session: Session, send: Send) -> None:
        super().__init__(session)
        self._send, self._waiting = send, Waiting()
        self._flusher: asyncio.Task[None] | None = None
        self._busy_since = 0.0
        self._closed = False
        self._messages, self._window_until = 0, 0.0

    def push(self, envelope: Envelope, label: Label) -> None:
        self.say(envelope.text(label))

    def say(self, text: str) -> None:
        """Send a message."""
        if self._closed:
            return
        if not self._waiting.add(text):
            self.abort()
        elif self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())

    def close(self, code: int) -> None:
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            if self._flusher is not None:
                self._flusher.cancel()
            self._flusher = asyncio.create_task(self._say_goodbye(code))

    def stalled_s(self, now: float) -> float:
        return now - self._busy_since if self._busy_since else 0.0

    def abort(self) -> None:
        self._closed = True
        self._waiting.clear()
        if not cut(self._send) and (self._flusher is None or self._flusher.done()):
            self._flusher = asyncio.create_task(self._say_goodbye(POLICY))

    def may_speak(self) -> bool:
        """Count a message of the client; False where it says too much."""
        now = asyncio.get_running_loop().time()
        if now > self._window_until:
            self._messages, self._window_until = 0, now + WINDOW_S
        self._messages += 1
        return self._messages <= MAX_MESSAGES

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while (text := self._waiting.take()) is not None:
                self._busy_since = loop.time()
                await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError):
            self._closed = True  # the client is gone; the reader hears it too
        finally:
            self._busy_since = 0.0
            if not self._closed:
                self._flusher = None

    async def _say_goodbye(self, code: int) -> None:
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._send({"type": "websocket.close", "code": code})
        except (OSError, RuntimeError):
            return
        except TimeoutError:
            self.abort()


class WebSocketDoor:
    """Takes WebSocket connections and hears what their clients say."""

    def __init__(self, ports: Ports, hub: Hub) -> None:
        self._ports, self._hub = ports, hub

    async def connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until it ends."""
        await receive()
        try:
            params = dict(decode_pairs(scope["query_string"]))
            protocol, secret = self._secret(scope, params)
            session = await self._admit(scope, secret)
        except TownsquareError as exc:
            await _refuse(scope, send, status_of(exc), str(exc))
            return
        bound_unread(send, KERNEL_BYTES)
        connection = WebSocketConnection(session, send)
        await send({"type": "websocket.accept", "subprotocol": protocol})
        self._hub.add(connection)
        try:
            if params.get("stream"):
                only_media = params.get("only_media", "") in ("1", "true", "on")
                wish = Wish(params["stream"], params.get("tag", ""), params.get("list", ""), only_media)
                self._subscribe(connection, wish)
            await self._hear(connection, receive)
        finally:
            self._hub.remove(connection)

    async def drain(self) -> None:
        """Ask all clients to connect elsewhere."""
        await self._hub.drain()

    def _secret(self, scope: Scope, params: dict[str, str]) -> tuple[str | None, str]:
        """The sub-protocol to agree on, and the token's secret.

        Raises: Forbidden for a cookie that another site's page would use.
        """
        headers = Headers(scope["headers"])
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return None, bearer.strip()
        if params.get("access_token"):
            return None, params["access_token"]
        protocols = scope.get("subprotocols") or []
        if protocols:
            return protocols[0], protocols[0]
        name = cookie_name(SESSION, base_url=self._ports.settings.url)
        secret = read_cookies(headers.get("cookie", "")).get(name, "")
        if secret:
            origin = headers.get("origin", "")
            if origin != self._ports.settings.url and urlsplit(origin).netloc != headers.get("host", "-"):
                raise Forbidden
        return None, secret

    async def _admit(self, scope: Scope, secret: str) -> Session:
        if scope["path"].rstrip("/") != PATH:
            raise NotFound("Not Found")
        if self._hub.draining:
            raise Unavailable("This server is about to stop")
        if not secret:
            raise Unauthorized(MISSING_TOKEN)
        session = await session_of(self._ports, secret)
        if session.account is None or session.user is None:
            raise Unauthorized(NEEDS_USER)
        reason = closed_reason(session.account, session.user)
        if reason:
            raise Unauthorized(reason)
        return session

    async def _hear(self, connection: WebSocketConnection, receive: Receive) -> None:
        while True:
            event = await receive()
            if event["type"] != "websocket.receive":
                return
            if not connection.may_speak():
                connection.close(POLICY)
                continue
            await self._obey(connection, event)

    async def _obey(self, connection: WebSocketConnection, event: Any) -> None:
        text = event.get("text")
        if text is None:
            connection.close(_NOT_TEXT)
            return
        try:
            command = _COMMAND.decode(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            connection.say(error_text("Invalid JSON", 400))
            return
        wish = Wish(command.stream, command.tag or "", command.list or "")
        if command.type == "subscribe":
            await self._hub.recheck(connection)
            self._subscribe(connection, wish)
        elif command.type == "unsubscribe":
            self._unsubscribe(connection, wish)
        else:
            connection.say(error_text("Unknown message type", 400))

    def _subscribe(self, connection: WebSocketConnection, wish: Wish) -> None:
        try:
            subscription = subscription_of(wish, connection.account_id, connection.scopes)
            if subscription.label not in connection.subscriptions:
                if len(connection.subscriptions) >= MAX_SUBSCRIPTIONS:
                    raise BadRequest("Too many streams")
                self._hub.subscribe(connection, subscription)
        except TownsquareError as exc:
            connection.say(error_text(str(exc), status_of(exc)))

    def _unsubscribe(self, connection: WebSocketConnection, wish: Wish) -> None:
        try:
            label = subscription_of(wish, connection.account_id, connection.scopes).label
        except TownsquareError as exc:
            connection.say(error_text(str(exc), status_of(exc)))
        else:
            self._hub.unsubscribe(connection, label)


async def _refuse(scope: Scope, send: Send, status: int, message: str) -> None:
    """Answer the handshake with an error."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": POLICY})
        return
    body = error_body(message)
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
