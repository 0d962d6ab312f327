"""Facts in the embedded engine: how fast they come in, what a dashboard waits for, how large the file becomes."""

import asyncio
import time
from collections.abc import Iterator
from itertools import islice
from random import Random

import numpy as np

from bench.facts import DAYS, FIRST_DAY, Server
from bench.goals import Better, Goal, Result, Run
from townsquare.analytics.duckdb import DuckAnalytics
from townsquare.analytics.port import Question
from townsquare.cli.seeding.graph import generate, read
from townsquare.model.facts import DAY_MS, Fact

INGEST = Goal(
    name="facts",
    what="facts put, four batches of 10,000 at once",
    unit="/s",
    must=200_000,
    aim=300_000,
    better=Better.MORE,
)
SLOWEST = Goal(name="facts", what="slowest of the dashboards' questions, p50", unit="ms", must=100, aim=50)
SIZE = Goal(name="facts", what="file for one fact", unit="bytes", must=60, aim=40)

_FACTS = 5_000_000
_BATCH = 10_000
_AT_ONCE = 4
_ROUNDS = 7
_BEGIN = FIRST_DAY * DAY_MS
_DAY_S, _WEEK_S = 86_400, 604_800


async def facts(run: Run) -> list[Result]:
    """Tell a quarter's facts, every twentieth twice; then ask what dashboards ask."""
    wanted = 100_000 if run.quick else _FACTS
    path = run.folder / "facts.duckdb"
    engine = await DuckAnalytics.open(path, manner="starts")  # as servers have it: in a process of its own
    server = Server(read(run.graph) if run.graph else generate(1_000 if run.quick else 10_000, mean_follows=30, seed=1))
    chance, earlier, seconds = Random(5), list[Fact](), 0.0
    told = count = 0
    await engine.coverage()
    for batches in _several(_batches(server, wanted, run)):
        puts = [[*batch, *chance.sample(earlier, len(earlier) // 20)] for batch in batches]
        earlier = batches[-1]
        count += sum(map(len, batches))
        told += sum(map(len, puts))
        begun = time.perf_counter()
        await asyncio.gather(*map(engine.put, puts))
        seconds += time.perf_counter() - begun
    ends = (await engine.coverage()).last_ms
    answered, waits = await _ask(engine, questions(server.busiest, ends))
    await engine.close()
    again = await DuckAnalytics.open(path)
    found = await again.coverage()
    await again.close()
    if found.facts != count:
        raise RuntimeError(f"{found.facts:,} facts are kept of {count:,}")
    slowest = max(waits, key=lambda name: waits[name])
    note = f"{count:,} facts over {(ends - _BEGIN) // DAY_MS + 1} days; every twentieth was told twice and counts once"
    shown = "; ".join(f"{name} {ms:.0f} ms ({answered[name]:,} rows)" for name, ms in waits.items())
    return [
        Result(goal=INGEST, value=told / seconds, note=note),
        Result(goal=SLOWEST, value=waits[slowest], note=shown),
        Result(goal=SIZE, value=found.bytes / found.facts),
    ]


def _several(batches: Iterator[list[Fact]]) -> Iterator[list[list[Fact]]]:
    while some := list(islice(batches, _AT_ONCE)):
        yield some


def _batches(server: Server, wanted: int, run: Run) -> Iterator[list[Fact]]:
    """Batches in the order of time, `wanted` facts in all."""
    posts, made, rest = 200, 0, list[Fact]()
    for day in range(DAYS):
        rest += (happened := server.day(day, posts))
        made += len(happened)
        others = server.day(day, 0) if day == 0 else []  # what does not depend on posts
        if others:
            a_post = max(1.0, (len(happened) - len(others)) / posts)
            posts = max(1, round((wanted / DAYS - len(others)) / a_post))
        while len(rest) >= _BATCH:
            yield rest[:_BATCH]
            rest = rest[_BATCH:]
        if day % 10 == 9:
            run.say(f"{made:,} facts")
        if made >= wanted:
            break
    if rest:
        yield rest


async def _ask(engine: DuckAnalytics, asked: dict[str, Question]) -> tuple[dict[str, int], dict[str, float]]:
    """How many rows each question has, and its p50 in ms."""
    answered, waits = dict[str, int](), dict[str, list[float]]()
    for _ in range(_ROUNDS):
        for name, question in asked.items():
            begun = time.perf_counter()
            (rows,) = await engine.ask([question])
            waits.setdefault(name, []).append((time.perf_counter() - begun) * 1e3)
            answered[name] = len(rows)
            await asyncio.sleep(0)
    return answered, {name: float(np.percentile(each, 50)) for name, each in waits.items()}


def questions(author: int, ends: int) -> dict[str, Question]:
    """What the dashboards ask, with `ends` for now."""
    month, week = ends - 30 * DAY_MS, ends - 7 * DAY_MS
    whole = {"since_ms": _BEGIN, "until_ms": ends}
    acts = ("post", "reply", "boost", "favourite")
    mine = (("author", (author,)),)
    return {
        "acts by day": Question(kinds=acts, step_s=_DAY_S, by=("kind",), **whole),
        "acts by hour, a week": Question(kinds=acts, step_s=3_600, by=("kind",), since_ms=week, until_ms=ends),
        "active by day and role": Question(kinds=("active_day",), step_s=_DAY_S, by=("label",), **whole),
        "retention by week": Question(kinds=("active_week",), step_s=_WEEK_S, by=("cohort",), **whole),
        "sessions by app": Question(kinds=("session",), step_s=_DAY_S, by=("app",), **whole),
        "languages": Question(kinds=("post",), by=("language", "visibility"), **whole),
        "top statuses": Question(kinds=("favourite", "boost"), by=("object",), limit=20, **whole),
        "top authors": Question(kinds=("favourite", "boost"), by=("author",), limit=20, **whole),
        "top tags": Question(kinds=("tag",), by=("label",), limit=20, since_ms=month, until_ms=ends),
        "spread of reach": Question(kinds=("impression",), by=("object",), spread=True, since_ms=month, until_ms=ends),
        "impressions by day": Question(kinds=("impression",), step_s=_DAY_S, by=("label",), **whole),
        "delivery in bands": Question(kinds=("delivery",), by=("band",), **whole),
        "replies in bands": Question(kinds=("reply",), by=("band",), **whole),
        "queues, the greatest age": Question(
            kinds=("queue_age",), measure="greatest", step_s=3_600, by=("label",), since_ms=week, until_ms=ends
        ),
        "author, by day": Question(kinds=("impression", *acts), step_s=_DAY_S, by=("kind",), where=mine, **whole),
        "author, by post": Question(kinds=("impression", *acts), by=("object", "kind"), where=mine, **whole),
    }
