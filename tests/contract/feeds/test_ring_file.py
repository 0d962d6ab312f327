"""The file of rings: against a plain model, between processes, after kills and damage.

Suite: feeds.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from townsquare.feeds.layout import COUNT, HEAD, HEAD_AT, ROW, ROWS_AT, VERSION
from townsquare.feeds.memory import MemoryFeeds
from townsquare.feeds.port import RING_LENGTH, Feeds, Reason
from townsquare.feeds.ring_file import RingFile

ACCOUNTS = (1, 2, 3, 1 << 60)


@pytest.fixture
async def feeds(tmp_path: Path) -> AsyncIterator[RingFile]:
    engine = RingFile.open(tmp_path / "feeds")
    yield engine
    await engine.close()


account = st.sampled_from(ACCOUNTS)
status_id = st.integers(1, 60) | st.integers(1, 2000)
reason = st.sampled_from(list(Reason))
ids = st.lists(status_id, max_size=20) | st.integers(1, 1000).map(lambda n: list(range(n, n + 850)))
step = st.one_of(
    st.tuples(st.just("push"), st.lists(account, max_size=5), status_id, reason),
    st.tuples(st.just("run"), st.lists(account, min_size=1, max_size=4), st.integers(1, 2000), st.integers(1, 1100)),
    st.tuples(st.just("fill"), account, ids, st.integers(0, 1000)),
    st.tuples(st.just("merge"), account, ids, reason),
    st.tuples(st.just("drop"), st.lists(account, max_size=2)),
)


async def take(feeds: Feeds, name: str, arguments: tuple) -> object:  # type: ignore[type-arg]  # by name
    if name == "push":
        accounts, pushed, why = arguments
        return await feeds.push(np.array(accounts, np.int64), pushed, why)
    if name == "run":
        accounts, start, count = arguments
        array = np.array(accounts, np.int64)
        return [await feeds.push(array, n, Reason.FOLLOW) for n in range(start, start + count)][-1]
    if name == "fill":
        owner, its_ids, floor = arguments
        return await feeds.fill(owner, its_ids, [n % 3 for n in its_ids], floor=floor)
    return await getattr(feeds, name)(*arguments)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=12), below=status_id, above=status_id, limit=st.integers(0, 900))
async def test_it_does_what_the_model_does(feeds: RingFile, steps: list, below: int, above: int, limit: int) -> None:
    await feeds.drop(ACCOUNTS)
    model = MemoryFeeds()
    for owner in ACCOUNTS[:2]:
        await take(model, "fill", (owner, [], 0))
        await take(feeds, "fill", (owner, [], 0))
    for name, *arguments in steps:
        assert await take(model, name, tuple(arguments)) == await take(feeds, name, tuple(arguments))
        for owner in ACCOUNTS:
            assert await model.read(owner) == await feeds.read(owner)
            for bounds in ({"below": below}, {"above": above}, {"below": below, "above": above}):
                assert await model.read(owner, limit=limit, **bounds) == await feeds.read(owner, limit=limit, **bounds)


async def test_rings_outlive_a_restart_and_are_shared(tmp_path: Path) -> None:
    one, two = RingFile.open(tmp_path / "f"), RingFile.open(tmp_path / "f")
    everybody = np.arange(1, 5001)
    await one.fill(1, [5], [0], floor=0)
    assert await two.push(everybody, 6, Reason.FOLLOW) == 1
    for owner in everybody.tolist():  # the file grows under the other's feet
        await one.fill(owner, [], [], floor=0)
    assert await two.push(everybody, 7, Reason.FOLLOW) == 5000
    page, last = await one.read(1), await two.read(5000)
    assert page is not None
    assert last is not None
    assert (page.ids, last.ids) == ([7, 6, 5], [7])
    await two.drop([1])
    assert await one.read(1) is None
    await one.close()
    await two.close()
    again = RingFile.open(tmp_path / "f")
    assert await again.has(2)
    await again.close()


async def test_rings_made_together_are_not_all_moved_down_by_the_same_status(feeds: RingFile) -> None:
    owners = np.arange(1, 257)
    for owner in owners.tolist():
        await feeds.fill(owner, [], [], floor=0)
    versions, moved = feeds._file.rows[:256, VERSION].copy(), []
    for status in range(1, 1301):
        await feeds.push(owners, status, Reason.FOLLOW)
        moved.append(int((feeds._file.rows[:256, VERSION] != versions).sum()))
        versions = feeds._file.rows[:256, VERSION].copy()
    assert sum(moved) >= 2 * 256
    assert max(moved) <= 16
    for owner in (1, 64, 256):
        page = await feeds.read(owner)
        assert page is not None
        assert (page.ids, page.floor) == (list(range(1300, 500, -1)), 500)


@pytest.mark.parametrize("where", ["magic", "cut", "empty", "capacity"])
async def test_a_damaged_file_is_begun_anew(tmp_path: Path, where: str) -> None:
    path = tmp_path / "f"
    feeds = RingFile.open(path)
    await feeds.fill(1, [5], [0], floor=0)
    await feeds.close()
    _spoil(path, where)
    feeds = RingFile.open(path)
    assert await feeds.read(1) is None
    await feeds.fill(1, [6], [0], floor=0)
    assert await feeds.push(np.array([1]), 7, Reason.FOLLOW) == 1
    await feeds.close()


def _spoil(path: Path, where: str) -> None:
    with path.open("r+b") as file:
        if where == "magic":
            file.write(b"another!")
        elif where == "capacity":
            file.seek(HEAD_AT)
            file.write(HEAD.pack(0, 1 << 40, 0, 0))
        else:
            file.truncate(100_000 if where == "cut" else 0)


async def test_a_ring_left_half_written_is_taken_away(feeds: RingFile) -> None:
    for owner in (1, 2, 3):
        await feeds.fill(owner, [5], [0], floor=0)
    for slot in (0, 1):
        row = list(ROW.unpack_from(feeds._file.map, ROWS_AT + slot * ROW.size))
        row[COUNT] = 0
        ROW.pack_into(feeds._file.map, ROWS_AT + slot * ROW.size, *row)
    assert await feeds.read(1) is None
    await feeds.push(np.array([1, 2, 3]), 6, Reason.FOLLOW)
    assert [await feeds.has(owner) for owner in (1, 2, 3)] == [False, False, True]
    await feeds.fill(2, [9], [0], floor=0)
    assert await feeds.push(np.array([1, 2, 3]), 10, Reason.FOLLOW) == 2


async def test_an_index_left_half_written_is_made_anew(feeds: RingFile) -> None:
    for owner in range(1, 100):
        await feeds.fill(owner, [owner], [0], floor=0)
    await feeds.drop([7, 8])
    sequence, _, used, _ = feeds._file.head()
    feeds._file.set_head(sequence + 1, used, 12345)
    feeds._file.keys[:] = 0
    page = await feeds.read(50)
    assert page is not None
    assert page.ids == [50]
    for owner in (7, 8, 200):
        await feeds.fill(owner, [owner], [0], floor=0)
    assert await feeds.push(np.arange(1, 300), 1000, Reason.FOLLOW) == 100
    for owner in [*range(1, 100), 200]:
        page = await feeds.read(owner)
        assert page is not None
        assert page.ids == [1000, owner]


WORKER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from townsquare.feeds.port import Reason
from townsquare.feeds.ring_file import RingFile

async def main():
    path, start, stop, seed = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    feeds, rng = RingFile.open(path), np.random.default_rng(seed)
    everybody = np.arange(1, 101)
    print("ready", flush=True)
    n = start
    while stop == 0 or n < stop:
        await feeds.push(everybody, n, Reason.FOLLOW)
        if stop == 0:  # until it is killed, with much else going on
            who = int(rng.integers(1, 101))
            await feeds.merge(who, [n - 3, n - 200], Reason.TAG)
            await feeds.drop([who + 1000])
            await feeds.fill(who + 1000, list(range(n, n + 700)), [1] * 700, floor=n - 1)
        n += 2

asyncio.run(main())
"""


def worker(path: Path, *arguments: int) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", WORKER, str(path), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


@pytest.mark.slow
async def test_two_processes_lose_nothing_while_others_read(feeds: RingFile, tmp_path: Path) -> None:
    for owner in range(1, 101):
        await feeds.fill(owner, [], [], floor=0)
    workers = [worker(tmp_path / "feeds", first, 1101, first) for first in (1, 2)]
    reads = 0
    while any(process.poll() is None for process in workers):
        for owner in (1, 77, 100):
            page = await feeds.read(owner)
            assert page is not None
            assert page.ids == sorted(set(page.ids), reverse=True)
            assert len(page.ids) == RING_LENGTH or page.floor == 0
            assert not page.ids or page.ids[-1] > page.floor
            reads += 1
        await asyncio.sleep(0)
    assert [process.wait() for process in workers] == [0, 0]
    for process in workers:
        process.communicate()
    assert reads > 0
    for owner in range(1, 101):
        page = await feeds.read(owner)
        assert page is not None
        assert page.ids == list(range(1100, 1100 - RING_LENGTH, -1))


@pytest.mark.slow
async def test_after_kills_every_ring_is_whole_or_gone(feeds: RingFile, tmp_path: Path) -> None:
    for owner in range(1, 101):
        await feeds.fill(owner, [], [], floor=0)
    start = 1001
    for round_number in range(8):
        process = worker(tmp_path / "feeds", start, 0, round_number)
        assert process.stdout is not None
        process.stdout.readline()
        while (page := await feeds.read(1)) is None or not page.ids or page.ids[0] < start + 200:
            assert process.poll() is None
        process.kill()
        process.communicate()
        start = (page.ids[0] + 2) | 1
        seen = 0
        for owner in range(1, 1201):
            page = await feeds.read(owner)
            if page is not None:
                seen += 1
                assert page.ids == sorted(set(page.ids), reverse=True)
                assert not page.ids or page.ids[-1] > page.floor
            elif owner <= 100:
                await feeds.fill(owner, [], [], floor=0)
        assert seen >= 99
        last = start + 1_000_000 + round_number
        assert await feeds.push(np.arange(1, 101), last, Reason.SELF) == 100
        for owner in range(1, 101):
            page = await feeds.read(owner, limit=1)
            assert page is not None
            assert page.ids == [last]
            await feeds.drop([owner])
            await feeds.fill(owner, [], [], floor=0)
