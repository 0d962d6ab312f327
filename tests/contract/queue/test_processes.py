"""The SQLite queue between processes: what a kill, a hang and many hands may not do."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.queue.hands import Child, messages, start, take_all
from townsquare.kit.clock import SystemClock
from townsquare.queue.sqlite import SqliteQueue

pytestmark = pytest.mark.slow

# Takes all it can get, says each id, and acknowledges only where told so.
CHILD = """
import asyncio, sys
from townsquare.kit.clock import SystemClock
from townsquare.queue.sqlite import SqliteQueue

async def main(path, acknowledge, lease_s):
    queue = await SqliteQueue.open(path, clock=SystemClock())
    consumer = queue.consume(["fan_out"], lease_s=float(lease_s))
    while True:
        deliveries = await consumer.take(limit=10, wait_s=5)
        for delivery in deliveries:
            print(delivery.message.id, flush=True)
        if acknowledge == "yes":
            await consumer.done(deliveries)

asyncio.run(main(*sys.argv[1:]))
"""


# Puts message after message, and says each that was accepted.
PUTTER = """
import asyncio, sys
from townsquare.kit.clock import SystemClock
from townsquare.queue.port import Message
from townsquare.queue.sqlite import SqliteQueue

async def main():
    queue = await SqliteQueue.open(sys.argv[1], clock=SystemClock())
    for n in range(10**9):
        await queue.put([Message(lane="fan_out", key=n, id=n, body=b"x" * 100)])
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
async def queue(path: Path) -> AsyncIterator[SqliteQueue]:
    queue = await SqliteQueue.open(path, clock=SystemClock())
    yield queue
    await queue.close()


async def test_what_a_killed_process_had_is_given_again_at_once(
    queue: SqliteQueue, path: Path, children: list[Child]
) -> None:
    await queue.put(messages(0, 10))
    children.append(Child(CHILD, str(path), "30", acknowledge=False))
    assert await children[0].said(10) == list(range(10))
    consumer = queue.consume(["fan_out"])
    assert await consumer.take(limit=10, wait_s=0.5) == []
    children[0].process.send_signal(signal.SIGKILL)
    again = await take_all(consumer, 10, within_s=4)
    assert sorted(delivery.message.id for delivery in again) == list(range(10))
    assert {(delivery.tries, delivery.cuts) for delivery in again} == {(2, 1)}


async def test_what_a_hanging_process_had_is_given_again_after_its_lease(
    queue: SqliteQueue, path: Path, children: list[Child]
) -> None:
    await queue.put(messages(0, 10))
    children.append(Child(CHILD, str(path), "1.5", acknowledge=False))
    await children[0].said(10)
    children[0].process.send_signal(signal.SIGSTOP)
    consumer = queue.consume(["fan_out"])
    again = await take_all(consumer, 10, within_s=8)
    assert {(delivery.tries, delivery.cuts) for delivery in again} == {(2, 1)}
    await consumer.done(again)
    children[0].process.send_signal(signal.SIGCONT)  # it comes back as another consumer, and takes its share
    await queue.put(messages(100, 200))
    assert set(await children[0].said(20)) <= set(range(100, 300))


async def test_three_processes_share_and_do_each_message_once(
    queue: SqliteQueue, path: Path, children: list[Child]
) -> None:
    children += [Child(CHILD, str(path), "30", acknowledge=True) for _ in range(3)]
    for _ in range(50):  # until all have joined and hold a share
        owners = queue._reader.execute("SELECT count(DISTINCT consumer) FROM holdings").get
        if owners == 3:
            break
        await asyncio.sleep(0.1)
    await queue.put(messages(0, 300))
    async with asyncio.timeout(10):
        while (await queue.depths())[0].waiting:  # noqa: ASYNC110 - the others are processes
            await asyncio.sleep(0.05)
    for child in children:
        child.process.kill()
    said = [[int(line) for line in child.process.communicate()[0].split()] for child in children]
    assert sorted(number for one in said for number in one) == list(range(300))
    assert all(said)


async def test_nothing_accepted_is_lost_when_its_process_is_killed(path: Path) -> None:
    putter = start(PUTTER, str(path))
    assert putter.stdout is not None
    for _ in range(500):
        await asyncio.to_thread(putter.stdout.readline)
    putter.kill()
    rest = putter.communicate()[0].split()
    last = int(rest[-1]) if rest else 499
    queue = await SqliteQueue.open(path, clock=SystemClock())
    taken = await take_all(queue.consume(["fan_out"]), last + 1, within_s=10)
    assert [delivery.message.id for delivery in taken][: last + 1] == list(range(last + 1))
    await queue.close()
