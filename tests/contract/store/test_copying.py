"""A copy from each store into each: whole, with its times, while it is written to, and after a kill.

Suite: store.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.contract.engines import SERVERS, open_store
from townsquare.kit.clock import SetClock
from townsquare.model.account import Account
from townsquare.model.errors import Unavailable
from townsquare.store.copying import Copy, NotEmpty, Progress, check_copied, read_progress
from townsquare.store.memory import MemoryStore
from townsquare.store.port import Delete, Key, Put, R, Stamped, Store, Table, Write
from townsquare.store.tables import (
    ACCOUNTS,
    FOLLOWING,
    IDEMPOTENCY,
    LEASES,
    SETTINGS,
    FollowingRow,
    IdempotencyRow,
    LeaseRow,
    SettingRow,
)
from townsquare.store.together import all_of as together
from townsquare.store.versions import WrongVersion, check_version

TABLES: tuple[Table[Any], ...] = (ACCOUNTS, FOLLOWING, IDEMPOTENCY, LEASES, SETTINGS)
WAYS = [
    ("memory", "sqlite"),
    ("sqlite", "memory"),
    ("sqlite", "chaos"),
    ("strict", "sqlite"),
    pytest.param(("sqlite", "cassandra"), marks=SERVERS),
    pytest.param(("cassandra", "sqlite"), marks=SERVERS),
    pytest.param(("sqlite", "mongo"), marks=SERVERS),
    pytest.param(("mongo", "sqlite"), marks=SERVERS),
]


COUNT = 600  # rows of a table: more than a page


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=WAYS, ids="-".join)
async def stores(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[tuple[Store, Store]]:
    source, target = request.param
    async with open_store(source, TABLES, clock) as one, open_store(target, TABLES, clock) as other:
        yield one, other


def account(n: int, name: str = "ada") -> Account:
    return Account(account_id=n, username=name, created_ms=n)


def follow(n: int) -> FollowingRow:
    return FollowingRow(account_id=n % 7, target=n, since_id=n, bucket=0, state="on")


async def fill(store: Store, clock: SetClock, count: int) -> None:
    """Rows of all tables with times of their own."""
    now = clock.ms * 1000
    writes: list[tuple[Put[Any], int]] = []
    for n in range(count):
        row = IdempotencyRow(account_id=n, key_hash=b"\0k", status_id=n)
        writes.append((Put(ACCOUNTS, account(n)), now - 10 * n))
        writes.append((Put(FOLLOWING, follow(n)), now - 10 * n - 1))
        writes.append((Put(IDEMPOTENCY, row), now - n * 100_000_000))
    for start in range(0, len(writes), 64):
        await together(store.write([write], at=at) for write, at in writes[start : start + 64])
    await store.write([Put(LEASES, LeaseRow(name="scheduler", owner="a", until_ms=clock.ms))])
    await check_version(store)


async def all_of(store: Store, table: Table[R]) -> dict[Key, tuple[R, int]]:
    found, after = {}, b""
    while True:
        rows, after = await store.scan_stamped(table, after=after, limit=100)
        found |= {each.key: (each.row, each.at) for each in rows if each.row is not None}
        if not after:
            return found


def copying(stores: tuple[Store, Store], clock: SetClock) -> Copy:
    return Copy(*stores, TABLES, clock=clock, say=lambda what, n: None)


async def test_all_rows_arrive_with_their_times(stores: tuple[Store, Store], clock: SetClock) -> None:
    source, target = stores
    await fill(source, clock, COUNT)
    copy = copying(stores, clock)
    await copy.begin("here")
    assert await copy.run_pass() == COUNT * 3
    looked = await copy.verify()
    assert all(each.equal for each in looked), looked
    lasting = sum(86_400 - n * 100 > 3600 for n in range(COUNT))  # what ends within the hour is not compared
    assert [each.rows for each in looked] == [COUNT, COUNT, lasting, 0]
    for table in (ACCOUNTS, FOLLOWING, IDEMPOTENCY):
        assert await all_of(source, table) == await all_of(target, table)
    assert await all_of(target, LEASES) == {}
    clock.advance(seconds=86_400 - 50)  # all but one of those that end are over
    assert list(await all_of(target, IDEMPOTENCY)) == [(0, b"\0k")]


async def test_what_is_written_between_the_passes_is_caught(stores: tuple[Store, Store], clock: SetClock) -> None:
    source, target = stores
    await fill(source, clock, 50)
    clock.advance(seconds=7200)
    copy = copying(stores, clock)
    await copy.begin("here")
    await copy.run_pass()
    clock.advance(seconds=60)
    await source.write([Put(ACCOUNTS, account(3, "later")), Delete(ACCOUNTS, (4,)), Put(ACCOUNTS, account(99))])
    clock.advance(seconds=60)
    assert await copy.run_pass() < 10
    with pytest.raises(WrongVersion, match="being filled from here"):
        await check_copied(target)
    looked = await copy.verify()
    assert all(each.equal for each in looked), looked
    assert await target.get_many(ACCOUNTS, [(3,), (4,), (99,)]) == [account(3, "later"), None, account(99)]
    await copy.finish()
    await check_copied(target)
    with pytest.raises(NotEmpty, match="whole"):
        await copying(stores, clock).begin("here")


async def test_a_pass_with_nothing_new_writes_nothing(stores: tuple[Store, Store], clock: SetClock) -> None:
    source, target = stores
    await fill(source, clock, 30)
    clock.advance(seconds=120)
    copy = copying(stores, clock)
    await copy.begin("here")
    assert await copy.run_pass() == 90
    row = follow(600)
    await source.write([Put(FOLLOWING, row)], at=(clock.ms - 1_800_000) * 1000)  # half an hour late
    assert await copy.run_pass() == 1
    assert await target.get(FOLLOWING, FOLLOWING.key(row)) == row
    assert await copy.run_pass() == 0


async def test_what_no_pass_sees_is_found_by_the_sums(stores: tuple[Store, Store], clock: SetClock) -> None:
    source, target = stores
    await fill(source, clock, 20)
    clock.advance(seconds=90_000)
    copy = copying(stores, clock)
    await copy.begin("here")
    await copy.run_pass()
    await source.write([Put(FOLLOWING, follow(500))], at=(clock.ms - 80_000_000) * 1000)  # it came a day late
    await target.write([Put(ACCOUNTS, account(77))])  # nobody knows whence
    assert await copy.run_pass() == 0
    looked = await copy.verify()
    assert all(each.equal for each in looked), looked
    assert await target.get(FOLLOWING, FOLLOWING.key(follow(500))) == follow(500)
    assert await target.get(ACCOUNTS, (77,)) is None


@pytest.mark.slow
async def test_writes_that_go_on_during_a_pass_lose_nothing(stores: tuple[Store, Store], clock: SetClock) -> None:
    source, target = stores
    await fill(source, clock, 600)
    copy = copying(stores, clock)
    await copy.begin("here")

    async def go_on_writing() -> None:
        for n in range(200):
            await source.write([Put(ACCOUNTS, account(n * 3, f"new{n}"))], [Put(FOLLOWING, follow(1000 + n))])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(go_on_writing())
        tasks.create_task(copy.run_pass())
    await copy.run_pass()
    looked = await copy.verify()
    assert all(each.equal for each in looked), looked
    assert await all_of(source, ACCOUNTS) == await all_of(target, ACCOUNTS)


class Dying(MemoryStore):
    """A target that takes so many writes and then no more."""

    left = 1 << 60

    async def write(self, *steps: Sequence[Write], at: int | None = None) -> None:
        self.left -= 1
        if self.left < 0:
            raise Unavailable("It was killed")
        await super().write(*steps, at=at)


class Counting(MemoryStore):
    """A source that counts the rows it is asked for."""

    asked = 0

    async def scan_stamped(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[Stamped[R]], bytes]:
        rows, after = await super().scan_stamped(table, after=after, limit=limit)
        self.asked += len(rows)
        return rows, after


async def test_a_copy_that_died_goes_on_where_it_was(clock: SetClock) -> None:
    source, target = Counting(TABLES, clock=clock), Dying(TABLES, clock=clock)
    await fill(source, clock, 3000)
    first = copying((source, target), clock)
    await first.begin("here")
    target.left = 4100
    with pytest.raises(Unavailable):
        await first.run_pass()
    source.asked, target.left = 0, 1 << 60
    second = copying((source, target), clock)
    await second.begin("here")
    assert second.progress.done == ("accounts",)
    await second.run_pass()
    assert source.asked <= 3000 - 1000 + 864 + 3
    assert all(each.equal for each in await second.verify())


async def test_a_store_with_something_else_in_it_is_refused(clock: SetClock) -> None:
    source, target = MemoryStore(TABLES, clock=clock), MemoryStore(TABLES, clock=clock)
    await check_version(target)
    await target.write([Put(SETTINGS, SettingRow(name="vapid", value=b"x"))])
    with pytest.raises(NotEmpty, match="settings"):
        await copying((source, target), clock).begin("here")
    await target.write([Delete(SETTINGS, ("vapid",))])
    await copying((source, target), clock).begin("here")
    assert await read_progress(target) == Progress(source="here")
    with pytest.raises(NotEmpty, match="a copy of here"):
        await copying((source, target), clock).begin("there")
