"""Workers: order, deadlines, retries, parking, batches and a clean end, over memory engines."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import pytest

from tests.social.conftest import bare_ports
from townsquare.kit.clock import SetClock
from townsquare.model.errors import Invalid, NotFound, Unavailable
from townsquare.model.tasks import AnyTask, CountStatus, FanOutChange, FanOutStatus, FetchCard, Task, encode_task
from townsquare.queue.port import Consumer, Delivery, Message, Queue
from townsquare.settings import Settings
from townsquare.social.ports import Ports
from townsquare.workers.jobs import Job
from townsquare.workers.lanes import LANES, Lane
from townsquare.workers.runner import Runner, drain

SOON_S = 5.0
FAN_OUT = Lane(name="fan_out", concurrency=4, about="")
Handler = Callable[[Any, Ports], Any]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def ports(clock: SetClock) -> AsyncIterator[Ports]:
    async with bare_ports(clock, Settings(drain_s=0.2)) as opened:
        yield opened


async def put(queue: Queue, *tasks: AnyTask) -> None:
    known = sum(depth.waiting + depth.parked for depth in await queue.depths()) + 1
    await queue.put([Message(lane=t.lane, key=t.key(), id=known + n, body=encode_task(t)) for n, t in enumerate(tasks)])


async def until(holds: Callable[[], Any], *, clock: SetClock | None = None) -> None:
    """Wait until `holds()`, while the clock, where given, runs fast."""
    async with asyncio.timeout(SOON_S):
        while not holds():
            await asyncio.sleep(0.005)
            if clock is not None:
                clock.advance(seconds=1)


@asynccontextmanager
async def running(ports: Ports, jobs: dict[type[Task], Job], *lanes: Lane) -> AsyncIterator[Runner]:
    runner = Runner(ports, jobs, lanes or (FAN_OUT,))
    task = asyncio.create_task(runner.run())
    yield runner
    runner.stop()
    async with asyncio.timeout(SOON_S):
        await task


def fan_out(handler: Handler, **limits: Any) -> dict[type[Task], Job]:
    return {FanOutStatus: Job(handler, **limits)}


def status(number: int, author: int = 1) -> FanOutStatus:
    return FanOutStatus(status_id=number, author=author)


async def test_equal_keys_go_one_after_another_and_others_side_by_side(ports: Ports) -> None:
    at_once, most, seen = dict[int, int](), 0, dict[int, list[int]]()

    async def handler(task: FanOutStatus, ports: Ports) -> None:
        nonlocal most
        at_once[task.author] = at_once.get(task.author, 0) + 1
        assert at_once[task.author] == 1
        most = max(most, sum(at_once.values()))
        await asyncio.sleep(0.001)
        at_once[task.author] -= 1
        seen.setdefault(task.author, []).append(task.status_id)

    await put(ports.queue, *(status(n, author=n % 10) for n in range(100)))
    async with running(ports, fan_out(handler)) as runner:
        await until(lambda: runner.counts["fan_out"].done == 100)
    assert most == FAN_OUT.concurrency
    assert seen == {author: list(range(author, 100, 10)) for author in range(10)}
    assert (await ports.queue.depths())[0].waiting == 0


async def test_a_slow_key_does_not_hold_up_others(ports: Ports) -> None:
    gate, done = asyncio.Event(), list[int]()

    async def handler(task: FanOutStatus, ports: Ports) -> None:
        if task.author == 1:
            await gate.wait()
        done.append(task.author)

    await put(ports.queue, *(status(n, author=1) for n in range(20)), *(status(n, author=n) for n in range(2, 22)))
    async with running(ports, fan_out(handler)):
        await until(lambda: len(done) == 20)
        assert 1 not in done
        gate.set()
        await until(lambda: len(done) == 40)


async def test_a_failing_task_is_tried_five_times_then_parked(ports: Ports, clock: SetClock) -> None:
    tried, others = list[int](), list[int]()

    async def handler(task: FanOutStatus, ports: Ports) -> None:
        if task.author == 666:
            tried.append(clock.now_ms())
            raise ZeroDivisionError("poison")
        others.append(task.status_id)

    await put(ports.queue, status(0, author=666), *(status(n, author=n) for n in range(1, 100)))
    async with running(ports, fan_out(handler)) as runner:
        await until(lambda: len(others) == 99)  # none waits for the poison
        await until(lambda: runner.counts["fan_out"].parked, clock=clock)
    assert len(tried) == 5
    assert all(after - before >= 500 * 2**n for n, (before, after) in enumerate(pairwise(tried)))
    (parked,) = await ports.queue.parked(limit=9)
    assert (parked.tries, parked.reason) == (5, "ZeroDivisionError: poison")
    counts = runner.counts["fan_out"]
    assert (counts.done, counts.failed, counts.parked) == (99, 5, 1)


async def test_a_hanging_task_meets_its_deadline_and_is_parked(ports: Ports, clock: SetClock) -> None:
    async def handler(task: FanOutStatus, ports: Ports) -> None:
        await asyncio.Event().wait()

    await put(ports.queue, status(1))
    async with running(ports, fan_out(handler, timeout_s=0.01, tries=2)) as runner:
        await until(lambda: runner.counts["fan_out"].parked, clock=clock)
    (parked,) = await ports.queue.parked(limit=9)
    assert (parked.tries, parked.reason) == (2, "TimeoutError: ")


@pytest.mark.parametrize("error", [NotFound(), Invalid("not like this")])
async def test_a_task_with_nothing_left_to_do_is_dropped(ports: Ports, error: Exception) -> None:
    async def handler(task: FanOutStatus, ports: Ports) -> None:
        raise error

    await put(ports.queue, status(1))
    async with running(ports, fan_out(handler)) as runner:
        await until(lambda: runner.counts["fan_out"].dropped)
    assert await ports.queue.parked(limit=9) == []
    assert (await ports.queue.depths())[0].waiting == 0


@pytest.mark.slow
async def test_an_engine_that_is_away_is_waited_for(ports: Ports, clock: SetClock) -> None:
    tries = 0

    async def handler(task: FanOutStatus, ports: Ports) -> None:
        nonlocal tries
        tries += 1
        if tries <= 12:
            raise Unavailable("away") if tries % 2 else TimeoutError

    await put(ports.queue, status(1))
    async with running(ports, fan_out(handler)) as runner:
        await until(lambda: runner.counts["fan_out"].done, clock=clock)
    assert tries == 13
    assert await ports.queue.parked(limit=9) == []


async def test_what_cannot_be_read_is_parked_at_once(ports: Ports) -> None:
    async def handler(task: FanOutStatus, ports: Ports) -> None:
        return

    await ports.queue.put([Message(lane="fan_out", key=1, id=77, body=b"\xff\xff\xff")])
    await put(ports.queue, FanOutChange(status_id=1, author=1, deleted=True, version=1), status(2))
    async with running(ports, fan_out(handler)) as runner:
        await until(lambda: runner.counts["fan_out"].parked == 2 and runner.counts["fan_out"].done == 1)
    unreadable, unknown = await ports.queue.parked(limit=9)
    assert unreadable.reason.startswith("cannot be read")
    assert unknown.reason == "nothing does tasks of type FanOutChange"


async def test_a_batch_gets_all_that_waits(ports: Ports) -> None:
    batches = list[list[int]]()

    async def handler(tasks: Sequence[FanOutStatus], ports: Ports) -> None:
        batches.append([task.status_id for task in tasks])

    await put(ports.queue, *(status(n, author=n % 3) for n in range(100)))
    async with running(ports, fan_out(handler, batch=True)) as runner:
        await until(lambda: runner.counts["fan_out"].done == 100)
    assert batches == [list(range(100))]


async def test_a_batch_keeps_the_order_of_each_key(ports: Ports) -> None:
    seen = list[Any]()

    async def batch(tasks: Sequence[FanOutStatus], ports: Ports) -> None:
        seen.append([task.status_id for task in tasks])

    async def change(task: FanOutChange, ports: Ports) -> None:
        await asyncio.sleep(0.01)
        seen.append(task.status_id)

    jobs = {FanOutStatus: Job(batch, batch=True), FanOutChange: Job(change)}
    await put(
        ports.queue,
        status(1, author=1),
        FanOutChange(status_id=1, author=1, deleted=True, version=2),
        status(2, author=1),
        status(3, author=2),
    )
    async with running(ports, jobs) as runner:
        await until(lambda: runner.counts["fan_out"].done == 4)
    assert seen == [[1], 1, [2, 3]]


async def test_one_bad_task_does_not_spoil_its_batch(ports: Ports, clock: SetClock) -> None:
    done = set[int]()

    async def handler(tasks: Sequence[FanOutStatus], ports: Ports) -> None:
        if any(task.status_id == 13 for task in tasks):
            raise ZeroDivisionError("thirteen")
        done.update(task.status_id for task in tasks)

    await put(ports.queue, *(status(n, author=n) for n in range(50)))
    async with running(ports, fan_out(handler, batch=True)) as runner:
        await until(lambda: len(done) == 49)
        await until(lambda: runner.counts["fan_out"].parked, clock=clock)
    assert [parked.message.key for parked in await ports.queue.parked(limit=9)] == [13]


async def test_stop_finishes_what_was_begun_and_hands_back_the_rest(ports: Ports) -> None:
    begun, finished = list[int](), list[int]()
    gate = asyncio.Event()

    async def handler(task: FanOutStatus, ports: Ports) -> None:
        begun.append(task.status_id)
        await gate.wait()
        finished.append(task.status_id)

    await put(ports.queue, *(status(n, author=n) for n in range(20)))
    async with running(ports, fan_out(handler)) as runner:
        await until(lambda: len(begun) == 4)
        runner.stop()
        gate.set()
    assert finished == begun == [0, 1, 2, 3]
    consumer = ports.queue.consume(["fan_out"])
    rest = await consumer.take(limit=99, wait_s=0)
    assert [delivery.message.key for delivery in rest] == list(range(4, 20))
    assert {delivery.tries for delivery in rest} == {1}


async def test_what_does_not_finish_in_time_is_handed_back(ports: Ports) -> None:
    begun = asyncio.Event()

    async def handler(task: FanOutStatus, ports: Ports) -> None:
        begun.set()
        await asyncio.Event().wait()

    await put(ports.queue, status(1))
    async with running(ports, fan_out(handler)):
        await begun.wait()
    (delivery,) = await ports.queue.consume(["fan_out"]).take(limit=9, wait_s=0)
    assert delivery.tries == 1


async def test_lanes_do_not_wait_for_each_other(ports: Ports) -> None:
    done = asyncio.Event()

    async def slow(task: FetchCard, ports: Ports) -> None:
        await asyncio.Event().wait()

    async def quick(task: CountStatus, ports: Ports) -> None:
        done.set()

    jobs: dict[type[Task], Job] = {FetchCard: Job(slow), CountStatus: Job(quick)}
    await put(ports.queue, *(FetchCard(status_id=n) for n in range(100)), CountStatus(author=1, status_id=1))
    async with running(ports, jobs, *LANES), asyncio.timeout(SOON_S):
        await done.wait()


class Suspicious:
    """A queue whose messages with an id below 3 have killed their process twice already, as far as it knows."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def consume(self, lanes: Sequence[str], *, lease_s: float = 30.0) -> Consumer:
        return cast(Consumer, SuspiciousConsumer(self._queue.consume(lanes, lease_s=lease_s)))


class SuspiciousConsumer:
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    async def take(self, *, limit: int, wait_s: float) -> list[Delivery]:
        return [
            Delivery(message=d.message, tries=d.tries, token=d.token, cuts=2 if d.message.id <= 3 else 0)
            for d in await self._consumer.take(limit=limit, wait_s=wait_s)
        ]


async def test_suspects_are_worked_on_one_at_a_time(ports: Ports, clock: SetClock) -> None:
    suspects, most, done = 0, 0, set[int]()

    async def handler(task: FanOutStatus, ports: Ports) -> None:
        nonlocal suspects, most
        suspects += task.status_id <= 3
        most = max(most, suspects)
        await asyncio.sleep(0.01)
        suspects -= task.status_id <= 3
        done.add(task.status_id)

    await put(ports.queue, *(status(n, author=n) for n in range(1, 11)))
    object.__setattr__(ports, "queue", Suspicious(ports.queue))
    async with running(ports, fan_out(handler)):
        await until(lambda: len(done) == 10, clock=clock)
    assert most == 1


async def test_nothing_more_is_taken_beside_a_suspect(ports: Ports, clock: SetClock) -> None:
    """It would be blamed with it, should the process die: what came later must not be out meanwhile."""
    outside = Suspicious(ports.queue)
    beside, done = list[int](), set[int]()

    async def handler(task: FanOutStatus, ports: Ports) -> None:
        if task.status_id == 3:
            await put(ports.queue, *(status(n, author=n) for n in range(4, 9)))
            for _ in range(20):
                await asyncio.sleep(0.001)
            beside.extend(done)
        done.add(task.status_id)

    await put(ports.queue, status(3, author=3))
    object.__setattr__(ports, "queue", outside)
    async with running(ports, fan_out(handler)):
        await until(lambda: len(done) == 6, clock=clock)
    assert beside == []


async def test_drain_does_all_that_waits_and_what_comes_of_it(ports: Ports) -> None:
    done = list[str]()

    async def fan_out_status(task: FanOutStatus, ports: Ports) -> None:
        done.append("fan_out")
        await ports.outbox.commit([], tasks=[CountStatus(author=1, status_id=task.status_id)])

    async def count(tasks: Sequence[CountStatus], ports: Ports) -> None:
        done.append("count")

    jobs: dict[type[Task], Job] = {
        FanOutStatus: Job(fan_out_status),
        CountStatus: Job(count, batch=True),
    }
    await ports.outbox.commit([], tasks=[status(1)])
    assert await drain(ports, jobs) == 2
    assert done == ["fan_out", "count"]
    assert await drain(ports, jobs) == 0


async def test_drain_tells_of_tasks_that_failed(ports: Ports) -> None:
    async def handler(task: FanOutStatus, ports: Ports) -> None:
        if task.status_id == 1:
            raise ZeroDivisionError("broken")

    await put(ports.queue, status(1), status(2))
    with pytest.raises(ExceptionGroup) as failed:
        await drain(ports, fan_out(handler))
    assert [str(error) for error in failed.value.exceptions] == ["broken"]
    assert (await ports.queue.depths())[0].waiting == 1
