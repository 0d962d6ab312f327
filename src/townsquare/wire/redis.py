"""A Redis that is connected to again and again, whatever happens to it.

Box: wire. URL: `redis://[user:password@]host[:port][/database][?prefix=name]`, `rediss://` for TLS.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis
import msgspec

from townsquare.model.errors import Unavailable
from townsquare.wire.link import Argument, Link

_CONNECT_WITHIN_S = 3.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_EPOCH_BYTES = 8


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Redis is, and under what prefix our keys lie there."""

    host: str
    port: int
    database: int
    user: str | None
    password: str | None
    tls: bool
    prefix: bytes

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a URL.

        Raises: ValueError with a sentence that says what is wrong.
        """
        parts = urlsplit(url)
        database = parts.path.strip("/") or "0"
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or not database.isdecimal():
            raise ValueError(
                f"An address of Redis looks like redis://host:6379/0, not {parts.scheme}://...{parts.path}"
            )
        prefix = parse_qs(parts.query).get("prefix", ["ts"])[-1]
        return cls(
            host=parts.hostname,
            port=parts.port or 6379,
            database=int(database),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss",
            prefix=prefix.encode() + b":",
        )


class Redis:
    """Keeps one link up. While there is none, those who ask are told at once, and not made to wait."""

    def __init__(
        self,
        address: Address,
        *,
        pushed: Callable[[Any], None] | None = None,
        connected: Callable[[Link], Awaitable[None]] | None = None,
        lost: Callable[[], None] | None = None,
    ) -> None:
        """`connected` is awaited with each new link before anybody else has it; `lost` hears of its end."""
        self.address = address
        self._pushed, self._connected, self._lost = pushed, connected, lost
        self._link: Link | None = None
        self._first: asyncio.Future[None] | None = None
        self._again: asyncio.Task[None] | None = None
        self._closed = False

    async def link(self) -> Link:
        """The link. Only the first call waits for it.

        Raises: Unavailable.
        """
        link = self._link
        if link is not None:
            return link
        if self._first is None and not self._closed:
            self._first = asyncio.ensure_future(self._connect())
            self._first.add_done_callback(self._tried)
        if self._first is not None and not self._first.done():
            await asyncio.shield(self._first)
        if self._link is None:
            raise Unavailable(f"Redis does not answer at {self.address.host}:{self.address.port}")
        return self._link

    async def link_within(self, seconds: float) -> Link:
        """The link, waiting for a new one for so long.

        Raises: Unavailable.
        """
        try:
            return await self.link()
        except Unavailable:
            if self._again is None:
                raise
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.shield(self._again)
            return await self.link()

    async def close(self) -> None:
        """End the link; what was asked is sent."""
        self._closed = True
        for task in (self._first, self._again):
            if task is not None and not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Unavailable):
                    await task
        if self._link is not None:
            self._link.close()

    def _tried(self, first: "asyncio.Future[None]") -> None:
        if not first.cancelled() and first.exception() is not None:
            self._begin_again()

    async def _connect(self) -> None:
        """Raises: Unavailable."""
        address, link = self.address, Link(pushed=self._pushed, lost=lambda: self._gone(link))
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                tls = ssl.create_default_context() if address.tls else None
                await asyncio.get_running_loop().create_connection(lambda: link, address.host, address.port, ssl=tls)
                await self._greet(link)
                if self._connected is not None:
                    await self._connected(link)
        except (OSError, TimeoutError) as exc:
            link.abort()
            raise Unavailable(f"Redis does not answer at {address.host}:{address.port}") from exc
        except BaseException:
            link.abort()
            raise
        if not link.up:
            raise Unavailable(f"Redis at {address.host}:{address.port} ended the connection")
        self._link = link

    async def _greet(self, link: Link) -> None:
        address, hello = self.address, list[Argument](["HELLO", 3])
        if address.password is not None:
            hello += ["AUTH", address.user or "default", address.password]
        answers = await link.ask(hello, ["SELECT", address.database], ["INFO", "server"])
        for answer in answers:
            if isinstance(answer, hiredis.ReplyError):
                raise Unavailable(f"Redis at {address.host}:{address.port} refuses: {answer}")
        link.epoch = _run_id(answers[2])

    def _gone(self, link: Link) -> None:
        if self._link is link:
            self._link = None
            if self._lost is not None:
                self._lost()
            self._begin_again()

    def _begin_again(self) -> None:
        if not self._closed and (self._again is None or self._again.done()):
            self._again = asyncio.ensure_future(self._connect_again())

    async def _connect_again(self) -> None:
        pause_s = 0.0
        while self._link is None and not self._closed:
            await asyncio.sleep(pause_s)
            pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            with contextlib.suppress(Unavailable):
                await self._connect()


def _run_id(info: bytes) -> bytes:
    """The number that a Redis gives itself at each start."""
    for line in bytes(info).splitlines():
        name, _, value = line.partition(b":")
        if name == b"run_id":
            return value.strip()[:_EPOCH_BYTES]
    return b""
