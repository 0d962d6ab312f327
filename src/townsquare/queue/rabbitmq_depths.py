"""How much waits in RabbitMQ, and since when.

Box: queue. RabbitMQ says how many messages it has still to give. Those given and not acknowledged are known to the
processes that have them, so these are asked. Where nobody consumes a lane, its oldest messages are looked at.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec
from pamqp import commands

from townsquare.model.errors import Invalid
from townsquare.queue.port import LaneDepth
from townsquare.queue.rabbitmq_line import Line
from townsquare.queue.rabbitmq_members import Held
from townsquare.queue.rabbitmq_names import Layout
from townsquare.queue.rabbitmq_records import unpack

_LOOK_WITHIN_S = 1.0


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What RabbitMQ itself says of a lane."""

    lane: str
    waiting: int
    parked: int
    consumers: int
    full: list[str]  # queues with messages that are not given


async def count(line: Line, layout: Layout, lanes: Sequence[str]) -> list[Counted]:
    """What RabbitMQ says of each lane. Raises: Unavailable."""
    channel = await line.plain(lanes)
    asked = [(lane, name) for lane in lanes for name in _queues(layout, lane)]
    methods = [channel.ask(commands.Queue.Declare(queue=name, passive=True)) for _, name in asked]
    answers = await asyncio.gather(*methods)
    sizes = dict[str, tuple[int, int]]()
    for (_, name), answer in zip(asked, answers, strict=True):
        if isinstance(answer, commands.Queue.DeclareOk):
            sizes[name] = answer.message_count or 0, answer.consumer_count or 0
    return [_counted(layout, lane, sizes) for lane in lanes]


def depth(counted: Counted, held: Iterable[Held], looked_at_ms: int | None) -> LaneDepth:
    """A lane's depth from what RabbitMQ says and what processes hold."""
    hands = [one[counted.lane] for one in held if counted.lane in one]
    oldest = [ms for ms in (looked_at_ms, *(ms for _, ms in hands)) if ms is not None]
    return LaneDepth(
        lane=counted.lane,
        waiting=counted.waiting + sum(some for some, _ in hands),
        parked=counted.parked,
        oldest_ms=min(oldest, default=None),
    )


async def look_at_oldest(line: Line, lane: str, queues: Sequence[str]) -> int | None:
    """When the oldest message of some queues that nobody consumes was put. Raises: Unavailable."""
    put_ms, enough = list[int](), asyncio.Event()

    def given(tag: int, data: bytes) -> None:
        with suppress(Invalid):
            put_ms.append(unpack(lane, data).put_ms)
        if len(put_ms) >= len(queues):
            enough.set()

    channel = await (await line.connection()).channel()
    try:
        for name in queues:
            await channel.consume(name, given, prefetch=1)
        with suppress(TimeoutError):  # somebody else came to consume them
            async with asyncio.timeout(_LOOK_WITHIN_S):
                await enough.wait()
    finally:
        await channel.close()
    return min(put_ms, default=None)


def _queues(layout: Layout, lane: str) -> list[str]:
    partitions = [layout.partition(lane, number) for number in range(layout.partitions)]
    return [*partitions, *layout.laters(lane), layout.parked(lane)]


def _counted(layout: Layout, lane: str, sizes: dict[str, tuple[int, int]]) -> Counted:
    *queues, parked = _queues(layout, lane)
    return Counted(
        lane=lane,
        waiting=sum(sizes[name][0] for name in queues),
        parked=sizes[parked][0],
        consumers=max(sizes[name][1] for name in queues),
        full=[name for name in queues if sizes[name][0]],
    )
