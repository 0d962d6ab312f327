"""Home pages against what must not matter: how much is stored, and how many the reader follows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench import fill
from bench.fill import secret_of
from bench.goals import Goal, Result, Run
from bench.load import closed_loop, request
from bench.scenarios.home import HOME
from bench.server import server
from townsquare.boot import open_ports
from townsquare.cli.seeding.graph import Graph, generate
from townsquare.settings import Settings

STORE_SIZE = Goal(name="S6", what="home page, p50 by the size of the store", unit="x", must=1.5, aim=1.15)
FOLLOWS = Goal(name="S7", what="home page, p50 at 2,000 follows against 50", unit="x", must=1.5, aim=1.1)

_ROUNDS = 6


async def store_size(run: Run) -> list[Result]:
    """S6: the same readers, first with nothing kept (each page once), then in turn."""
    sizes = (2_000, 20_000) if run.quick else (100_000, 10_000_000) if run.full else (100_000, 1_000_000)
    people = 200 if run.quick else 2_000
    graph = generate(people, mean_follows=50, seed=1)
    waits = []
    for size in sizes:
        run.say(f"filling in {size:,} posts")
        data = run.folder / f"posts-{size}"
        async with open_ports(Settings(data=str(data), relaxed_sync=True)) as ports:
            ids = await fill.people(ports, people)
            await fill.follows(ports, ids, graph)
            made = await fill.posts(ports, ids, count=size, step_ms=86_400_000 * 300 // size)
            await fill.rings(ports, ids, graph, made, range(people))
        waits.append(await _waits(data, [ids]))
    (few,), (many,) = waits
    ratios = [many[n] / few[n] for n in (0, 1)]
    note = (
        f"{sizes[1]:,} posts against {sizes[0]:,}: first reads {many[0]:.2f} and {few[0]:.2f} ms ({ratios[0]:.2f} x), "
        f"later ones {many[1]:.2f} and {few[1]:.2f} ms ({ratios[1]:.2f} x); the worse one counts"
    )
    return [Result(goal=STORE_SIZE, value=max(ratios), note=note)]


async def follows(run: Run) -> list[Result]:
    """S7: two groups of readers of one server, in turn."""
    authors, each = (600, (500, 50)) if run.quick else (4_000, (2_000, 50))
    random = np.random.Generator(np.random.PCG64(1))
    readers = 100
    data = run.folder / "follows"
    followed = [random.choice(authors, size=each[n % 2], replace=False) for n in range(readers)]
    follower = np.repeat(np.arange(readers), [len(part) for part in followed])
    graph = Graph(readers + authors, follower, np.concatenate(followed) + readers)
    run.say(f"filling in readers of {each[0]:,} and {each[1]}")
    async with open_ports(Settings(data=str(data), relaxed_sync=True)) as ports:
        ids = await fill.people(ports, readers + authors)
        await fill.follows(ports, ids, graph)
        made = await fill.posts(ports, ids[readers:], count=authors * 10)
        made[:, 1] += readers
        await fill.rings(ports, ids, graph, made, range(readers))
    many, few = await _waits(data, [ids[0:readers:2], ids[1:readers:2]])
    note = (
        f"later reads {many[1]:.2f} and {few[1]:.2f} ms; first reads, which read whom one follows, {many[0]:.2f} and "
        f"{few[0]:.2f} ms"
    )
    return [Result(goal=FOLLOWS, value=many[1] / few[1], note=note)]


async def _waits(data: Path, groups: Sequence[Sequence[int]]) -> list[tuple[float, float]]:
    """For each group of readers the p50 in ms of the first reads and of later ones, one request at a time."""
    requests = [[request(HOME, secret_of(each)) for each in group] for group in groups]
    with server(data, web=1, workers=0, test_mode=True) as running:
        first = []
        for asked in requests:
            report = await closed_loop(running.address, asked, connections=1, count=len(asked))
            first.append(report.ms(50))
        later: list[list[float]] = [[] for _ in groups]
        for _ in range(_ROUNDS):
            for asked, waits in zip(requests, later, strict=True):
                report = await closed_loop(running.address, asked, connections=1, count=len(asked))
                waits.extend(report.latencies)
    return [(cold, float(np.percentile(warm, 50)) * 1e3) for cold, warm in zip(first, later, strict=True)]
