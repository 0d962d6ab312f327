"""The bus over Redis's publish and subscribe: one channel, all processes.

What was published in one turn of the loop is one message: the sender's number, then frames. Redis hands a message to
all that are connected or ends their connection; so gaps are new connections, and what a sender says of itself: one
whose messages may not have arrived says so as soon as it is connected again.

Box: streaming. Source: Redis, /docs/latest/develop/pubsub
"""

import asyncio
import contextlib
from collections.abc import Callable
from secrets import token_bytes
from typing import Any

from townsquare.model.errors import Unavailable
from townsquare.model.findings import Finding
from townsquare.streaming.frames import BadFrame, Frame, Parser, pack
from townsquare.streaming.port import Listener
from townsquare.streaming.topics import Topics, checked_topic
from townsquare.wire.link import Link
from townsquare.wire.redis import Address, Redis
from townsquare.wire.redis_examine import examine

_NAME_BYTES = 8
_FLUSH_AT_BYTES = 512 * 1024
_PING_EVERY_S = 1.0  # a link that answers no ping in time ends itself
_LAST_WORDS_WITHIN_S = 2.0


class RedisStreaming:
    """Streaming over one connection to Redis. While it is down nothing is heard, and nothing that is said is kept."""

    def __init__(self, address: Address) -> None:
        self._topics, self._name = Topics(), token_bytes(_NAME_BYTES)
        self._redis = Redis(address, pushed=self._pushed, connected=self._joined, lost=self._left)
        self._channel = address.prefix + b"bus"
        self._link: Link | None = None
        self._unsure = False  # whether all that was sent arrived
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._started = self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._redis.link()
        self._started = True
        self._ping()

    def listen(self, topic: str, listener: Listener) -> None:
        self._topics.listen(topic, listener)

    def on_gap(self, listener: Callable[[], None]) -> None:
        self._topics.on_gap(listener)

    def hears(self) -> bool:
        return self._link is not None

    def publish(self, topic: str, payload: bytes) -> None:
        name = checked_topic(topic, payload)
        if self._loop is not None and not self._closed:
            if not self._unsent:
                self._loop.call_soon(self._flush)
            self._unsent.append(pack(Frame.MESSAGE, name, payload))
            self._unsent_bytes += len(payload)
            if self._unsent_bytes > _FLUSH_AT_BYTES:
                self._flush()
        self._topics.tell(topic, payload)

    async def examine(self) -> list[Finding]:
        """For `townsquare doctor`. Raises: Unavailable."""
        return await examine(self._redis)

    async def close(self) -> None:
        if self._closed:
            return
        self._flush()
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._link is not None:
            with contextlib.suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_WITHIN_S):
                    await self._link.ask(["PING"])  # its answer comes after those to all that was published
        await self._redis.close()

    # The connection.

    async def _joined(self, link: Link) -> None:
        """A new connection stands: listen on it, and own up to what passed by or was not sent meanwhile."""
        link.tell(["SUBSCRIBE", self._channel])
        await link.ask(["PING"])
        self._link = link
        if self._unsure:
            self._unsure = False
            self._send(pack(Frame.HELLO, b"", b"1"))
        if self._started:
            self._topics.tell_gap()

    def _left(self) -> None:
        self._link = None
        if not self._closed:
            self._topics.tell_gap()

    def _ping(self) -> None:
        """So that a connection that leads nowhere is noticed. One that stands still for too long ends itself."""
        if self._link is not None:
            self._link.ask(["PING"])
        if self._loop is not None and not self._closed:
            self._timer = self._loop.call_later(_PING_EVERY_S, self._ping)

    # Messages.

    def _flush(self) -> None:
        if not self._unsent:
            return
        frames = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        self._send(frames)

    def _send(self, frames: bytes) -> None:
        if self._link is None:
            self._unsure = True
            return
        self._link.ask(["PUBLISH", self._channel, self._name + frames]).add_done_callback(self._answered)

    def _answered(self, answer: "asyncio.Future[list[Any]]") -> None:
        if answer.cancelled() or answer.exception() is not None or isinstance(answer.result()[0], Exception):
            self._unsure = True

    def _pushed(self, push: Any) -> None:
        """Something came: `subscribe`, or `message` with its channel and payload."""
        if push[0] != b"message" or self._closed:
            return
        message: bytes = push[2]
        if message.startswith(self._name):
            return
        with contextlib.suppress(BadFrame):
            for kind, topic, payload in Parser().feed(message[_NAME_BYTES:]):
                if kind == Frame.MESSAGE:
                    self._topics.tell(topic, payload)
                elif kind == Frame.HELLO and self._started:
                    self._topics.tell_gap()
