"""One of our two lines to RabbitMQ, made again when it is lost.

Box: queue. A server short of memory stops to read from lines that bring messages, acknowledgements on them included. So
messages go out over one line, and come in and are acknowledged over another.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from townsquare.model.errors import Unavailable
from townsquare.queue.rabbitmq_names import Layout
from townsquare.wire.amqp import Address, Connection, connect
from townsquare.wire.amqp_channel import Channel, Refused

WITHIN_S = 5.0  # the longest anybody waits for an answer
_NOT_AGAIN_FOR_S = 0.2  # after an attempt that failed
_OTHERWISE = 406  # there with other arguments


class Line:
    """A connection with two channels: one with confirms, one for all else."""

    def __init__(self, address: Address, layout: Layout, *, lost: Callable[[], None] | None = None) -> None:
        """`lost` hears of each end of the connection."""
        self._address, self._layout, self._on_loss = address, layout, lost
        self._making: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._puts: Channel | None = None
        self._plain: Channel | None = None
        self._lanes = dict[str, asyncio.Lock | None]()  # None: declared
        self._failed_at, self._closed = -_NOT_AGAIN_FOR_S, False

    @property
    def hosts(self) -> tuple[tuple[str, int], ...]:
        """The machines that the address names."""
        return self._address.hosts

    async def connection(self) -> Connection:
        """The connection, made if there is none. Raises: Unavailable; ValueError where we are not let in."""
        if self._connection is None or not self._connection.up:
            if self._making is None or self._making.done():
                if self._closed or asyncio.get_running_loop().time() - self._failed_at < _NOT_AGAIN_FOR_S:
                    raise Unavailable("RabbitMQ does not answer")
                self._making = asyncio.create_task(self._make(), name="line to rabbitmq")
                self._making.add_done_callback(_seen)
            await asyncio.shield(self._making)
        if self._connection is None:
            raise Unavailable("RabbitMQ does not answer")
        return self._connection

    async def puts(self, lanes: Iterable[str] = ()) -> Channel:
        """The channel with confirms; the queues of the lanes are there. Raises: Unavailable."""
        await self._ready(lanes)
        async with self._opening:
            if self._puts is None or self._puts.over is not None:
                self._puts = await (await self.connection()).channel(confirms=True)
        return self._puts

    async def plain(self, lanes: Iterable[str] = ()) -> Channel:
        """The channel without confirms; the queues of the lanes are there. Raises: Unavailable."""
        await self._ready(lanes)
        async with self._opening:
            if self._plain is None or self._plain.over is not None:
                self._plain = await (await self.connection()).channel()
        return self._plain

    def tell(self, to: bytes, body: bytes) -> None:
        """Send at once what may be lost, and is where there is no connection."""
        if self._plain is not None and self._connection is not None:
            self._plain.tell(to, body)
            self._connection.flush()

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Around what must be answered in time. Raises: Unavailable; the line is made anew if it is not."""
        try:
            async with asyncio.timeout(WITHIN_S):
                yield
        except TimeoutError as exc:
            if self._connection is not None and not self._connection.blocked:
                self._connection.abort()
            raise Unavailable("RabbitMQ does not answer just now") from exc
        except Refused as exc:
            self._lanes.clear()  # what is not there will be declared again
            raise Unavailable(_sentence(exc)) from exc

    async def close(self) -> None:
        """End it."""
        self._closed = True
        if self._making is not None and not self._making.done():
            self._making.cancel()
            await asyncio.wait([self._making])
        if self._connection is not None:
            self._connection.close()

    async def _make(self) -> None:
        try:
            self._connection = await connect(self._address, lost=self._lost)
            self._lanes.clear()
            channel = await self._connection.channel()
            try:
                await channel.ask(*self._layout.foundation())
            except Refused as exc:
                if exc.code == _OTHERWISE:
                    raise ValueError(
                        f"The setting queue must name as many partitions as were begun with here; RabbitMQ says: {exc}"
                    ) from exc
                raise Unavailable(_sentence(exc)) from exc
            await channel.close()
            self._plain = await self._connection.channel()
        except BaseException:
            self._failed_at = asyncio.get_running_loop().time()
            if self._connection is not None:
                self._connection.abort()
            raise

    async def _ready(self, lanes: Iterable[str]) -> None:
        connection = await self.connection()
        for lane in lanes:
            if lane in self._lanes and self._lanes[lane] is None:
                continue
            lock = self._lanes.setdefault(lane, asyncio.Lock())
            if lock is None:
                continue
            async with lock:
                if self._lanes.get(lane, lock) is not None:
                    channel = await connection.channel()
                    await asyncio.gather(*[channel.ask(method) for method in self._layout.lane(lane)])
                    await channel.close()
                    self._lanes[lane] = None

    def _lost(self) -> None:
        self._lanes.clear()
        if self._on_loss is not None:
            self._on_loss()


def _sentence(exc: Refused) -> str:
    if exc.code == _OTHERWISE:
        return f"RabbitMQ has a queue of ours with other properties; the setting queue may have changed: {exc}"
    return f"RabbitMQ refuses: {exc}"


def _seen(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        task.exception()
