"""Servers of the analytics that are killed while facts come: none is lost, none counts twice.

Suite: analytics.
"""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.contract.engines import SERVERS, open_analytics
from tests.contract.own_servers import until_true
from tests.engines import control
from townsquare.analytics.port import Question
from townsquare.kit.clock import SystemClock
from townsquare.model.errors import Unavailable
from townsquare.model.facts import Fact, fact_id
from townsquare.model.findings import Examines, Level
from townsquare.model.tasks import RecordFacts, encode_task
from townsquare.queue.port import Message
from townsquare.queue.sqlite import SqliteQueue
from townsquare.settings import Settings
from townsquare.store.memory import MemoryStore
from townsquare.store.tables import TABLES
from townsquare.workers.facts import JOBS
from townsquare.workers.lanes import LANES
from townsquare.workers.runner import Runner

SERVED = [pytest.param(name, marks=SERVERS) for name in ("elasticsearch", "questdb")]
AT_MS = 1_790_000_000_000
TASKS, FACTS_A_TASK = 120, 40
_BACK_WITHIN_S = 400.0
ALL = Question(kinds=("favourite", "impression"), since_ms=0, until_ms=2 * AT_MS, by=("author",))


def task(n: int) -> RecordFacts:
    """Facts of two classes; a task of one number is the same each time."""
    kind = "favourite" if n % 2 else "impression"
    numbers = range(n * FACTS_A_TASK, (n + 1) * FACTS_A_TASK)
    return RecordFacts(
        facts=tuple(Fact(id=fact_id(kind, m), kind=kind, at_ms=AT_MS + m, author=1 + m % 7) for m in numbers)
    )


@pytest.mark.parametrize("engine", SERVED)
async def test_a_kill_under_load_loses_no_fact_and_doubles_none(engine: str, tmp_path: Path) -> None:
    analytics = await open_analytics(engine, tmp_path, SystemClock())
    queue = await SqliteQueue.open(tmp_path / "queue.db", clock=SystemClock())
    store = MemoryStore(TABLES, clock=SystemClock())
    ports = cast(Any, SimpleNamespace(analytics=analytics, queue=queue, store=store, settings=Settings()))
    runner = Runner(ports, JOBS, [lane for lane in LANES if lane.name == "facts"])
    working = asyncio.create_task(runner.run())
    killed = asyncio.Event()

    async def some_are_there() -> bool:
        return (await analytics.coverage()).facts > TASKS * FACTS_A_TASK // 8

    async def nothing_waits() -> bool:
        return not any(depth.waiting for depth in await queue.depths())

    async def tell() -> None:
        for n in range(TASKS):
            if n == TASKS * 3 // 4:  # the last quarter comes while the server is away
                await killed.wait()
            body = encode_task(task(n))
            again = [Message(lane="facts", key=n, id=TASKS + n, body=body)] if n % 5 == 0 else []
            await queue.put([Message(lane="facts", key=n, id=n, body=body), *again])
            await asyncio.sleep(0.01)

    telling = asyncio.create_task(tell())
    async with asyncio.timeout(_BACK_WITHIN_S):
        await until_true(some_are_there, within_s=_BACK_WITHIN_S)
        await asyncio.to_thread(control.kill, engine)
        killed.set()
        for asking in (analytics.ask([ALL]), analytics.coverage(), analytics.put(task(0).facts), analytics.erase([5])):
            with pytest.raises(Unavailable):
                await asking
        await telling
        await asyncio.to_thread(control.start, engine)
        await asyncio.to_thread(control.wait, engine)
        await until_true(nothing_waits, within_s=_BACK_WITHIN_S)
    runner.stop()
    await working
    assert await queue.parked(limit=9) == []
    everything = TASKS * FACTS_A_TASK
    (rows,) = await analytics.ask([ALL])
    assert {row.by[0]: row.n for row in rows} == {1 + r: len(range(r, everything, 7)) for r in range(7)}
    assert (await analytics.coverage()).facts == everything
    await analytics.close()
    await queue.close()


@pytest.mark.parametrize("engine", SERVED)
async def test_two_processes_see_a_rebuild_at_once(engine: str, tmp_path: Path) -> None:
    one, other = [await open_analytics(engine, tmp_path, SystemClock()) for _ in range(2)]
    await one.put(task(0).facts)
    fresh = await one.renew()
    await fresh.put(task(1).facts)
    await other.erase([3])  # also where it is filled anew
    await fresh.adopt(["link"], 2 * AT_MS)
    await other.put(task(3).facts)
    expected = sum(fact.author != 3 for fact in task(1).facts) + FACTS_A_TASK
    for process in (one, other, fresh):
        (rows,) = await process.ask([ALL])
        assert sum(row.n for row in rows) == expected
    for process in (fresh, one, other):
        await process.close()


@pytest.mark.parametrize("engine", SERVED)
async def test_whole_months_go_when_all_of_their_kinds_are_too_old(engine: str, tmp_path: Path) -> None:
    analytics = await open_analytics(engine, tmp_path, SystemClock())
    kinds = ["request", "queue_age"]  # those of 90 days
    old = [Fact(id=n, kind=kinds[n % 2], at_ms=AT_MS - 90 * 86_400_000 - n, amount=n) for n in range(1, 20)]
    await analytics.put([*old, Fact(id=99, kind="request", at_ms=AT_MS)])
    await analytics.expire(kinds, AT_MS - 86_400_000)
    assert (await analytics.coverage()).facts == 1
    await analytics.expire(kinds, AT_MS - 86_400_000)
    await analytics.close()


@pytest.mark.parametrize("engine", SERVED)
async def test_what_the_doctor_sees(engine: str, tmp_path: Path) -> None:
    analytics = await open_analytics(engine, tmp_path, SystemClock())
    assert isinstance(analytics, Examines)
    found = {each.check: each.level for each in await analytics.examine()}
    assert found[engine] is Level.OK
    assert Level.WRONG not in found.values()
    await analytics.close()
