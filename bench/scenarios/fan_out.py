"""Fanning out: posts by the verb, through outbox, queue and runner, into rings."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from bench import fill
from bench.goals import Better, Goal, Result, Run
from bench.server import server
from townsquare.boot import open_ports
from townsquare.cli.seeding.graph import Graph
from townsquare.feeds.port import Reason
from townsquare.model.account import Account, User
from townsquare.settings import Settings
from townsquare.social import reblogs, statuses
from townsquare.social.drafts import Draft
from townsquare.social.ports import Ports
from townsquare.store.port import Put, Write
from townsquare.store.tables import ACCOUNTS, FOLLOWERS, FollowerRow
from townsquare.workers.fan_out import JOBS
from townsquare.workers.runner import drain

DELIVERIES = Goal(
    name="S1",
    what="fan-out, whole worker path, durable posts by the verb, mean 400 followers, filters on",
    unit="deliveries/s",
    must=62_000,
    aim=1_000_000,
    better=Better.MORE,
)
LARGE = Goal(name="S2", what="CPU a delivery, 100,000 followers against 100", unit="x", must=2, aim=1)

_MEAN_FOLLOWERS = 400
_MANY, _FEW = 100_000, 100
_AT_ONCE = 64
_NO_BOOSTS_PART, _LANGUAGES_PART = 0.1, 0.05  # of followers
_BOOSTS_PART, _REPLIES_PART = 0.1, 0.2  # of what is posted
_WAIT_S = 600.0
_LOOK_S = 0.02


class Poster:
    """Posts, replies and boosts by the verbs, by authors in turn, some at once."""

    def __init__(self, ports: Ports, accounts: list[Account]) -> None:
        self._ports, self._accounts, self._made = ports, accounts, list[int]()
        self._random, self._turn = np.random.Generator(np.random.PCG64(2)), 0

    async def acts(self, count: int, *, only_posts: bool = False) -> None:
        """So many acts, each durable when this returns."""
        for start in range(0, count, _AT_ONCE):
            await asyncio.gather(*[self._act(only_posts) for _ in range(min(_AT_ONCE, count - start))])

    async def _act(self, only_posts: bool) -> None:
        self._turn += 1
        account = self._accounts[self._turn * 7 % len(self._accounts)]
        user = User(account_id=account.account_id, email="", password_hash="!", confirmed=True)
        kind = 1.0 if only_posts or not self._made else float(self._random.random())
        seen = self._made[int(self._random.integers(len(self._made)))] if self._made else 0
        if kind < _BOOSTS_PART:
            await reblogs.reblog(self._ports, actor=account, user=user, status_id=seen)
            return
        draft = Draft(
            text=f"What I saw today, number {self._turn}",
            visibility="public",
            language="de" if self._turn % 10 == 0 else "en",
            reply_to=seen if kind < _BOOSTS_PART + _REPLIES_PART else None,
        )
        status_id = await statuses.post(self._ports, author=account, user=user, draft=draft)
        if draft.reply_to is None:
            self._made.append(status_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FannedOut:
    """What was delivered, in which time, at which CPU time of the poster and of the worker."""

    deliveries: int
    took_s: float
    posted_s: float
    poster_s: float
    worker_s: float


async def measured_fan_out(
    run: Run, data: Path, *, people: int, followers: int, acts: int, settings: dict[str, str] | None = None
) -> FannedOut:
    """This process posts, `townsquare run`'s worker process works, on all the cores there are."""
    run.say(f"filling in {people:,} people with {followers} followers each")
    named = {"data": str(data), **(settings or {})}
    async with open_ports(msgspec.convert({**named, "relaxed_sync": True}, Settings)) as ports:
        accounts, ids = await _people(ports, people, followers)
    async with open_ports(msgspec.convert(named, Settings)) as ports:
        for each in ids:
            await ports.feeds.fill(each, [1], [Reason.FOLLOW], floor=0)
        poster = Poster(ports, accounts)
        await poster.acts(_AT_ONCE, only_posts=True)
        with server(data, web=0, workers=1, settings=settings or {}) as worker:
            await _until_done(ports)
            before, own, others = await _entries(ports, ids), time.process_time(), worker.cpu_s()
            begun = time.perf_counter()
            await poster.acts(acts)
            posted_s = time.perf_counter() - begun
            await _until_done(ports)
            took_s = time.perf_counter() - begun
            own, others = time.process_time() - own, worker.cpu_s() - others
            made = await _entries(ports, ids) - before
    return FannedOut(deliveries=made, took_s=took_s, posted_s=posted_s, poster_s=own, worker_s=others)


async def fan_out(run: Run) -> list[Result]:
    """S1: on the embedded engines."""
    people, acts = (1_000, 300) if run.quick else (4_000, 6_000)
    made = await measured_fan_out(run, run.folder / "fan-out", people=people, followers=_MEAN_FOLLOWERS, acts=acts)
    each_us = 1e6 / made.deliveries
    return [
        Result(
            goal=DELIVERIES,
            value=made.deliveries / made.took_s,
            note=f"{acts:,} acts ({_BOOSTS_PART:.0%} boosts, {_REPLIES_PART:.0%} replies) in {made.took_s:.1f} s, "
            f"posting alone {made.posted_s:.1f} s; {made.deliveries:,} deliveries at "
            f"{(made.poster_s + made.worker_s) * each_us:.2f} us CPU, of these {made.worker_s * each_us:.2f} us in the "
            "worker, which also counts, indexes and notifies",
        )
    ]


async def large(run: Run) -> list[Result]:
    """S2: what the fan-out lane's handler costs, queue included, in this process."""
    many = 10_000 if run.quick else _MANY
    posts = 10 if run.quick else 40
    async with open_ports(Settings(data=str(run.folder / "large"))) as ports:
        run.say(f"filling in {many:,} followers")
        ids = await fill.people(ports, many + 1, tokens=False)
        numbers = np.arange(1, many + 1)
        small = np.arange(1, 401)
        few = np.stack([(small * 131 + n) % many + 1 for n in range(_FEW)], axis=1)
        follower = np.concatenate([numbers, few.ravel()])
        followed = np.concatenate([np.zeros(many, np.int64), np.repeat(small, _FEW)])
        order = np.argsort(followed, kind="stable")
        graph = Graph(many + 1, follower[order], followed[order])
        await fill.follows(ports, ids, graph, both_sides=False)
        for each in ids:
            await ports.feeds.fill(each, [1], [Reason.FOLLOW], floor=0)
        accounts = [each for each in await ports.store.get_many(ACCOUNTS, [(i,) for i in ids[:401]]) if each]
        big = await _cost(ports, Poster(ports, accounts[:1]), ids, posts)
        little = await _cost(ports, Poster(ports, accounts[1:]), ids, posts * 20)
    note = f"{big:.3f} us for {many:,} followers, {little:.3f} us for {_FEW}"
    return [Result(goal=LARGE, value=big / little, note=note)]


async def _cost(ports: Ports, poster: Poster, ids: list[int], posts: int) -> float:
    """Microseconds of CPU a delivery; the audiences are known, as they are for whoever posts more than once."""
    await poster.acts(max(posts // 2, 400) if posts > 40 else 2, only_posts=True)
    await drain(ports, JOBS)
    await poster.acts(posts, only_posts=True)
    before = await _entries(ports, ids)
    begun = time.process_time()
    await drain(ports, JOBS)
    used = time.process_time() - begun
    return used / (await _entries(ports, ids) - before) * 1e6


async def _people(ports: Ports, people: int, followers: int) -> tuple[list[Account], list[int]]:
    """People who all have about as many followers, some of whom do not want boosts, or one language only."""
    random = np.random.Generator(np.random.PCG64(1))
    ids = await fill.people(ports, people, tokens=False)
    keys = np.unique(random.integers(0, people * people, people * followers))
    followed, follower = keys // people, keys % people  # in the order of the rows, which is quicker to write
    other = follower != followed
    graph = Graph(people, follower[other], followed[other])
    await fill.follows(ports, ids, graph, both_sides=False)
    draws, since = random.random(graph.follower.size), ports.new_id()

    def choosy() -> Iterator[Write]:
        for n in np.flatnonzero(draws < _NO_BOOSTS_PART + _LANGUAGES_PART).tolist():
            wants_boosts = bool(draws[n] >= _NO_BOOSTS_PART)
            yield Put(
                FOLLOWERS,
                FollowerRow(
                    account_id=ids[int(graph.followed[n])],
                    bucket=0,
                    follower=ids[int(graph.follower[n])],
                    on=True,
                    since_id=since,
                    reblogs=wants_boosts,
                    languages=("de",) if wants_boosts else (),
                    counted=True,
                ),
            )

    await fill.write(ports, choosy())
    rows = await ports.store.get_many(ACCOUNTS, [(each,) for each in ids])
    return [each for each in rows if each is not None], ids


async def _entries(ports: Ports, ids: list[int]) -> int:
    """Entries of all rings."""
    pages = [await ports.feeds.read(each) for each in ids]
    return sum(len(page.ids) for page in pages if page is not None)


async def _until_done(ports: Ports) -> None:
    """Until nothing waits in the fan-out lane, nor in our outbox."""
    async with asyncio.timeout(_WAIT_S):
        while True:
            await ports.outbox.flush()
            if not sum(depth.waiting for depth in await ports.queue.depths() if depth.lane == "fan_out"):
                return
            await asyncio.sleep(_LOOK_S)
