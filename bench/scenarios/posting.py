"""Posting over HTTP: what the number of followers does to the author's wait."""

import msgspec
import numpy as np

from bench import fill
from bench.fill import secret_of
from bench.goals import Goal, Result, Run
from bench.load import open_loop, request
from bench.server import Server, server
from townsquare.boot import open_ports
from townsquare.cli.seeding.graph import Graph
from townsquare.feeds.port import Reason
from townsquare.settings import Settings

POST = Goal(name="S3", what="POST status, p99 at 100,000 followers against none", unit="x", must=1.3, aim=1.1)
COUNTED = Goal(name="facts", what="POST status, p99 with facts against without", unit="x", must=1.1, aim=1.0)

_ANALYTICS = ("on", "off")
_RATE = 40.0  # a second: about half of what one web process takes beside its worker and the generator on two cores
_ROUNDS = 8


async def post(run: Run) -> list[Result]:
    """S3: open loop at a fixed rate, the two authors in turn, each as often first as second."""
    followers = 2_000 if run.quick else 100_000
    data = run.folder / "posting"
    async with open_ports(Settings(data=str(data))) as ports:
        run.say(f"filling in {followers:,} followers with home timelines")
        lonely, famous = await fill.people(ports, 2)
        ids = [famous, *await fill.people(ports, followers, tokens=False)]
        graph = Graph(len(ids), np.arange(1, len(ids)), np.zeros(followers, np.int64))
        await fill.follows(ports, ids, graph, both_sides=False)
        for each in ids[1:]:
            await ports.feeds.fill(each, [1], [Reason.FOLLOW], floor=0)
    waits: dict[int, list[float]] = {lonely: [], famous: []}
    with server(data, web=1, workers=1, test_mode=True) as running:
        for turn in range(_ROUNDS + 1):
            for author in (lonely, famous) if turn % 2 else (famous, lonely):
                latencies = await _posted(run, running, author, turn)
                if turn:  # the first round warms up
                    waits[author].extend(latencies)
    p99 = {author: float(np.percentile(its_waits, 99)) * 1e3 for author, its_waits in waits.items()}
    p50 = {author: float(np.percentile(its_waits, 50)) * 1e3 for author, its_waits in waits.items()}
    note = (
        f"p99 {p99[famous]:.1f} ms for {followers:,} followers, {p99[lonely]:.1f} ms for none; p50 {p50[famous]:.1f} "
        f"and {p50[lonely]:.1f} ms; {_RATE:.0f} posts/s, {len(waits[lonely]):,} each"
    )
    return [Result(goal=POST, value=p99[famous] / p99[lonely], note=note)]


async def counted(run: Run) -> list[Result]:
    """S3 with and without facts: two servers, one after the other in turn, each as often first as second."""
    authors = dict[str, int]()
    for name in _ANALYTICS:
        async with open_ports(Settings(data=str(run.folder / name))) as ports:
            ids = await fill.people(ports, 101)
            graph = Graph(len(ids), np.arange(1, len(ids)), np.zeros(100, np.int64))
            await fill.follows(ports, ids, graph, both_sides=False)
            authors[name] = ids[0]
    waits: dict[str, list[float]] = {name: [] for name in _ANALYTICS}
    with (
        server(run.folder / "on", web=1, workers=1, test_mode=True) as on,
        server(run.folder / "off", web=1, workers=1, test_mode=True, settings={"analytics": "off:"}) as off,
    ):
        servers = {"on": on, "off": off}
        for turn in range(_ROUNDS + 1):
            for name in _ANALYTICS if turn % 2 else reversed(_ANALYTICS):
                latencies = await _posted(run, servers[name], authors[name], turn)
                if turn:
                    waits[name].extend(latencies)
    p99 = {name: float(np.percentile(its_waits, 99)) * 1e3 for name, its_waits in waits.items()}
    p50 = {name: float(np.percentile(its_waits, 50)) * 1e3 for name, its_waits in waits.items()}
    note = (
        f"p99 {p99['on']:.1f} ms with facts, {p99['off']:.1f} ms without; p50 {p50['on']:.1f} and {p50['off']:.1f} ms; "
        f"{_RATE:.0f} posts/s, {len(waits['on']):,} each"
    )
    return [Result(goal=COUNTED, value=p99["on"] / p99["off"], note=note)]


async def _posted(run: Run, running: Server, author: int, turn: int) -> list[float]:
    """How long an author waited for each of some seconds' posts."""
    requests = [
        request(
            "/api/v1/statuses",
            secret_of(author),
            method="POST",
            body=msgspec.json.encode({"status": f"Round {turn}, number {n}", "visibility": "public"}),
        )
        for n in range(100)
    ]
    report = await open_loop(running.address, requests, rate=_RATE, seconds=run.seconds(4))
    if report.failed:
        raise RuntimeError(f"{report.failed} posts failed: {report.statuses}")
    return report.latencies
