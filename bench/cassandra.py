"""What the Cassandra store costs its client: CPU of each call, and how long callers wait.

Run: `python -m bench.cassandra cassandra://127.0.0.1:9042/bench`; the keyspace is filled and left there. The server's
own CPU is not counted, and on one machine makes the waits longer than they are elsewhere.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from bench.store import AUTHORS, row
from townsquare.kit.clock import SystemClock
from townsquare.store.cassandra import CassandraStore
from townsquare.store.port import Put
from townsquare.store.tables import AUTHOR_LOG, AUTHOR_LOG_COUNTS, HANDLES, HandleRow, LogCountRow

MONTH = 680


async def cost(label: str, call: Callable[[int], Awaitable[Any]], *, times: int, at_once: int) -> None:
    """CPU of the whole process, driver's threads included, and the waits of `at_once` callers."""
    waits: list[float] = []
    numbers = iter(range(times))

    async def caller() -> None:
        for n in numbers:
            began = time.perf_counter()
            await call(n)
            waits.append(time.perf_counter() - began)

    cpu, start = time.process_time(), time.perf_counter()
    await asyncio.gather(*[caller() for _ in range(at_once)])
    cpu, took = time.process_time() - cpu, time.perf_counter() - start
    waits.sort()
    print(
        f"{label:34} {at_once:4} at once {times / took:8,.0f} /s {cpu / times * 1e6:8.0f} us CPU  "
        f"p50 {waits[times // 2] * 1e3:.1f} ms, p99 {waits[times * 99 // 100] * 1e3:.1f} ms"
    )


async def main(url: str) -> None:
    store = await CassandraStore.open(url, [AUTHOR_LOG, AUTHOR_LOG_COUNTS, HANDLES], clock=SystemClock())
    for number in range(40):
        await store.write([Put(AUTHOR_LOG, row(author, number)) for author in range(AUTHORS)])
    keys = [(n % AUTHORS, MONTH, (n * 7 % 40 << 40) + n % AUTHORS) for n in range(4_100)]
    for at_once in (1, 64):
        times = 400 if at_once == 1 else 4_000
        await cost("get", lambda n: store.get(AUTHOR_LOG, keys[n]), times=times, at_once=at_once)
        await cost(
            "range of 20",
            lambda n: store.range(AUTHOR_LOG, (n % AUTHORS, MONTH), limit=20),
            times=times,
            at_once=at_once,
        )
        await cost(
            "write", lambda n: store.write([Put(AUTHOR_LOG, row(n % AUTHORS, 99))]), times=times, at_once=at_once
        )
    total = [LogCountRow(author=author, month=MONTH, n=1) for author in range(AUTHORS)]
    await cost(
        "write of 5 rows and their total",
        lambda n: store.write(
            [*(Put(AUTHOR_LOG, row(n % AUTHORS, 50 + k)) for k in range(5)), Put(AUTHOR_LOG_COUNTS, total[n % AUTHORS])]
        ),
        times=1_000,
        at_once=64,
    )
    await cost("get_many, 40 partitions", lambda n: store.get_many(AUTHOR_LOG, keys[n : n + 40]), times=300, at_once=8)
    one = [(7, MONTH, (k << 40) + 7) for k in range(40)]
    await cost("get_many, 40 rows of a partition", lambda n: store.get_many(AUTHOR_LOG, one), times=500, at_once=8)
    parts = [(n % AUTHORS, MONTH) for n in range(1_000)]
    await cost(
        "range_many, 20 of 20",
        lambda n: store.range_many(AUTHOR_LOG, parts[n : n + 20], limit=20),
        times=200,
        at_once=8,
    )
    await cost(
        "slow_put_if_absent",
        lambda n: store.slow_put_if_absent(HANDLES, HandleRow(domain="", name=f"{time.time_ns()}", account_id=n)),
        times=400,
        at_once=8,
    )
    await store.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
