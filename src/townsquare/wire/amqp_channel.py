"""A channel of an AMQP connection: requests answered in order, messages out with confirms, messages in.

Box: wire. Source: AMQP 0-9-1; RabbitMQ, /docs/confirms.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Protocol

from pamqp import commands
from pamqp.base import Frame

from townsquare.model.errors import Unavailable
from townsquare.wire import amqp_frames as frames

Given = Callable[[int, bytes], None]  # tag, body
Answer = Frame | tuple[int, bytes]  # a message that was asked for: tag, body


class Refused(Exception):
    """The server ended a channel because of what was asked. `code`: 404 not there, 405 locked, 406 otherwise there."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Wire(Protocol):
    """What a channel needs of its connection."""

    most_bytes: int  # of a frame
    blocked: bool  # the server takes no messages just now
    unsent: list[bytes]

    def send(self, data: bytes) -> None:
        """Send it at the end of this turn of the loop."""

    def drop(self, number: int) -> None:
        """The channel of this number is no more."""


class _Batch:
    """Messages sent together, and how many are not yet confirmed."""

    __slots__ = ("count", "future")

    def __init__(self, future: "asyncio.Future[None]", count: int) -> None:
        self.future, self.count = future, count


class Channel:
    """A channel. After its end, `over` says why, and whoever waits is told `Unavailable` or `Refused`."""

    def __init__(self, wire: Wire, number: int, *, ended: Callable[[], None] | None = None) -> None:
        """`ended` hears once of an end that was not asked for."""
        self._wire, self.number, self._ended = wire, number, ended
        self._loop = asyncio.get_running_loop()
        self._asked: deque[asyncio.Future[Answer]] = deque()
        self._consumers = dict[str, Given]()
        self._coming = "", 0  # consumer, tag
        self._is_asked = False  # what is coming was asked for by `get`
        self._missing, self._pieces = 0, list[bytes]()
        self._sent, self._unconfirmed = 0, dict[int, _Batch]()
        self.over: Exception | None = None

    @property
    def unconfirmed(self) -> int:
        """Messages sent and neither confirmed nor refused."""
        return len(self._unconfirmed)

    def ask(self, *methods: Frame) -> "asyncio.Future[Answer]":
        """Send methods that are answered; the future is that of the last one's answer.

        The future raises: Refused, Unavailable.
        """
        for method in methods:
            future: asyncio.Future[Answer] = self._loop.create_future()
            if self.over is not None:
                future.set_exception(self.over)
            else:
                self._asked.append(future)
                self._wire.send(frames.pack(self.number, method))
            future.add_done_callback(_seen)
        return future

    async def get(self, queue: str, *, no_ack: bool = False) -> tuple[int, bytes] | None:
        """The first message of a queue with its tag; None where there is none. Raises: Refused, Unavailable."""
        answer = await self.ask(commands.Basic.Get(queue=queue, no_ack=no_ack))
        return answer if isinstance(answer, tuple) else None

    async def settle(self) -> None:
        """Wait until the server has looked at all that was sent here. Raises: Refused, Unavailable."""
        await self.ask(commands.Basic.Qos(prefetch_count=0))

    async def consume(self, queue: str, given: Given, *, prefetch: int) -> None:
        """Have messages given, at most `prefetch` that are not acknowledged. Raises: Refused, Unavailable."""
        name = f"{self.number}.{len(self._consumers)}"
        self._consumers[name] = given
        await self.ask(
            commands.Basic.Qos(prefetch_count=prefetch), commands.Basic.Consume(queue=queue, consumer_tag=name)
        )

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Forget a message, or with `multiple` all up to it. Nothing where the channel is over."""
        if self.over is None:
            self._wire.send(frames.pack_ack(self.number, tag, multiple=multiple))

    def tell(self, to: bytes, body: bytes) -> None:
        """Send a message that may be lost, and that a restart of the server forgets."""
        if self.over is None:
            most = self._wire.most_bytes
            self._wire.send(frames.pack_message(self.number, to, body, mode=frames.TRANSIENT, most_bytes=most))
            self._sent += 1

    def publish(self, messages: Sequence[tuple[bytes, bytes]]) -> "asyncio.Future[None]":
        """Send messages, each a route and a body; the future is done when the server has all of them for good.

        The future raises: Refused, Unavailable.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        future.add_done_callback(_seen)
        if self.over is not None or self._wire.blocked or not messages:
            if self.over is not None:
                future.set_exception(self.over)
            elif self._wire.blocked:
                future.set_exception(Unavailable("RabbitMQ takes no messages just now: it lacks memory or disk"))
            else:
                future.set_result(None)
            return future
        batch, most, sent = _Batch(future, len(messages)), self._wire.most_bytes, self._sent
        pack, number, mode = frames.pack_message, self.number, frames.PERSISTENT
        data = b"".join([pack(number, to, body, mode=mode, most_bytes=most) for to, body in messages])
        self._unconfirmed.update(dict.fromkeys(range(sent + 1, sent + len(messages) + 1), batch))
        self._sent = sent + len(messages)
        self._wire.send(data)
        return future

    async def close(self) -> None:
        """End it: what was given and not acknowledged goes back to its queue, in its place."""
        if self.over is None:
            self._ended = None
            closed = self.ask(commands.Channel.Close(reply_code=200, reply_text="", class_id=0, method_id=0))
            self._consumers.clear()
            try:
                await closed
            finally:
                self.end(Unavailable("The channel is closed"))
                self._wire.drop(self.number)

    # What comes, from the connection

    def end(self, why: Exception) -> None:
        """It is over; all who wait are told."""
        if self.over is not None:
            return
        self.over = why
        batches = {id(batch): batch.future for batch in self._unconfirmed.values()}
        for asked in self._asked:
            if not asked.done():
                asked.set_exception(why)
        for batch in batches.values():
            if not batch.done():
                batch.set_exception(why)
        self._asked.clear()
        self._unconfirmed.clear()
        self._consumers.clear()
        if self._ended is not None:
            self._loop.call_soon(self._ended)

    def method(self, payload: bytes) -> None:
        """A method came. Raises: ValueError."""
        index = int.from_bytes(payload[:4], "big")
        if index == frames.DELIVER:
            consumer, tag, _ = frames.delivery_of(payload)
            self._coming = consumer, tag
        elif index in (frames.ACK, frames.NACK):
            tag, multiple = frames.confirm_of(payload)
            self._confirm(tag, multiple=multiple, taken=index == frames.ACK)
        elif index == frames.RETURN:
            # What cannot be placed is confirmed as well, so nothing that is under way can be trusted.
            self._coming = "", 0
            self._fail(Refused(404, "a queue of ours is not there any more"))
        else:
            self._answer(frames.unpack(payload))

    def content(self, payload: bytes) -> None:
        """The head of a message came."""
        self._missing = int.from_bytes(payload[4:12], "big")
        if not self._missing:
            self._whole(b"")

    def body(self, payload: bytes) -> None:
        """A piece of a message came."""
        self._missing -= len(payload)
        if self._missing > 0 or self._pieces:
            self._pieces.append(payload)
        if self._missing <= 0:
            whole = b"".join(self._pieces) if self._pieces else payload
            self._pieces = []
            self._whole(whole)

    def _whole(self, body: bytes) -> None:
        consumer, tag = self._coming
        if self._is_asked:
            self._is_asked = False
            self._asked_first((tag, body))
            return
        given = self._consumers.get(consumer)
        if given is not None:
            given(tag, body)

    def _answer(self, method: Frame) -> None:
        if isinstance(method, commands.Basic.GetOk):
            self._coming, self._is_asked = ("", method.delivery_tag or 0), True
        elif isinstance(method, commands.Channel.Close):
            self._wire.send(frames.pack(self.number, commands.Channel.CloseOk()))
            self._wire.drop(self.number)
            self.end(Refused(method.reply_code or 0, method.reply_text or ""))
        elif isinstance(method, commands.Basic.Cancel):
            # The queue went away or moved. Whoever consumes begins anew, with another channel.
            self._wire.send(
                frames.pack(self.number, commands.Channel.Close(reply_code=200, reply_text="", class_id=0, method_id=0))
            )
            self.end(Unavailable("RabbitMQ ended the giving of messages"))
        elif isinstance(method, commands.Channel.CloseOk):
            while len(self._asked) > 1:  # what was asked before the close is not answered any more
                asked = self._asked.popleft()
                if not asked.done():
                    asked.set_exception(Unavailable("The channel is closed"))
            self._asked_first(method)
            self._wire.drop(self.number)
        else:
            self._asked_first(method)

    def _asked_first(self, answer: Answer) -> None:
        if not self._asked:
            return
        future = self._asked.popleft()
        if not future.done():
            future.set_result(answer)

    def _confirm(self, tag: int, *, multiple: bool, taken: bool) -> None:
        waiting = self._unconfirmed
        tags = [tag] if not multiple else list(takewhile(lambda one: one <= tag, waiting))
        for one in tags:
            batch = waiting.pop(one, None)
            if batch is None:
                continue
            batch.count -= 1
            if batch.future.done():
                continue
            if not taken:
                batch.future.set_exception(Unavailable("RabbitMQ did not take a message"))
            elif not batch.count:
                batch.future.set_result(None)

    def _fail(self, why: Exception) -> None:
        for batch in self._unconfirmed.values():
            if not batch.future.done():
                batch.future.set_exception(why)


def _seen(future: "asyncio.Future[Answer] | asyncio.Future[None]") -> None:
    """Whoever does not wait for it does not miss anything."""
    if not future.cancelled():
        future.exception()
