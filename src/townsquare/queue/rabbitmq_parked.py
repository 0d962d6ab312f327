"""What failed too often: looked through without losing any, one operator at a time.

Box: queue. RabbitMQ gives out a queue's messages only as if to be worked on. So they are all taken on one channel,
which is closed without acknowledging: each goes back to its place. Meanwhile others would see none; a lock keeps them
off.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pamqp import commands

from townsquare.model.errors import Invalid, Unavailable
from townsquare.queue.port import Parked
from townsquare.queue.rabbitmq_line import Line
from townsquare.queue.rabbitmq_names import Layout
from townsquare.queue.rabbitmq_records import Record, unpack
from townsquare.wire.amqp_channel import Channel, Refused

_LOCKED = 405
_LOOK_S = 0.05
_AT_ONCE = 200


class ParkedQueues:
    """The queues of parked messages."""

    def __init__(self, line: Line, layout: Layout) -> None:
        self._line, self._layout, self._mine = line, layout, asyncio.Lock()

    async def first(self, lane: str, limit: int) -> list[Parked]:
        """Those of a lane, oldest first. Raises: Unavailable."""
        async with self._looking(lane) as channel:
            found = list[Parked]()
            while some := await self._next(channel, lane, min(limit - len(found), _AT_ONCE)):
                found += [_parked(record) for _, record in some]
            return found

    @asynccontextmanager
    async def taken(self, lane: str, message_id: int) -> AsyncIterator[Record | None]:
        """One message, gone for good when the block ends well. Raises: Unavailable."""
        async with self._looking(lane) as channel:
            count = 1  # whoever goes through them all begins with the first
            while some := await self._next(channel, lane, count):
                for tag, record in some:
                    if record.message.id == message_id:
                        yield record
                        channel.ack(tag)
                        await channel.settle()
                        return
                count = _AT_ONCE
            yield None

    async def _next(self, channel: Channel, lane: str, count: int) -> list[tuple[int, Record]]:
        """The next ones, of which the channel keeps hold. Raises: Unavailable."""
        name, found = self._layout.parked(lane), list[tuple[int, Record]]()
        async with self._line.answering():
            some = await asyncio.gather(*[channel.get(name) for _ in range(count)])
        for tag, data in (one for one in some if one is not None):
            with suppress(Invalid):  # not ours; it stays
                found.append((tag, unpack(lane, data)))
        return found

    @asynccontextmanager
    async def _looking(self, lane: str) -> AsyncIterator[Channel]:
        async with self._mine:
            async with self._line.answering():
                await self._line.plain([lane])
                lock = await self._locked()
                channel = await (await self._line.connection()).channel()
            try:
                yield channel
            finally:
                async with self._line.answering():
                    await channel.close()
                    await lock.ask(commands.Queue.Delete(queue=self._layout.operator))
                    await lock.close()

    async def _locked(self) -> Channel:
        """A channel that holds the lock. Raises: Unavailable."""
        while True:
            channel = await (await self._line.connection()).channel()
            try:
                await channel.ask(commands.Queue.Declare(queue=self._layout.operator, exclusive=True))
            except Refused as exc:
                if exc.code != _LOCKED:
                    raise Unavailable("RabbitMQ does not let us look through what is parked") from exc
                await asyncio.sleep(_LOOK_S)
            else:
                return channel


def _parked(record: Record) -> Parked:
    return Parked(message=record.message, tries=record.tries, reason=record.reason, parked_ms=record.at_ms)
