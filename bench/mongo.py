"""What the MongoDB store costs its client: CPU of each call, and how long callers wait.

Run: `python -m bench.mongo mongodb://127.0.0.1:27017/bench`; the database is filled and left there. The server's own
CPU is not counted. The waits say little where the server is the tests' stand-in, which looks through all rows for a
range.
"""

import sys
import time

import uvloop

from bench.cassandra import MONTH, cost
from bench.store import row
from townsquare.kit.clock import SystemClock
from townsquare.store.mongo import MongoStore
from townsquare.store.port import Put
from townsquare.store.tables import AUTHOR_LOG, AUTHOR_LOG_COUNTS, HANDLES, HandleRow, LogCountRow

AUTHORS, ROWS = 40, 40


async def main(url: str) -> None:
    store = await MongoStore.open(url, [AUTHOR_LOG, AUTHOR_LOG_COUNTS, HANDLES], clock=SystemClock())
    for number in range(ROWS):
        await store.write([Put(AUTHOR_LOG, row(author, number)) for author in range(AUTHORS)])
    keys = [(n % AUTHORS, MONTH, (n * 7 % ROWS << 40) + n % AUTHORS) for n in range(1_000)]
    for at_once in (1, 64):
        times = 200 if at_once == 1 else 900
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
        times=300,
        at_once=16,
    )
    await cost("get_many, 40 partitions", lambda n: store.get_many(AUTHOR_LOG, keys[n : n + 40]), times=200, at_once=8)
    parts = [(n % AUTHORS, MONTH) for n in range(200)]
    await cost(
        "range_many, 20 of 20",
        lambda n: store.range_many(AUTHOR_LOG, parts[n : n + 20], limit=20),
        times=100,
        at_once=8,
    )
    await cost(
        "slow_put_if_absent",
        lambda n: store.slow_put_if_absent(HANDLES, HandleRow(domain="", name=f"{time.time_ns()}", account_id=n)),
        times=300,
        at_once=8,
    )
    await store.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
