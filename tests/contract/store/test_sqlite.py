"""What the SQLite store promises beyond the suite: several processes, crashes, a full disk, copies.

Suite: store.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from townsquare.kit.clock import SetClock, SystemClock
from townsquare.model.errors import Unavailable
from townsquare.store import sqlite
from townsquare.store.port import Delete, Put, Table
from townsquare.store.sqlite import SqliteStore
from townsquare.store.sqlite_turn import Turn
from townsquare.store.sqlite_writer import Transaction


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A row."""

    book: str
    line: int
    text: str = ""


BOOKS = Table(name="books", row=Entry, partition=("book",), clustering=("line",), about="Lines.")
NOTES = Table(name="notes", row=Entry, partition=("book",), clustering=("line",), ttl_s=60, about="Gone soon.")
TABLES = (BOOKS, NOTES)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "new" / "store.db", TABLES, clock=SetClock())
    yield opened
    await opened.close()


async def count(store: SqliteStore) -> int:
    return len(await store.range(BOOKS, ("b",), limit=100_000))


async def test_a_delete_is_forgotten_where_rows_are_written_once(tmp_path: Path) -> None:
    slips = Table(
        name="slips", row=Entry, partition=("book",), clustering=("line",), written_once=True, about="Gone for good."
    )
    store = await SqliteStore.open(tmp_path / "store.db", [BOOKS, slips], clock=SetClock())
    for table in (BOOKS, slips):
        await store.write([Put(table, Entry("b", 1)), Put(table, Entry("b", 2))], [Delete(table, ("b", 1))])
        assert await store.range(table, ("b",), limit=9) == [Entry("b", 2)]
    counts = [store.count_dead(table, b"", b"\xff") for table in (BOOKS, slips)]
    await store.close()
    assert counts == [1, 0]


async def test_rows_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", [BOOKS], clock=SetClock())
    await store.write([Put(BOOKS, Entry("b", 1))])
    await store.close()
    # A table that is new in this version is made.
    store = await SqliteStore.open(tmp_path / "store.db", TABLES, clock=SetClock())
    assert await store.get(BOOKS, ("b", 1)) == Entry("b", 1)
    assert await store.get(NOTES, ("b", 1)) is None
    await store.close()


async def test_what_was_accepted_before_the_end_is_kept(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", TABLES, clock=SetClock())
    writes = [asyncio.ensure_future(store.write([Put(BOOKS, Entry("b", n))])) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)
    with pytest.raises(Unavailable):
        await store.write([Put(BOOKS, Entry("b", 99))])
    store = await SqliteStore.open(tmp_path / "store.db", TABLES, clock=SetClock())
    assert await count(store) == 50
    await store.close()


async def test_only_the_server_may_read_its_files(store: SqliteStore) -> None:
    await store.write([Put(BOOKS, Entry("b", 1))])
    files = list(store._path.parent.iterdir())
    assert {file.name for file in files} >= {"store.db", "store.db-wal", "store.db-shm", "store.db-turn"}
    assert [file.name for file in files if file.stat().st_mode & 0o077] == []


async def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(RuntimeError, match="newer is needed"):
        await SqliteStore.open(tmp_path / "store.db", TABLES, clock=SetClock())


async def test_a_file_that_is_no_store_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(Unavailable):
        await SqliteStore.open(tmp_path / "store.db", TABLES, clock=SetClock())


async def test_work_that_fails_takes_nobody_of_its_group_along(store: SqliteStore) -> None:
    def fail(transaction: Transaction) -> None:
        transaction.execute("UPDATE books SET ts = 0", ())
        raise ValueError("no")

    before = [asyncio.ensure_future(store.write([Put(BOOKS, Entry("b", n))])) for n in range(20)]
    await asyncio.sleep(0)
    failing = store._writer.submit(fail)
    after = [asyncio.ensure_future(store.write([Put(BOOKS, Entry("b", n))])) for n in range(20, 40)]
    await asyncio.gather(*before, *after)
    with pytest.raises(ValueError, match="no"):
        await failing
    assert await count(store) == 40


async def test_a_caller_that_goes_away_disturbs_nobody(store: SqliteStore) -> None:
    writes = [asyncio.ensure_future(store.write([Put(BOOKS, Entry("b", n))])) for n in range(20)]
    await asyncio.sleep(0)
    writes[3].cancel()
    done = await asyncio.gather(*writes, return_exceptions=True)
    assert [n for n, result in enumerate(done) if result is not None] == [3]
    await store.write([Put(BOOKS, Entry("b", 99))])
    assert await store.get(BOOKS, ("b", 99)) is not None


async def test_the_sweep_removes_old_tombstones_and_expired_rows_in_small_parts(tmp_path: Path) -> None:
    clock = SetClock()
    store = await SqliteStore.open(tmp_path / "store.db", TABLES, clock=clock)
    await store.write([Put(NOTES, Entry("b", n)) for n in range(700)], [Delete(BOOKS, ("b", n)) for n in range(10)])
    await store.write([Put(BOOKS, Entry("b", 20))])
    assert await store.sweep() == 0
    clock.advance(seconds=61)
    assert [await store.sweep() for _ in range(3)] == [500, 200, 0]
    clock.advance(seconds=86_400)
    assert store.count_dead(BOOKS, b"", b"\xff") == 10
    assert await store.sweep() == 10
    assert store.count_dead(BOOKS, b"", b"\xff") == 0
    assert await count(store) == 1
    await store.close()


async def test_a_copy_is_what_was_there_at_one_moment(store: SqliteStore, tmp_path: Path) -> None:
    await store.write([Put(BOOKS, Entry("b", n, "x" * 500)) for n in range(1000)])

    async def write_on() -> None:
        for n in range(100):
            await store.write([Put(BOOKS, Entry("b", 1000 + 2 * n)), Put(BOOKS, Entry("b", 1001 + 2 * n))])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write_on())
        tasks.create_task(store.backup(tmp_path / "copy.db"))
    copy = await SqliteStore.open(tmp_path / "copy.db", TABLES, clock=SetClock())
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    copied = await count(copy)
    assert 1000 <= copied <= 1200
    assert copied % 2 == 0
    await copy.close()
    with pytest.raises(Unavailable):
        await store.backup(tmp_path / "no" / "folder.db")


@contextmanager
def files_at_most(size_bytes: int) -> Iterator[None]:
    """No file of this process may grow over this: what a full disk does to SQLite."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_refuses_writes_answers_reads_and_recovers(store: SqliteStore) -> None:
    await store.write([Put(BOOKS, Entry("b", n)) for n in range(100)])
    log = store._path.with_name("store.db-wal")
    with files_at_most(log.stat().st_size + 20_000):
        kept = 100
        while await accepts(store, Entry("b", kept, "x" * 2000)):
            kept += 1
        with pytest.raises(Unavailable):
            await store.write([Put(BOOKS, Entry("c", n, "x" * 2000)) for n in range(100)])
        assert await count(store) == kept
        assert await store.get(BOOKS, ("b", 7)) is not None
    await store.write([Put(BOOKS, Entry("b", 1000, "x" * 20_000))])
    assert await count(store) == kept + 1
    assert await store.range(BOOKS, ("c",), limit=1) == []


async def accepts(store: SqliteStore, row: Entry) -> bool:
    """Whether the row could be written."""
    try:
        await store.write([Put(BOOKS, row)])
    except Unavailable:
        return False
    return True


# A second process: this file, run as a program ------------------------------------------------------------------------


async def _add(path: str, times: int) -> None:
    """Add one to a row, and put rows of our own, `times` over; say which are done."""
    store = await SqliteStore.open(path, TABLES, clock=SystemClock())
    for n in range(times):
        await store.write([Put(BOOKS, Entry(str(os.getpid()), n))])
        while True:
            old = await store.get(BOOKS, ("total", 0)) or Entry("total", 0, "0")
            new = Entry("total", 0, str(int(old.text) + 1))
            if old.text == "0" and await store.slow_put_if_absent(BOOKS, new) is None:
                break
            if old.text != "0" and await store.slow_compare_and_set(BOOKS, old, new):
                break
        sys.stdout.write(f"{os.getpid()} {n}\n")
        sys.stdout.flush()
    await store.close()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


async def _start(path: Path, times: int) -> asyncio.subprocess.Process:
    program = (sys.executable, __file__, str(path), str(times))
    return await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE, env=_environment())


@pytest.mark.slow
async def test_processes_share_a_file_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"  # made by whoever comes first
    processes = [await _start(path, 100) for _ in range(3)]
    await asyncio.gather(*[process.communicate() for process in processes])
    assert [process.returncode for process in processes] == [0, 0, 0]
    store = await SqliteStore.open(path, TABLES, clock=SystemClock())
    assert await store.get(BOOKS, ("total", 0)) == Entry("total", 0, "300")
    for process in processes:
        assert len(await store.range(BOOKS, (str(process.pid),), limit=1000)) == 100
    await store.close()


@pytest.mark.slow
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    acknowledged: list[tuple[str, int]] = []
    for lines in (1, 40, 97):
        process = await _start(path, 1_000_000)
        assert process.stdout is not None
        for _ in range(lines):
            await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest, _ = await process.communicate()
        done = [line for line in rest.decode().splitlines(keepends=True) if line.endswith("\n")]
        acknowledged += [(str(process.pid), n) for n in range(lines + len(done))]
    store = await SqliteStore.open(path, TABLES, clock=SystemClock())
    assert None not in await store.get_many(BOOKS, acknowledged)
    total = await store.get(BOOKS, ("total", 0))
    assert total is not None
    assert len(acknowledged) <= int(total.text) <= len(acknowledged) + 3
    await store.close()


HOLDER = """
import sys, time
from pathlib import Path
from townsquare.store.sqlite_turn import Turn
Turn(Path(sys.argv[1])).take(patience_s=1)
print("mine", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
async def test_a_process_that_hangs_or_dies_keeps_nobody_waiting_for_ever(tmp_path: Path) -> None:
    turn = Turn(tmp_path / "turn")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(tmp_path / "turn"), stdout=asyncio.subprocess.PIPE, env=_environment()
    )
    assert process.stdout is not None
    await process.stdout.readline()
    assert not turn.take(patience_s=0.01)
    process.kill()
    await process.communicate()
    assert turn.take(patience_s=5)
    turn.close()


if __name__ == "__main__":
    asyncio.run(_add(sys.argv[1], int(sys.argv[2])))
