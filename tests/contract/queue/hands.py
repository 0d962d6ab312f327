"""What tests of queues between processes put and take, and consumers in processes of their own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from townsquare.model.errors import Unavailable
from townsquare.queue.port import Consumer, Delivery, Message, Queue

T = TypeVar("T")


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Run a program of Python; what it prints can be read."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


class Child:
    """A consumer in a process of its own: a program that says each id it takes. Its arguments are where the queue is,
    whether to acknowledge (yes or no), and `more`."""

    def __init__(self, program: str, where: str, *more: str, acknowledge: bool, within_s: float = 20) -> None:
        self.process = start(program, where, "yes" if acknowledge else "no", *more)
        self._within_s = within_s

    async def said(self, count: int) -> list[int]:
        """The next `count` ids."""
        assert self.process.stdout is not None
        read = self.process.stdout.readline
        return [int(await asyncio.wait_for(asyncio.to_thread(read), self._within_s)) for _ in range(count)]


def messages(first: int, count: int) -> list[Message]:
    """Messages with ids from `first` on, each with a key of its own."""
    return [Message(lane="fan_out", key=n, id=n, body=b"") for n in range(first, first + count)]


def ids(deliveries: Sequence[Delivery]) -> list[int]:
    """Their messages' ids."""
    return [delivery.message.id for delivery in deliveries]


async def take_all(consumer: Consumer, count: int, *, within_s: float) -> list[Delivery]:
    """So many deliveries."""
    found = list[Delivery]()
    async with asyncio.timeout(within_s):
        while len(found) < count:
            found += await consumer.take(limit=count, wait_s=1)
    return found


async def when_it_is_back(act: Callable[[], Awaitable[T]]) -> T:
    """Do it again until it is done."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await act()
            except Unavailable:
                await asyncio.sleep(0.1)


async def let_all_share(queue: Queue, children: Sequence[Child]) -> tuple[list[int], int]:
    """Put messages until each child has had some, and wait until all is done: what they said, and how many were put.

    Keys move from one to another meanwhile. A put that the server did not confirm in time is repeated.
    """
    said, count, reading = [list[int]() for _ in children], 0, list[asyncio.Task[None]]()

    async def listen(child: Child, mine: list[int]) -> None:
        while True:
            mine += await child.said(1)

    async with asyncio.timeout(60):
        reading = [asyncio.create_task(listen(child, mine)) for child, mine in zip(children, said, strict=True)]
        while not all(said):
            some = messages(count, 50)
            await when_it_is_back(lambda some=some: queue.put(some))  # type: ignore[misc]  # of this turn
            count += 50
            await asyncio.sleep(0.1)
        while sum(map(len, said)) < count or (await queue.depths())[0].waiting:  # noqa: ASYNC110 - they are processes
            await asyncio.sleep(0.05)
    for task in reading:
        task.cancel()
    return [number for one in said for number in one], count
