"""What every store promises.

Suite: store.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.engines import STORES, open_store
from townsquare.kit.clock import SetClock
from townsquare.model.errors import Invalid
from townsquare.store.port import Delete, Key, Put, Store, Table
from townsquare.store.standing import stand


class Leaf(msgspec.Struct, frozen=True, array_like=True):
    """A row with every kind of cell in its key."""

    tree: str
    branch: bytes
    number: int
    name: str = ""
    text: str = ""


class Count(msgspec.Struct, frozen=True, array_like=True):
    """A row alone in its partition, which has the same key as a tree's branch."""

    tree: str
    branch: bytes
    n: int


LEAVES = Table(
    name="leaves", row=Leaf, partition=("tree", "branch"), clustering=("number", "name"), about="Lowest first."
)
NEWS = Table(
    name="news",
    row=Leaf,
    partition=("tree", "branch"),
    clustering=("number",),
    newest_first=True,
    about="Highest first.",
)
COUNTS = Table(name="counts", row=Count, partition=("tree", "branch"), about="Totals of leaves.")
SHORT = Table(
    name="short", row=Leaf, partition=("tree",), clustering=("number",), ttl_s=60, about="Gone after a minute."
)
TABLES = (LEAVES, NEWS, COUNTS, SHORT)
OAK = ("oak", b"1")
NUMBERS = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))


def leaf(number: int, name: str = "", text: str = "") -> Leaf:
    return Leaf("oak", b"1", number, name, text)


def numbers(rows: list[Leaf]) -> list[int]:
    return [row.number for row in rows]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Store]:
    async with open_store(request.param, TABLES, clock) as opened:
        yield opened


async def test_what_was_put_is_got_and_a_later_put_replaces_it(store: Store) -> None:
    assert await store.get(LEAVES, (*OAK, 1, "a")) is None
    await store.write([Put(LEAVES, leaf(1, "a", "green"))])
    assert await store.get(LEAVES, (*OAK, 1, "a")) == leaf(1, "a", "green")
    await store.write([Put(LEAVES, leaf(1, "a", "red"))])
    assert await store.get(LEAVES, (*OAK, 1, "a")) == leaf(1, "a", "red")


async def test_many_are_got_in_the_order_of_their_keys(store: Store) -> None:
    await store.write([Put(LEAVES, leaf(n)) for n in range(150)])
    wanted = [149, 7, 1000, 0, 7, *range(100)]
    found = await store.get_many(LEAVES, [(*OAK, n, "") for n in wanted])
    assert found == [None if n == 1000 else leaf(n) for n in wanted]
    assert await store.get_many(LEAVES, []) == []


async def test_a_range_has_its_order_bounds_and_limit(store: Store) -> None:
    order = [5, -3, 2**63 - 1, 0, -(2**63), 8]
    await store.write([Put(table, leaf(n)) for n in order for table in (LEAVES, NEWS)])
    rising = sorted(order)
    assert numbers(await store.range(LEAVES, OAK, limit=9)) == rising
    assert numbers(await store.range(LEAVES, OAK, limit=9, reverse=True)) == rising[::-1]
    assert numbers(await store.range(NEWS, OAK, limit=9)) == rising[::-1]
    assert numbers(await store.range(NEWS, OAK, limit=2, reverse=True)) == rising[:2]
    assert numbers(await store.range(LEAVES, OAK, above=-3, below=8, limit=9)) == [0, 5]
    assert numbers(await store.range(NEWS, OAK, above=-3, below=8, limit=1)) == [5]
    assert numbers(await store.range(NEWS, OAK, above=2**63 - 1, limit=9)) == []
    assert numbers(await store.range(NEWS, OAK, below=-(2**63), limit=9)) == []


async def test_within_fixes_the_leading_columns(store: Store) -> None:
    names = ["", "a", "a\0", "a\0b", "ab", "é", "\U0001f333"]
    await store.write([Put(LEAVES, leaf(n, name)) for n in (1, 2, 3) for name in names])
    found = await store.range(LEAVES, OAK, within=(2,), above="a", below="é", limit=9)
    assert found == [leaf(2, "a\0"), leaf(2, "a\0b"), leaf(2, "ab")]
    assert [row.name for row in await store.range(LEAVES, OAK, within=(2,), limit=9)] == names
    assert await store.range(LEAVES, OAK, within=(2, "ab"), limit=9) == [leaf(2, "ab")]


async def test_partitions_do_not_mix(store: Store) -> None:
    trees = [("a", b""), ("a", b"\0"), ("a\0", b""), ("", b"a"), ("a", b"\xff\xff"), ("a", b"\xff")]
    await store.write([Put(LEAVES, Leaf(tree, branch, n)) for tree, branch in trees for n in (1, -1)])
    for tree, branch in trees:
        expected = [Leaf(tree, branch, -1), Leaf(tree, branch, 1)]
        assert await store.range(LEAVES, (tree, branch), limit=9) == expected
    found = await store.range_many(LEAVES, [*trees, ("b", b"")], limit=1)
    assert found == [*([Leaf(tree, branch, -1)] for tree, branch in trees), []]


async def test_a_partition_of_the_highest_integer_has_an_end(store: Store) -> None:
    top = Table(name="short", row=Leaf, partition=("number",), clustering=("name",), about="Keyed by a number.")
    async with open_store("sqlite", [top], SetClock()) as other:
        await other.write([Put(top, leaf(2**63 - 1, name)) for name in ("", "\U0010ffff")])
        assert len(await other.range(top, (2**63 - 1,), limit=9)) == 2
        assert len(await other.range(top, (2**63 - 2,), limit=9)) == 0


async def test_deleted_rows_are_gone_and_an_earlier_put_does_not_bring_them_back(store: Store) -> None:
    await store.write([Put(LEAVES, leaf(n)) for n in range(4)], at=1_000)
    await store.write([Delete(LEAVES, (*OAK, 1, ""))], at=2_000)
    await store.write([Put(LEAVES, leaf(1, text="late"))], at=1_500)
    assert await store.get(LEAVES, (*OAK, 1, "")) is None
    assert numbers(await store.range(LEAVES, OAK, limit=2)) == [0, 2]
    await store.write([Delete(LEAVES, (*OAK, 77, ""))], at=2_000)
    await store.write([Put(LEAVES, leaf(77))], at=1_500)
    assert await store.get(LEAVES, (*OAK, 77, "")) is None
    await store.write([Put(LEAVES, leaf(1, text="new"))], at=3_000)
    assert await store.get(LEAVES, (*OAK, 1, "")) == leaf(1, text="new")


async def test_the_last_write_by_time_stamp_wins(store: Store) -> None:
    await store.write([Put(LEAVES, leaf(1, text="second"))], at=2_000)
    await store.write([Put(LEAVES, leaf(1, text="first")), Put(LEAVES, leaf(2))], at=1_000)
    assert await store.range(LEAVES, OAK, limit=9) == [leaf(1, text="second"), leaf(2)]


async def test_calls_one_after_the_other_win_in_their_order_while_the_clock_stands(store: Store) -> None:
    for n in range(20):
        await store.write([Put(LEAVES, leaf(1, text=str(n)))])
        await store.write([Delete(LEAVES, (*OAK, 1, ""))])
        assert await store.slow_put_if_absent(LEAVES, leaf(1, text="back")) is None
        await store.write([Put(LEAVES, leaf(1, text="last"))])
        assert await store.get(LEAVES, (*OAK, 1, "")) == leaf(1, text="last")


async def test_steps_and_tables_are_all_written(store: Store) -> None:
    await store.write(
        [Put(LEAVES, leaf(n)) for n in range(3)] + [Put(COUNTS, Count("oak", b"1", 3))],
        [],
        [Put(NEWS, leaf(1)), Delete(LEAVES, (*OAK, 9, ""))],
    )
    assert await store.get(COUNTS, OAK) == Count("oak", b"1", 3)
    assert numbers(await store.range(LEAVES, OAK, limit=9)) == [0, 1, 2]
    assert numbers(await store.range(NEWS, OAK, limit=9)) == [1]
    await store.write()


async def test_a_batch_of_one_partition_is_never_seen_in_part(store: Store) -> None:
    async def write() -> None:
        for n in range(30):
            rows = [Put(LEAVES, leaf(k, text=str(n))) for k in range(5)]
            await store.write([*rows, Put(COUNTS, Count("oak", b"1", n))])

    async def read() -> None:
        for _ in range(60):
            rows = await store.range(LEAVES, OAK, limit=9)
            assert len({row.text for row in rows}) <= 1
            assert len(rows) in (0, 5)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        tasks.create_task(read())


async def test_a_row_that_cannot_be_kept_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(Invalid):
        await store.write([Put(LEAVES, leaf(1)), Put(LEAVES, leaf(2**63))])
    with pytest.raises(Invalid):
        await store.write([Put(LEAVES, leaf(1)), Put(LEAVES, leaf(2, "x" * 2000))])
    with pytest.raises(Invalid):
        await store.get(LEAVES, (*OAK, 2**70, ""))
    assert await store.range(LEAVES, OAK, limit=9) == []


async def test_one_of_many_that_ask_for_a_free_key_gets_it(store: Store) -> None:
    rows = [leaf(1, text=str(n)) for n in range(20)]
    answers = await asyncio.gather(*[store.slow_put_if_absent(LEAVES, row) for row in rows])
    winner = await store.get(LEAVES, (*OAK, 1, ""))
    assert [answer for answer in answers if answer is not None] == [winner] * 19
    assert answers[rows.index(winner)] is None  # type: ignore[arg-type]  # a winner there is


async def test_a_deleted_or_expired_key_is_free_again(store: Store, clock: SetClock) -> None:
    assert await store.slow_put_if_absent(SHORT, leaf(1, text="a")) is None
    await store.write([Delete(SHORT, ("oak", 1))])
    assert await store.slow_put_if_absent(SHORT, leaf(1, text="b")) is None
    clock.advance(seconds=61)
    assert await store.slow_put_if_absent(SHORT, leaf(1, text="c")) is None
    assert await store.slow_put_if_absent(SHORT, leaf(1, text="d")) == leaf(1, text="c")


async def test_what_was_put_stands_though_a_compare_and_set_was_stamped_later(store: Store) -> None:
    place = (*OAK, 1, "")
    await store.write([Put(LEAVES, leaf(1, text="old"))], at=1_000)
    assert await store.slow_compare_and_set(LEAVES, leaf(1, text="old"), leaf(1, text="edited"))
    await store.write([Put(LEAVES, leaf(1, text="gone"))], at=2_000)  # as one that was on its way for long
    assert await store.get(LEAVES, place) == leaf(1, text="edited")
    for _ in range(2):
        await stand(store, LEAVES, leaf(1, text="gone"))
        assert await store.get(LEAVES, place) == leaf(1, text="gone")


async def test_compare_and_set_changes_only_what_is_as_it_was(store: Store) -> None:
    assert not await store.slow_compare_and_set(LEAVES, leaf(1, text="a"), leaf(1, text="b"))
    await store.write([Put(LEAVES, leaf(1, text="0"))])

    async def raise_by_one() -> None:
        while True:
            old = await store.get(LEAVES, (*OAK, 1, ""))
            assert old is not None
            if await store.slow_compare_and_set(LEAVES, old, leaf(1, text=str(int(old.text) + 1))):
                return

    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(raise_by_one())
    assert await store.get(LEAVES, (*OAK, 1, "")) == leaf(1, text="10")


async def test_rows_with_a_time_to_live_are_gone_after_it(store: Store, clock: SetClock) -> None:
    await store.write([Put(SHORT, leaf(1)), Put(LEAVES, leaf(1))])
    clock.advance(seconds=30)
    await store.write([Put(SHORT, leaf(2))])
    clock.advance(seconds=29)
    assert numbers(await store.range(SHORT, ("oak",), limit=9)) == [1, 2]
    clock.advance(seconds=2)
    assert numbers(await store.range(SHORT, ("oak",), limit=9)) == [2]
    assert await store.get_many(SHORT, [("oak", 1), ("oak", 2)]) == [None, leaf(2)]
    assert await store.get(SHORT, ("oak", 1)) is None
    assert await store.scan(SHORT, limit=9) == ([leaf(2)], b"")
    clock.advance(seconds=1000)
    assert await store.range(SHORT, ("oak",), limit=9) == []
    assert await store.get(LEAVES, (*OAK, 1, "")) == leaf(1)


async def test_drop_removes_one_partition_of_one_table(store: Store) -> None:
    await store.write([Put(LEAVES, leaf(n)) for n in range(5)], [Put(NEWS, leaf(1))])
    await store.write([Put(LEAVES, Leaf("oak", b"2", 1))])
    await store.drop(LEAVES, OAK)
    assert await store.range(LEAVES, OAK, limit=9) == []
    assert len(await store.range(LEAVES, ("oak", b"2"), limit=9)) == 1
    assert len(await store.range(NEWS, OAK, limit=9)) == 1
    await store.write([Put(LEAVES, leaf(3))])
    assert numbers(await store.range(LEAVES, OAK, limit=9)) == [3]


async def test_scan_comes_by_every_row_once(store: Store) -> None:
    rows = {Leaf(f"tree{n % 7}", bytes([n % 3]), n) for n in range(100)}
    await store.write([Put(LEAVES, row) for row in rows])
    await store.write([Delete(LEAVES, ("tree0", b"\0", 0, ""))])
    seen: list[Leaf] = []
    token, more = b"", True
    while more:
        part, token = await store.scan(LEAVES, after=token, limit=33)
        seen += part
        more = bool(token)
    assert len(seen) == len(set(seen))
    assert set(seen) == rows - {Leaf("tree0", b"\0", 0)}


@pytest.mark.parametrize("engine", STORES)
@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.builds(Leaf, st.sampled_from(["", "a", "a\0"]), st.binary(max_size=2), NUMBERS), max_size=30),
    above=st.none() | NUMBERS,
    below=st.none() | NUMBERS,
    limit=st.integers(1, 12),
    reverse=st.booleans(),
)
async def test_ranges_are_slices_of_what_was_put(
    engine: str, rows: list[Leaf], above: int | None, below: int | None, limit: int, reverse: bool
) -> None:
    async with open_store(engine, [NEWS], SetClock()) as store:
        for row in rows:
            await store.write([Put(NEWS, row)])
        for tree, branch in {(row.tree, row.branch) for row in rows}:
            expected = sorted(
                {
                    row.number
                    for row in rows
                    if (row.tree, row.branch) == (tree, branch)
                    and (above is None or row.number > above)
                    and (below is None or row.number < below)
                },
                reverse=not reverse,
            )
            found = await store.range(NEWS, (tree, branch), above=above, below=below, limit=limit, reverse=reverse)
            assert numbers(found) == expected[:limit]


@pytest.mark.parametrize("engine", STORES)
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans()), max_size=20, unique_by=lambda w: w[:2]))
async def test_writes_in_any_order_end_alike(engine: str, writes: list[tuple[int, int, bool]]) -> None:
    async with open_store(engine, [LEAVES], SetClock()) as store:
        for number, at, put in writes:
            one = Put(LEAVES, leaf(number, text=str(at))) if put else Delete(LEAVES, (*OAK, number, ""))
            await store.write([one], at=at)
        for number in range(4):
            last = max((write for write in writes if write[0] == number), default=None, key=lambda write: write[1])
            expected = leaf(number, text=str(last[1])) if last is not None and last[2] else None
            assert await store.get(LEAVES, (*OAK, number, "")) == expected


async def _stamped(store: Store, table: Table[Leaf], limit: int = 2) -> dict[Key, tuple[Leaf | None, int]]:
    found: dict[Key, tuple[Leaf | None, int]] = {}
    after = b""
    while True:
        rows, after = await store.scan_stamped(table, after=after, limit=limit)
        found |= {each.key: (each.row, each.at) for each in rows}
        if not after:
            return found


async def test_a_stamped_walk_gives_rows_as_they_were_written(store: Store, clock: SetClock) -> None:
    now = clock.ms * 1000
    rows = [leaf(n, "\0" * n, text=str(n)) for n in range(5)]
    for n, row in enumerate(rows):
        await store.write([Put(LEAVES, row)], at=now + n)
    assert await _stamped(store, LEAVES) == {LEAVES.key(row): (row, now + n) for n, row in enumerate(rows)}
    await store.write([Delete(LEAVES, LEAVES.key(rows[0]))], at=now + 9)
    left = await _stamped(store, LEAVES)
    assert left.pop(LEAVES.key(rows[0]), (None, now + 9)) == (None, now + 9)
    assert len(left) == 4
    await store.write([Put(SHORT, rows[0])], at=now - 5_000_000)
    assert await _stamped(store, SHORT) == {SHORT.key(rows[0]): (rows[0], now - 5_000_000)}
    clock.advance(seconds=55)
    assert await _stamped(store, SHORT) == {}
