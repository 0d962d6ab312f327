"""What the Kafka queue costs its client: `python -m bench.kafka kafka://HOST:PORT`. CPU is of this whole process."""

import asyncio
import secrets
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

from townsquare.kit.clock import SystemClock
from townsquare.queue.kafka import KafkaQueue
from townsquare.queue.port import Consumer, Message
from townsquare.workers.lanes import LANES

BODY = b"x" * 120
COUNT = 20_000
TAKE = 512
IDLE_S = 10.0


async def main(server: str) -> None:
    """Print one line for each thing measured."""
    lanes = [lane.name for lane in LANES]
    queue = await KafkaQueue.open(f"{server}?prefix=bench{secrets.token_hex(3)}", lanes, clock=SystemClock())
    await queue.put([Message(lane="fan_out", key=0, id=-1, body=BODY)])  # the client connects
    await _measure("idle, a process that only puts", 0, lambda: asyncio.sleep(IDLE_S))
    numbers = iter(range(10**9))
    for size in (1, 8, 100):
        await _measure(f"put, {size} at a time, 16 side by side", COUNT, lambda n=size: _put(queue, numbers, n))
    consumer = queue.consume(["fan_out"])
    await consumer.done(await consumer.take(limit=1, wait_s=30))
    await _measure(f"take {TAKE} and done", 3 * COUNT, lambda: _take(consumer, 3 * COUNT))
    others = [queue.consume([lane]) for lane in lanes if lane != "fan_out"]
    for other in others:
        await other.take(limit=1, wait_s=1)
    await _measure(f"idle, consumers of {len(lanes)} lanes", 0, lambda: asyncio.sleep(IDLE_S))
    await _latency(queue, consumer, numbers)
    await _measure("depths", 50, lambda: _depths(queue, 50))
    await queue.close()


async def _measure(what: str, count: int, act: Callable[[], Awaitable[object]]) -> None:
    cpu_s, began_s = time.process_time(), time.perf_counter()
    await act()
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - began_s
    if count:
        print(f"{what}: {count / wall_s:,.0f}/s, {cpu_s / count * 1e6:.1f} us of CPU each")
    else:
        print(f"{what}: {cpu_s / wall_s * 100:.2f} % of a core")


async def _put(queue: KafkaQueue, numbers: Iterator[int], size: int) -> None:
    async def some() -> None:
        for _ in range(COUNT // 16 // size):
            fresh = [next(numbers) for _ in range(size)]
            await queue.put([Message(lane="fan_out", key=n, id=n, body=BODY) for n in fresh])

    await asyncio.gather(*(some() for _ in range(16)))


async def _take(consumer: Consumer, count: int) -> None:
    taken = 0
    while taken < count * 0.95:
        found = await consumer.take(limit=TAKE, wait_s=5)
        taken += len(found)
        await consumer.done(found)


async def _depths(queue: KafkaQueue, count: int) -> None:
    for _ in range(count):
        await queue.depths()


async def _latency(queue: KafkaQueue, consumer: Consumer, numbers: Iterator[int]) -> None:
    while found := await consumer.take(limit=TAKE, wait_s=0.5):
        await consumer.done(found)
    waits_ms, cpu_s = list[float](), time.process_time()
    for _ in range(300):
        began_s = time.perf_counter()
        n = next(numbers)
        await queue.put([Message(lane="fan_out", key=n, id=n, body=BODY)])
        found = await consumer.take(limit=1, wait_s=5)
        waits_ms.append((time.perf_counter() - began_s) * 1e3)
        await consumer.done(found)
        await asyncio.sleep(0.01)
    cuts = statistics.quantiles(waits_ms, n=100)
    cpu_us = (time.process_time() - cpu_s) / 300 * 1e6
    print(f"put until taken, one at a time: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, {cpu_us:.0f} us of CPU each")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
