"""What is to come later in a lane, moved to its partition when it is due.

Box: queue. Delays of a like length share a queue, so what is due first stands near its head. One consumer of the lane
at a time has them in its hands, as many as fit, and goes by our own clock. All others stand in line behind it.
"""

import asyncio
import heapq
from collections.abc import Sequence

import msgspec

from townsquare.kit.clock import Clock
from townsquare.model.errors import Invalid, Unavailable
from townsquare.queue.rabbitmq_line import Line
from townsquare.queue.rabbitmq_names import Layout, to
from townsquare.queue.rabbitmq_records import Record, pack, unpack
from townsquare.queue.shares import partition_of
from townsquare.wire.amqp_channel import Channel

_PREFETCH = 1000  # of each queue of a lane
_LOOK_S = 0.02  # between two looks at the clock, while anything waits
_AT_ONCE = 200
_HOLD_S = 600.0  # RabbitMQ gives up a channel whose messages are unacknowledged for 30 minutes
_PAUSE_S = 0.5  # after a failure


class _Waits(msgspec.Struct, frozen=True, order=True):
    due_ms: int
    tag: int
    record: Record
    until_s: float


class Later:
    """A place in line at a lane's queues for later."""

    def __init__(self, line: Line, puts: Line, layout: Layout, *, lane: str, clock: Clock) -> None:
        self._line, self._puts, self._layout, self._lane, self._clock = line, puts, layout, lane, clock
        self._heap = list[_Waits]()
        self._channel: Channel | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> Sequence[Record]:
        """What is in our hands."""
        return [one.record for one in self._heap]

    @property
    def up(self) -> bool:
        """Whether it stands in line."""
        return self._channel is not None and self._channel.over is None

    async def stand(self) -> None:
        """Stand in line. Raises: Unavailable."""
        self._heap.clear()
        self._channel = channel = await (await self._line.connection()).channel(ended=self._heap.clear)
        for name in self._layout.laters(self._lane):
            await channel.consume(name, self._given, prefetch=_PREFETCH)

    async def leave(self) -> None:
        """Leave the line. Raises: Unavailable."""
        channel, self._channel = self._channel, None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._heap.clear()
        if channel is not None:
            await channel.close()

    def _given(self, tag: int, data: bytes) -> None:
        try:
            record = unpack(self._lane, data)
        except Invalid:
            if self._channel is not None:
                self._channel.ack(tag)
            return
        until_s = asyncio.get_running_loop().time() + _HOLD_S
        heapq.heappush(self._heap, _Waits(record.at_ms, tag, record, until_s))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._move(), name=f"later {self._lane}")

    async def _move(self) -> None:
        """Move what is due, until nothing waits."""
        while self._heap:
            try:
                moved = await self._move_due()
            except Unavailable:
                await asyncio.sleep(_PAUSE_S)
            else:
                await asyncio.sleep(0 if moved else _LOOK_S)

    async def _move_due(self) -> int:
        now_ms, now_s = self._clock.now_ms(), asyncio.get_running_loop().time()
        due = list[_Waits]()
        while self._heap and self._heap[0].due_ms <= now_ms and len(due) < _AT_ONCE:
            due.append(heapq.heappop(self._heap))
        held_long = [one for one in self._heap[:_AT_ONCE] if one.until_s < now_s]
        moves = [(self._queue_of(one.record), one) for one in due]
        moves += [(self._layout.later(self._lane, (one.due_ms - now_ms) / 1000), one) for one in held_long]
        if not moves:
            return 0
        channel = self._channel
        try:
            async with self._puts.answering():
                puts = await self._puts.puts([self._lane])
                await puts.publish([(to(queue), pack(one.record)) for queue, one in moves])
        except BaseException:
            if channel is self._channel and channel is not None and channel.over is None:
                for one in due:
                    heapq.heappush(self._heap, one)
            raise
        for one in held_long:
            if one in self._heap:
                self._heap.remove(one)
        heapq.heapify(self._heap)
        for _, one in moves:
            if channel is not None:
                channel.ack(one.tag)
        return len(moves)

    def _queue_of(self, record: Record) -> str:
        return self._layout.partition(self._lane, partition_of(record.message.key, self._layout.partitions))
