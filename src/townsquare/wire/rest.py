"""Servers that are asked over HTTP/1.1: a few connections, kept and used again.

Every request is one that may safely be made twice: one on a kept connection that has ended is made again on a new one.

Box: wire. URL: `scheme://[user:password@]host[:port][?prefix=name]`, the scheme with an `s` for TLS.
"""

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, unquote, urlsplit

import httptools
import msgspec

from townsquare.model.errors import Unavailable

_CONNECTIONS = 8
_CONNECT_WITHIN_S = 3.0
_ANSWER_WITHIN_S = 60.0
_PART_BYTES = 1 << 18
_MAX_ANSWER_BYTES = 256 << 20
_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,30}")


class RestAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is, and what the names of our things there begin with."""

    host: str
    port: int
    prefix: str
    tls: bool = False
    authorization: str = ""

    @classmethod
    def of(cls, url: str, *, scheme: str, port: int) -> "RestAddress":
        """Read a URL of this scheme, or of the same with an `s`.

        Raises: ValueError with a sentence that says what is wrong.
        """
        parts = urlsplit(url)
        prefix = parse_qs(parts.query).get("prefix", ["townsquare"])[-1]
        if parts.scheme not in (scheme, scheme + "s") or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"An address looks like {scheme}://host:{port}?prefix=name, not {parts.scheme}://...")
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(f"A prefix is of a-z, 0-9 and _, begins with a letter, and is not {prefix!r}")
        authorization = ""
        if parts.username is not None:
            words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = "Basic " + base64.b64encode(words.encode()).decode()
        return cls(
            host=parts.hostname,
            port=parts.port or port,
            prefix=prefix,
            tls=parts.scheme != scheme,
            authorization=authorization,
        )


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether it was done."""
        return self.status < 300


class Refused(Exception):
    """The server answers that it will not do that."""

    def __init__(self, name: str, answer: Answer) -> None:
        super().__init__(f"{name} refuses ({answer.status}): {answer.body[:500].decode(errors='replace')}")
        self.status, self.body = answer.status, answer.body


class Rest:
    """One server. Connections are made when they are needed; while all are busy, the next request waits."""

    def __init__(self, address: RestAddress, *, name: str) -> None:
        """`name`: what it is, for people."""
        self.address, self.name = address, name
        self._free: list[_Connection] = []
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._closed = False

    async def ask(
        self, method: str, target: str, body: bytes = b"", *, kind: str = "application/json",
        within_s: float = _ANSWER_WITHIN_S,
    ) -> Answer:  # fmt: skip
        """One request, whatever comes back.

        Raises: Unavailable where no answer comes, or one that says that the server is overloaded or starting.
        """
        request = self._head(method, target, len(body), kind) + body
        try:
            async with self._slots, asyncio.timeout(within_s):
                answer = await self._try(request)
        except (OSError, EOFError, TimeoutError, httptools.HttpParserError) as exc:
            address = self.address
            raise Unavailable(f"{self.name} does not answer at {address.host}:{address.port}") from exc
        if answer.status in (429, 502, 503, 504):
            raise Unavailable(f"{self.name} cannot do that just now ({answer.status})")
        return answer

    async def good(self, method: str, target: str, body: bytes = b"", *, kind: str = "application/json") -> bytes:
        """The body of an answer that says that it was done. Raises: Refused, Unavailable."""
        answer = await self.ask(method, target, body, kind=kind)
        if not answer.is_good:
            raise Refused(self.name, answer)
        return answer.body

    async def close(self) -> None:
        """End the connections."""
        self._closed = True
        free, self._free = self._free, []
        for connection in free:
            connection.end()

    def _head(self, method: str, target: str, length: int, kind: str) -> bytes:
        address = self.address
        lines = [
            f"{method} {target} HTTP/1.1",
            f"Host: {address.host}:{address.port}",
            f"Content-Type: {kind}",
            f"Content-Length: {length}",
        ]
        if address.authorization:
            lines.append(f"Authorization: {address.authorization}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def _try(self, request: bytes) -> Answer:
        while self._free:
            async with self._using(self._free.pop()) as kept:
                with contextlib.suppress(OSError, EOFError):
                    return await kept.ask(request)
        async with self._using(await self._connect()) as new:
            return await new.ask(request)

    @contextlib.asynccontextmanager
    async def _using(self, connection: "_Connection") -> AsyncIterator["_Connection"]:
        try:
            yield connection
        finally:
            if connection.is_free and not self._closed:
                self._free.append(connection)
            else:
                connection.end()

    async def _connect(self) -> "_Connection":
        tls = ssl.create_default_context() if self.address.tls else None
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            reader, writer = await asyncio.open_connection(self.address.host, self.address.port, ssl=tls)
        return _Connection(reader, writer)


class _Connection:
    """One connection; free while no request is half done. It is its parser's own listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._body = bytearray()
        self._whole = False
        self.is_free = True

    async def ask(self, request: bytes) -> Answer:
        self.is_free, self._whole = False, False
        self._body.clear()
        parser = httptools.HttpResponseParser(self)
        self._writer.write(request)
        await self._writer.drain()
        while not self._whole:
            part = await self._reader.read(_PART_BYTES)
            if not part or len(self._body) > _MAX_ANSWER_BYTES:
                raise EOFError
            parser.feed_data(part)
        self.is_free = bool(parser.should_keep_alive())
        return Answer(parser.get_status_code(), bytes(self._body))

    def on_body(self, part: bytes) -> None:
        """A part of the answer's body."""
        self._body += part

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._whole = True

    def end(self) -> None:
        """Be rid of it."""
        self._writer.transport.abort()
