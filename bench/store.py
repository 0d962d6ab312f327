"""What the SQLite store costs: durable writes alone and in groups, reads alone and beside writes.

Run: `python -m bench.store [FOLDER]`; the folder should lie on the disk in question, not in memory.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from townsquare.kit.clock import SystemClock
from townsquare.store.port import Put
from townsquare.store.sqlite import SqliteStore
from townsquare.store.tables import AUTHOR_LOG, TABLES, LogRow

AUTHORS = 1_000
ROWS_AN_AUTHOR = 200


def row(author: int, number: int) -> LogRow:
    return LogRow(author=author, month=680, status_id=(number << 40) + author, visibility="public", tags=("bench",))


async def time_of(call: Callable[[int], Awaitable[Any]], times: int) -> float:
    """Microseconds of CPU a call, one after the other."""
    start = time.thread_time()
    for n in range(times):
        await call(n)
    return (time.thread_time() - start) / times * 1e6


async def fill(store: SqliteStore) -> None:
    start, cpu = time.perf_counter(), time.process_time()
    for number in range(ROWS_AN_AUTHOR):
        await store.write([Put(AUTHOR_LOG, row(author, number)) for author in range(AUTHORS)])
    rows = AUTHORS * ROWS_AN_AUTHOR
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"rows, 1,000 a call        {rows / took:10,.0f} rows/s {cpu / rows * 1e6:8.1f} us CPU a row")


async def writes(store: SqliteStore, at_once: int, seconds: float) -> None:
    """Durable calls by `at_once` callers, each waiting for its own."""
    waits: list[float] = []
    until = time.perf_counter() + seconds
    start, cpu = time.perf_counter(), time.process_time()

    async def caller(author: int) -> None:
        number = 1_000
        while (began := time.perf_counter()) < until:
            await store.write([Put(AUTHOR_LOG, row(author, number))])
            waits.append(time.perf_counter() - began)
            number += 1

    async with asyncio.TaskGroup() as tasks:
        for author in range(at_once):
            tasks.create_task(caller(author))
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    waits.sort()
    print(
        f"durable calls, {at_once:4} at once {len(waits) / took:8,.0f} /s     {cpu / len(waits) * 1e6:8.1f} us CPU "
        f"p50 {waits[len(waits) // 2] * 1e3:.2f} ms, p99 {waits[len(waits) * 99 // 100] * 1e3:.2f} ms, "
        f"longest {waits[-1] * 1e3:.1f} ms"
    )


async def reads(store: SqliteStore, label: str) -> None:
    keys = [(n % AUTHORS, 680, (n * 7 % ROWS_AN_AUTHOR << 40) + n % AUTHORS) for n in range(4_000)]
    partitions = [(n * 13 % AUTHORS, 680) for n in range(4_000)]
    cost = await time_of(lambda n: store.get(AUTHOR_LOG, keys[n]), 4_000)
    print(f"get{label:22} {cost:8.1f} us CPU")
    cost = await time_of(lambda n: store.get_many(AUTHOR_LOG, keys[n : n + 20]), 2_000)
    print(f"get_many of 20{label:11} {cost:8.1f} us CPU")
    cost = await time_of(lambda n: store.range(AUTHOR_LOG, partitions[n], limit=20), 4_000)
    print(f"range of 20{label:14} {cost:8.1f} us CPU")
    cost = await time_of(lambda n: store.range_many(AUTHOR_LOG, partitions[n : n + 20], limit=20), 500)
    print(f"range_many, 20 of 20{label:5} {cost:8.1f} us CPU")


async def reads_beside_writes(store: SqliteStore) -> None:
    going_on = True

    async def write() -> None:
        number = 5_000_000
        while going_on:
            await store.write([Put(AUTHOR_LOG, row(number % AUTHORS, number))])
            number += 1

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        costs = []
        for n in range(2_000):
            await asyncio.sleep(0)
            start = time.perf_counter()
            await store.range(AUTHOR_LOG, (n * 13 % AUTHORS, 680), limit=20)
            costs.append(time.perf_counter() - start)
        going_on = False
    costs.sort()
    print(f"range of 20 beside writes  {costs[1_000] * 1e6:8.1f} us p50, {costs[1_980] * 1e6:.1f} us p99")


async def main(folder: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        store = await SqliteStore.open(Path(place) / "store.db", TABLES, clock=SystemClock())
        await fill(store)
        for at_once in (1, 8, 64, 512):
            await writes(store, at_once, 1.5)
        await reads(store, "")
        await reads_beside_writes(store)
        await store.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
