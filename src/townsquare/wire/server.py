"""A server that is connected to again and again, whatever happens to it.

Box: wire.
"""

import asyncio
import contextlib
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from townsquare.model.errors import Unavailable
from townsquare.wire.link import Link, Speech

_CONNECT_WITHIN_S = 3.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0


class Server(ABC):
    """Keeps one link up. While there is none, those who ask are told at once, and not made to wait."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: bool = False,
        pushed: Callable[[Any], None] | None = None,
        connected: Callable[[Link], Awaitable[None]] | None = None,
        lost: Callable[[], None] | None = None,
    ) -> None:
        """`connected` is awaited with each new link before anybody else has it; `lost` hears of its end."""
        self._host, self._port, self._tls = host, port, tls
        self._pushed, self._connected, self._lost = pushed, connected, lost
        self._link: Link | None = None
        self._first: asyncio.Future[None] | None = None
        self._again: asyncio.Task[None] | None = None
        self._closed = False

    @abstractmethod
    def speech(self) -> Speech:
        """What is spoken, for a new link."""

    @abstractmethod
    async def greet(self, link: Link) -> None:
        """The first words on a new link. Raises: Unavailable."""

    def silent(self) -> Unavailable:
        """The error that says that it does not answer."""
        return Unavailable(f"{self.speech().name} does not answer at {self._host}:{self._port}")

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
            raise self.silent()
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
        link = Link(self.speech(), pushed=self._pushed, lost=lambda: self._gone(link))
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                tls = ssl.create_default_context() if self._tls else None
                await asyncio.get_running_loop().create_connection(lambda: link, self._host, self._port, ssl=tls)
                await self.greet(link)
                if self._connected is not None:
                    await self._connected(link)
        except (OSError, TimeoutError) as exc:
            link.abort()
            raise self.silent() from exc
        except BaseException:
            link.abort()
            raise
        if not link.up:
            raise self.silent()
        self._link = link

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
