"""The embedded facts: who has the file, what follows when it goes, and what happens to the file itself.

Suite: analytics.
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from townsquare.analytics.duck_seat import Manner
from townsquare.analytics.duckdb import DuckAnalytics
from townsquare.analytics.port import Question
from townsquare.model.errors import Invalid, Unavailable
from townsquare.model.facts import DAY_MS, Fact, fact_id

DAY = 1_790_000_000_000 // DAY_MS * DAY_MS
ALL = Question(kinds=("favourite", "impression"), since_ms=0, until_ms=DAY + DAY_MS)

PEER = """
import asyncio, sys
from pathlib import Path
import uvloop
from tests.contract.analytics.test_duckdb import made
from townsquare.analytics.duckdb import DuckAnalytics

async def main(path, manner, first, count):
    facts = await DuckAnalytics.open(Path(path), manner=manner)
    if not count:
        await facts.coverage()
    print("ready", flush=True)
    for n in range(first, first + count):
        await facts.put(made([n]))
    if not count:
        await asyncio.Event().wait()
    await facts.close()

uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


def made(numbers: Sequence[int], kind: str = "favourite") -> list[Fact]:
    return [Fact(id=fact_id(kind, n), kind=kind, at_ms=DAY + n, actor=n + 1, object=n % 7) for n in numbers]


@asynccontextmanager
async def opened(path: Path, manner: Manner = "takes", idle_s: float = 60.0) -> AsyncIterator[DuckAnalytics]:
    facts = await DuckAnalytics.open(path, manner=manner, idle_s=idle_s)
    try:
        yield facts
    finally:
        await facts.close()


async def count(facts: DuckAnalytics) -> int:
    ((row,),) = await facts.ask([ALL])
    return row.n


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


def held_by(path: Path) -> int | None:
    """The process of its own that has the file."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = each.read_bytes().split(b"\0")
            if b"townsquare.analytics.duck_process" in words and os.fsencode(path) in words:
                return int(each.parent.name)
    return None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "facts.duckdb"


async def test_what_was_put_is_there_after_a_new_start(path: Path) -> None:
    async with opened(path) as facts:
        await facts.put(made(range(10)))
    async with opened(path) as facts:
        await facts.put(made(range(5, 15)))
        assert await count(facts) == 15
    assert path.stat().st_mode & 0o077 == 0


async def test_one_has_the_file_and_the_others_ask_it(path: Path) -> None:
    async with opened(path) as one, opened(path) as two:
        await one.put(made(range(3)))
        await asyncio.gather(*(two.put(made([n])) for n in range(40)), one.put(made(range(30, 50))))
        assert await count(one) == await count(two) == 50
        assert await two.coverage() == await one.coverage()
        fresh = await two.renew()
        await fresh.put(made(range(2)))
        await fresh.adopt([], DAY + 48)
        assert await count(one) == 4


async def test_who_asks_follows_an_owner_that_left(path: Path) -> None:
    async with opened(path) as two:
        async with opened(path) as one:
            await one.put(made([1]))
            await two.put(made([2]))
            putting = [asyncio.create_task(two.put(made([n]))) for n in range(100)]
            await asyncio.sleep(0)
        await asyncio.gather(*putting)
        assert await count(two) == 100


@pytest.mark.slow
async def test_servers_start_a_process_that_ends_when_nobody_asks(path: Path) -> None:
    async with opened(path, "starts", idle_s=0.5) as one, opened(path, "starts", idle_s=0.5) as two:
        await asyncio.gather(one.put(made(range(9))), two.put(made(range(5, 12))))
        assert await count(one) == await count(two) == 12
        await until(lambda: held_by(path) is None)
        assert await count(two) == 12
        assert held_by(path) is not None
    await until(lambda: held_by(path) is None)
    assert not path.with_name("facts.duckdb.wal").exists()


async def test_who_has_nothing_to_do_gives_the_file_to_others(path: Path) -> None:
    async with opened(path, idle_s=0.01) as one, opened(path) as two:
        await one.put(made([1]))
        await two.put(made([2]))
        await until(lambda: not path.with_name("facts.duckdb.wal").exists())  # the file was let go
        assert await count(two) == 2
        assert await count(one) == 2


async def test_a_fact_that_no_column_holds_is_refused_by_itself(path: Path) -> None:
    bad = [msgspec.structs.replace(fact, amount=1 << 63) for fact in made([99])]
    async with opened(path) as facts:
        told = await asyncio.gather(*(facts.put(each) for each in (made([1]), bad, made([2]))), return_exceptions=True)
        assert [type(each) for each in told] == [type(None), Invalid, type(None)]
        assert await count(facts) == 2


async def test_a_place_that_was_given_up_takes_nothing(path: Path) -> None:
    async with opened(path) as facts:
        first = await facts.renew()
        await facts.renew()
        with pytest.raises(Unavailable):
            await first.put(made([1]))


async def test_a_rebuild_goes_on_after_a_new_start_and_is_adopted_once(path: Path) -> None:
    async with opened(path, idle_s=0.01) as facts:
        await facts.put(made(range(5)))
        fresh = await facts.renew()
        await fresh.put(made(range(3)))
        await until(lambda: not path.with_name("facts.duckdb.fresh.wal").exists())  # the file was let go
        await fresh.put(made(range(4)))
        await fresh.adopt([], DAY + 1_000)
        await fresh.adopt([], DAY + 1_000)
        assert await count(facts) == await count(fresh) == 4
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "facts.duckdb",
        "facts.duckdb.lock",
        "facts.duckdb.sock",
    ]


async def test_what_a_killed_owner_left_half_written_is_swept(path: Path) -> None:
    for end in ("sorted", "sorted.wal"):
        path.with_name(f"facts.duckdb.{end}").write_bytes(b"half")
    async with opened(path) as facts:
        await facts.put(made([1]))
        assert await count(facts) == 1
        assert not path.with_name("facts.duckdb.sorted").exists()


async def test_a_damaged_file_is_told_and_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"no facts here" * 1_000)
    async with opened(path) as facts:
        with pytest.raises(Unavailable):
            await facts.put(made([1]))
        (finding,) = await facts.examine()
        assert "analytics.md" in finding.about
    assert path.read_bytes().startswith(b"no facts here")


async def test_a_copy_holds_all_of_one_moment(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "copy.duckdb"
    copy.parent.mkdir()
    async with opened(path) as one, opened(path) as two:
        await one.put(made(range(20)))
        assert await two.backup(copy)
        await one.put(made(range(30)))
    async with opened(copy) as facts:
        assert await count(facts) == 20
    async with opened(tmp_path / "none.duckdb") as facts:
        assert not await facts.backup(copy)


async def test_a_folder_with_a_long_name(path: Path) -> None:
    path = path.parent / ("long" * 40) / "facts.duckdb"
    async with opened(path) as one, opened(path) as two:
        await one.put(made([1]))
        assert await count(two) == 1


@pytest.mark.slow
async def test_space_comes_back(path: Path) -> None:
    async with opened(path) as facts:
        chance = random.Random(3)
        for start in range(0, 600_000, 20_000):
            numbers = [(at_ms, chance.getrandbits(62)) for at_ms in range(DAY + start, DAY + start + 20_000)]
            await facts.put([Fact(id=n, kind="impression", at_ms=at, actor=n, object=n) for at, n in numbers])
        await facts.put(made(range(100)))
        before = await facts.coverage()
        await facts.expire(["impression"], DAY + 550_000)
        after = await facts.coverage()
        assert after.facts == 50_100
        assert after.bytes < before.bytes * 0.2
        assert await count(facts) == 50_100


@asynccontextmanager
async def peer(path: Path, manner: Manner, first: int = 0, many: int = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", "."])}
    command = [sys.executable, "-c", PEER, str(path), manner, str(first), str(many)]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.slow
async def test_owners_that_are_killed_lose_no_fact(path: Path) -> None:
    """Three owners die one after the other, while two processes go on putting."""
    async with opened(path, "starts") as facts, AsyncExitStack() as stack, asyncio.timeout(120):
        writers = [await stack.enter_async_context(peer(path, "starts", first, 300)) for first in (0, 150)]
        for seen in (30, 150, 300):
            while (await facts.coverage()).facts < seen:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            owner = held_by(path)
            assert owner is not None
            os.kill(owner, signal.SIGKILL)
        assert [await writer.wait() for writer in writers] == [0, 0]
        assert await count(facts) == 450
