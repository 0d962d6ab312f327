"""One HTTP request to one address, read no further than a cap.

Box: social. Only `outbound.py` uses it, after it has checked the address. The connection is new and ends with the
answer, so nothing is shared between hosts, and a name that changes its address cannot ride on an old connection.
"""

import asyncio
import zlib
from ssl import SSLContext

import httptools
import msgspec

_HEADERS_MAX_BYTES = 64 << 10
_READ_BYTES = 16 << 10


class BadAnswer(Exception):
    """The other side does not speak HTTP as it should, or says too much."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes. `host` is the name that certificate and Host header must be about."""

    address: str
    port: int
    host: str
    path: bytes
    tls: SSLContext | None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer, or its beginning where `cut`."""

    status: int
    headers: dict[str, str]  # names in lower case; the first of a name
    body: bytes
    cut: bool


async def exchange(target: Target, headers: dict[str, str], *, max_bytes: int, body: bytes | None = None) -> Answer:
    """Send a GET request, or with `body` a POST, and read the answer, at most `max_bytes` of its body as sent and as
    inflated.

    The caller sets the deadline. Raises: OSError (ssl.SSLError is one), BadAnswer.
    """
    name = target.host if target.tls else None
    reader, writer = await asyncio.open_connection(
        target.address, target.port, ssl=target.tls, server_hostname=name, limit=_READ_BYTES
    )
    try:
        writer.write(_request(target, headers, body))
        await writer.drain()
        reading = _Reading(max_bytes)
        while not reading.done:
            data = await reader.read(_READ_BYTES)
            reading.feed(data)
        return reading.answer()
    finally:
        writer.transport.abort()  # no wait for the other side's farewell


def _request(target: Target, headers: dict[str, str], body: bytes | None) -> bytes:
    default = 443 if target.tls else 80
    bare = f"[{target.host}]" if ":" in target.host else target.host
    host = bare if target.port == default else f"{bare}:{target.port}"
    lines = [f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items()), "Connection: close"]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    method = b"GET " if body is None else b"POST "
    head = method + target.path + b" HTTP/1.1\r\n" + "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head + (body or b"")


class _Reading:
    """Takes an answer apart as it comes. The methods called on_... are httptools' own names."""

    def __init__(self, max_bytes: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._max_bytes, self._head_bytes = max_bytes, 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._raw_bytes = 0
        self._inflate: zlib._Decompress | None = None
        self._in_body = self.done = self._cut = False
        self._status = 0

    def feed(self, data: bytes) -> None:
        if not data:  # the end of the connection is the end of a body of no stated length
            if not self._in_body or "content-length" in self._headers or "transfer-encoding" in self._headers:
                raise BadAnswer("the answer ends too early")
            self.done = True
            return
        if not self._in_body:
            self._head_bytes += len(data)
            if self._head_bytes > _HEADERS_MAX_BYTES:
                raise BadAnswer("the headers are too long")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            raise BadAnswer("another protocol was offered") from exc
        except httptools.HttpParserError as exc:
            if isinstance(exc.__context__, BadAnswer):
                raise exc.__context__ from exc
            raise BadAnswer("this is not HTTP") from exc

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status < 200:
            return
        self._in_body = True
        encoding = self._headers.get("content-encoding", "identity").lower()
        if encoding in ("gzip", "x-gzip", "deflate"):
            self._inflate = zlib.decompressobj(wbits=47)  # both forms
        elif encoding not in ("identity", ""):
            raise BadAnswer("an encoding that was not asked for")
        if 300 <= self._status < 400:
            self.done = True  # of a redirect only the headers matter

    def on_body(self, data: bytes) -> None:
        if self.done or self._status < 200:
            return
        self._raw_bytes += len(data)
        room = self._max_bytes - len(self._body)
        if self._inflate is not None:
            try:
                data = self._inflate.decompress(data, room + 1)
            except zlib.error as exc:
                raise BadAnswer("the body cannot be inflated") from exc
        self._body += data[:room]
        if len(data) > room or self._raw_bytes > self._max_bytes:
            self._cut = self.done = True

    def on_message_complete(self) -> None:
        if self._status >= 200:
            self.done = True
        else:
            self._headers.clear()  # an early hint; the answer follows

    def answer(self) -> Answer:
        return Answer(status=self._status, headers=self._headers, body=bytes(self._body), cut=self._cut)
