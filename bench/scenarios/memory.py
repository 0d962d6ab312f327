"""What is held in memory for those who are active, and by a server that nobody uses."""

import asyncio
import shutil
import sqlite3
import sys
import time
from pathlib import Path

import numpy as np

from bench import fill
from bench.fill import secret_of
from bench.goals import Goal, Result, Run
from bench.load import closed_loop, request
from bench.places import readers_place
from bench.scenarios.fan_out import Poster
from bench.scenarios.home import HOME
from bench.server import free_port, server, start
from townsquare.boot import open_ports
from townsquare.cli.seeding.graph import Graph
from townsquare.settings import Settings
from townsquare.store.tables import ACCOUNTS
from townsquare.workers.runner import drain
from townsquare.workers.table import ALL_JOBS

ACTIVE_USER = Goal(
    name="S9", what="memory for an active user: all caches, 800 entries, 400 follows", unit="KB", must=20, aim=12
)
AT_REST = Goal(name="rest", what="memory of the whole set of `townsquare run` at rest, RSS", unit="MiB", must=250)
START = Goal(name="rest", what="second start until all processes are ready", unit="s", must=1)
DISK = Goal(name="rest", what="disk for one more status: store, queue and search", unit="bytes", must=900)

_MIB = 1 << 20
_IDLE_S = 5.0
_BEGUN_S = 5.0  # the process that has the facts is there by then, with what it needs for any number of users
_SETTLED_S = 45.0  # the process that has the facts goes after half a minute without any
_STARTS = 3


async def active_users(run: Run) -> list[Result]:
    """S9: what all processes hold more, rings included, after each of many users looked at home."""
    people = 400 if run.quick else 5_000
    random = np.random.Generator(np.random.PCG64(1))
    follows, posts = min(400, people // 2), people * 10
    follower = np.repeat(np.arange(people), follows)
    followed = np.concatenate([random.choice(people, size=follows, replace=False) for _ in range(people)])
    data = run.folder / "active"
    run.say(f"filling in {people:,} people with {follows} follows each")
    async with open_ports(Settings(data=str(data), relaxed_sync=True)) as ports:
        ids = await fill.people(ports, people)
        graph = Graph(people, follower, followed)
        await fill.follows(ports, ids, graph)
        made = await fill.posts(ports, ids, count=posts)
        entries = await fill.rings(ports, ids, graph, made, range(people))
    pages = [request(HOME, secret_of(each)) for each in ids]
    with server(data, web=1, workers=1) as running:
        await closed_loop(running.address, pages[:20], connections=4, count=200)
        await asyncio.sleep(_BEGUN_S)
        before = running.memory()
        await closed_loop(running.address, pages[20:], connections=8, count=len(pages) - 20)
        after = running.memory()
    grown = (after.pss_bytes - before.pss_bytes) / (len(pages) - 20)
    note = f"{people:,} users, {entries / people:.0f} entries each; {before.pss_bytes / _MIB:.0f} MiB before"
    return [Result(goal=ACTIVE_USER, value=grown / 1024, note=note)]


async def at_rest(run: Run) -> list[Result]:
    """The whole set without any load, and how soon it is there."""
    data, port = run.folder / "rest", free_port()
    command = [sys.executable, "-m", "townsquare", "run", "--data", str(data), "--bind", f"127.0.0.1:{port}"]
    log, starts = run.folder / "rest.log", list[float]()
    for turn in range(_STARTS + 1):
        with start(command, port, log=log) as running:
            if turn:
                starts.append(running.ready_s)
            if turn == _STARTS:
                time.sleep(1.0 if run.quick else _SETTLED_S)  # noqa: ASYNC251 - nothing else runs here
                used, cpu = running.memory(), running.cpu_s()
                time.sleep(1.0 if run.quick else _IDLE_S)  # noqa: ASYNC251
                idle = (running.cpu_s() - cpu) / (1.0 if run.quick else _IDLE_S)
    note = f"PSS {used.pss_bytes / _MIB:.0f} MiB; {idle:.1%} of a core while idle"
    return [
        Result(goal=AT_REST, value=used.rss_bytes / _MIB, note=note),
        Result(goal=START, value=min(starts), note="best of " + ", ".join(f"{each:.2f} s" for each in starts)),
    ]


async def disk(run: Run) -> list[Result]:
    """What the files grow by for each status that is posted by the verb to a seeded server, all work done."""
    place, count = await readers_place(run), 300 if run.quick else 5_000
    data = run.folder / "disk"
    shutil.copytree(place.data, data, ignore=shutil.ignore_patterns("bus", "workers", "feeds*", "*.sock"))
    before = _sizes(data)
    async with open_ports(Settings(data=str(data), relaxed_sync=True)) as ports:
        accounts = [each for each in await ports.store.get_many(ACCOUNTS, [(i,) for i in place.readers]) if each]
        poster = Poster(ports, accounts)
        for _ in range(10):
            await poster.acts(count // 10)
            await drain(ports, ALL_JOBS)
    after = _sizes(data)
    # A queue that is empty again may have become smaller: that is no credit.
    grown = {name: max(0, after[name] - before[name]) / (count // 10 * 10) for name in after}
    note = ", ".join(f"{name} {each:.0f}" for name, each in grown.items()) + f" bytes; {place.about}"
    return [Result(goal=DISK, value=sum(grown.values()), note=note)]


def _sizes(data: Path) -> dict[str, int]:
    """Bytes of the databases, with all that waits in their logs written into them, and free pages left out."""
    found = {}
    for name in ("townsquare", "queue", "search"):
        with sqlite3.connect(data / f"{name}.db") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            pages, free, size = (
                connection.execute(f"PRAGMA {what}").fetchone()[0]
                for what in ("page_count", "freelist_count", "page_size")
            )
        connection.close()
        found[name] = (pages - free) * size
    return found
