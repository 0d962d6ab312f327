"""The cache of one machine's processes: gaps of the bus, counters in a shared file.

Suite: cache.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from townsquare.cache.counters import SharedCounters
from townsquare.cache.memory import MemoryCache
from townsquare.cache.port import Kind
from townsquare.kit.clock import SetClock
from townsquare.streaming.memory import MemoryStreaming

KIND = Kind[bytes](name="s", encode=bytes, decode=bytes, ttl_s=100, capacity=100)


class LossyStreaming(MemoryStreaming):
    """A bus that can be told to have a gap."""

    def __init__(self) -> None:
        super().__init__()
        self.gap_listeners: list[Callable[[], None]] = []

    def on_gap(self, listener: Callable[[], None]) -> None:
        self.gap_listeners.append(listener)


async def load(keys: Sequence[int]) -> list[bytes | None]:
    return [b"x" for _ in keys]


async def test_a_gap_of_the_bus_empties_the_cache() -> None:
    streaming = LossyStreaming()
    cache = MemoryCache(streaming, SetClock(), counters=None)
    await cache.get_many(KIND, [1], load)
    begun, gate = asyncio.Event(), asyncio.Event()

    async def slow(keys: Sequence[int]) -> list[bytes | None]:
        begun.set()
        await gate.wait()
        return [b"old" for _ in keys]

    task = asyncio.create_task(cache.get_many(KIND, [2], slow))
    await begun.wait()
    for listener in streaming.gap_listeners:
        listener()
    gate.set()
    assert await task == [b"old"]
    assert (cache.peek(KIND, 1), cache.peek(KIND, 2)) == (None, None)


def add(counters: SharedCounters, key: str, amount: int = 1, *, now_s: int = 1000) -> int:
    return counters.add(key, amount, window_s=300, now_s=now_s)


@pytest.mark.parametrize("damage", [b"", b"short", b"\xff" * 2_000_000])
def test_a_damaged_file_of_counters_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "counters").write_bytes(damage)
    counters = SharedCounters(tmp_path / "counters")
    assert add(counters, "a") == 1
    counters.close()


def test_counters_outlive_a_restart(tmp_path: Path) -> None:
    first = SharedCounters(tmp_path / "counters")
    add(first, "a", 5)
    second = SharedCounters(tmp_path / "counters")
    assert add(second, "a") == 6
    assert add(first, "a") == 7
    first.close()
    second.close()


def test_more_processes_than_a_sum_has_parts_count_in_one(tmp_path: Path) -> None:
    every = [SharedCounters(tmp_path / "counters") for _ in range(10)]
    sums = [add(each, "a", n) for n in range(3) for each in every]
    assert sums == [0] * 10 + list(range(1, 11)) + list(range(12, 32, 2))
    every.pop(0).close()  # its part is another's now, who goes on from what is in it
    every.append(SharedCounters(tmp_path / "counters"))
    assert add(every[-1], "a") == 31
    assert add(every[-1], "a", -40) == 0
    for each in every:
        each.close()


@pytest.mark.slow
def test_a_flood_of_keys_takes_the_place_of_past_windows(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "counters")
    for n in range(80_000):
        add(counters, f"old {n}", now_s=1000)
    for n in range(10_000):
        add(counters, f"new {n}", n, now_s=2000)
    assert [add(counters, f"new {n}", 0, now_s=2000) for n in range(10_000)] == list(range(10_000))
    counters.close()


ADDER = """
import sys
from pathlib import Path
from townsquare.cache.counters import SharedCounters
counters = SharedCounters(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    for _ in range(int(sys.argv[2])):
        counters.add("a", 1, window_s=300, now_s=1)
    if sys.argv[3] == "once":
        break
"""


def adder(path: Path, count: int, how: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(
        [sys.executable, "-c", ADDER, str(path), str(count), how], env=environment, stdout=subprocess.PIPE
    )


@pytest.mark.slow
def test_no_addition_of_two_processes_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    processes = [adder(path, 20_000, "once") for _ in range(2)]
    for process in processes:
        process.communicate(timeout=30)
    counters = SharedCounters(path)
    assert counters.add("a", 0, window_s=300, now_s=1) == 40_000
    counters.close()


@pytest.mark.slow
def test_a_killed_process_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    for _ in range(5):
        process = adder(path, 1000, "for ever")
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.communicate()
    counters = SharedCounters(path)
    before = counters.add("a", 0, window_s=300, now_s=1)
    assert counters.add("a", 1, window_s=300, now_s=1) == before + 1
    counters.close()
