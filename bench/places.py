"""Data folders that scenarios read: a server seeded along a real graph, or one filled along a generated graph.

Prepared once and used again: what is in them does not change from run to run.
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from bench import fill
from bench.goals import Run
from bench.server import ROOT
from townsquare.boot import open_ports
from townsquare.cli.seeding.graph import generate
from townsquare.settings import Settings
from townsquare.store.tables import ACCOUNTS, STATUSES

_FORM = 2  # grows when what is prepared changes


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared folder."""

    data: str
    about: str
    readers: list[int]  # accounts with a token, see `fill.secret_of`
    statuses: list[int]  # some public statuses


async def readers_place(run: Run) -> Place:
    """People with full home timelines: of the real graph if there is one, else of a generated one."""
    if run.graph is not None:
        digest = hashlib.sha256(run.graph.read_bytes()).hexdigest()[:12]
        return await _prepared(run, f"graph-{digest}", _seeded)
    people, mean = (100_000, 150) if run.full else (300, 20) if run.quick else (10_000, 30)

    async def filled(run: Run, data: Path) -> Place:
        return await filled_place(data, people=people, mean_follows=mean, posts=people * 4)

    return await _prepared(run, f"generated-{people}-{mean}", filled)


async def _prepared(run: Run, name: str, make: Callable[[Run, Path], Awaitable[Place]]) -> Place:
    folder = run.cache / f"{name}-{_FORM}"
    facts = folder / "place.json"
    if not facts.exists() or not _same_boot(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        run.say(f"preparing {name} (once)")
        place = await make(run, folder / "data")
        (folder / "boot").write_text(_boot_id())
        facts.write_bytes(msgspec.json.encode(place))
    return msgspec.json.decode(facts.read_bytes(), type=Place)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _same_boot(folder: Path) -> bool:
    """Home timelines live until the machine starts anew."""
    return (folder / "boot").read_text() == _boot_id()


async def _seeded(run: Run, data: Path) -> Place:
    command = [sys.executable, "-m", "townsquare", "seed", "--data", str(data), "--graph", str(run.graph)]
    command += ["--pictures", "0.02", "--json"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("seeding failed")
    counts = json.loads(out.splitlines()[-1])
    about = f"real graph, {counts['people']:,} people, {counts['follows']:,} follows, {counts['posts']:,} posts"
    return await place_of(data, about)


async def place_of(data: Path, about: str) -> Place:
    """A seeded folder as a place: its people get tokens."""
    async with open_ports(Settings(data=str(data))) as ports:
        rows, _ = await ports.store.scan(ACCOUNTS, limit=1_000_000)
        ids = [row.account_id for row in rows if not row.deleted]
        now = ports.clock.now_ms()
        await fill.write(ports, (each for account in ids for each in fill.token_rows(ports, account, now)))
        found, _ = await ports.store.scan(STATUSES, limit=20_000)
        public = [row.status_id for row in found if row.visibility == "public" and not row.boost_of and not row.deleted]
    return Place(data=str(data), about=about, readers=ids, statuses=public)


async def filled_place(
    data: Path, *, people: int, mean_follows: float, posts: int, boxes: dict[str, str] | None = None
) -> Place:
    """A folder filled along a generated graph; `boxes`: settings of other engines, which are filled instead."""
    graph = generate(people, mean_follows=mean_follows, seed=1)
    async with open_ports(
        msgspec.convert({"data": str(data), "relaxed_sync": True, **(boxes or {})}, Settings)
    ) as ports:
        ids = await fill.people(ports, people)
        await fill.follows(ports, ids, graph)
        made = await fill.posts(ports, ids, count=posts)
        readers = list(range(0, people, max(1, people // 5_000)))
        await fill.rings(ports, ids, graph, made, readers)
    about = f"generated graph, {people:,} people, {graph.follower.size:,} follows, {posts:,} posts"
    return Place(
        data=str(data), about=about, readers=[ids[n] for n in readers], statuses=[int(each) for each in made[::7, 0]]
    )
