"""The scheduler: one leads, another takes over, and timers and the outbox reach the queue."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.social.conftest import bare_ports
from townsquare.kit.clock import SetClock
from townsquare.model.tasks import ExpireMute, PollEnded, decode_task
from townsquare.settings import Settings
from townsquare.social.ports import Ports
from townsquare.social.timers import timer
from townsquare.store.port import Put
from townsquare.store.tables import TIMERS
from townsquare.workers.schedule import Periodic, Scheduler, bring_timers, relay_outbox
from townsquare.workers.table import ALL_PERIODIC


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def ports(clock: SetClock) -> AsyncIterator[Ports]:
    async with bare_ports(clock, Settings()) as opened:
        yield opened


class Chores:
    """Counts how often a periodic task ran, by whom."""

    def __init__(self, ports: Ports) -> None:
        self.ran = list[str]()
        self.schedulers = {name: Scheduler(ports, [self._chore(name)], owner=name) for name in ("a", "b")}

    def _chore(self, name: str) -> Periodic:
        async def handler(ports: Ports) -> None:
            self.ran.append(name)

        return Periodic(name="chore", every_s=1, handler=handler)

    async def tick(self, *names: str) -> None:
        async with asyncio.TaskGroup() as group:
            for name in names:
                await self.schedulers[name].tick(group)


async def test_one_leads(ports: Ports, clock: SetClock) -> None:
    chores = Chores(ports)
    for _ in range(30):
        await chores.tick("a", "b")
        clock.advance(seconds=0.5)
    assert chores.ran == ["a"] * 15


async def test_another_takes_over_when_the_lease_ends(ports: Ports, clock: SetClock) -> None:
    chores = Chores(ports)
    await chores.tick("a")
    for _ in range(19):
        clock.advance(seconds=0.5)
        await chores.tick("b")
    assert chores.ran == ["a"]
    clock.advance(seconds=0.5)
    await chores.tick("b")
    assert chores.ran == ["a", "b"]
    await chores.tick("a")  # it notices that it was too slow
    assert not chores.schedulers["a"].leads
    assert chores.ran == ["a", "b"]


async def test_a_clean_end_gives_the_lease_back(ports: Ports) -> None:
    chores = Chores(ports)
    running = asyncio.create_task(chores.schedulers["a"].run())
    async with asyncio.timeout(3):
        while not chores.ran:  # noqa: ASYNC110 - the scheduler is not to know that it is watched
            await asyncio.sleep(0.005)
        chores.schedulers["a"].stop()
        await running
    await chores.tick("b")
    assert chores.ran == ["a", "b"]


async def test_a_failing_chore_does_not_stop_the_others(ports: Ports, clock: SetClock) -> None:
    ran = 0

    async def broken(ports: Ports) -> None:
        raise ZeroDivisionError

    async def sound(ports: Ports) -> None:
        nonlocal ran
        ran += 1

    periodic = [Periodic(name="broken", every_s=1, handler=broken), Periodic(name="sound", every_s=1, handler=sound)]
    scheduler = Scheduler(ports, periodic, owner="a")
    for _ in range(3):
        async with asyncio.TaskGroup() as group:
            await scheduler.tick(group)
        clock.advance(seconds=1)
    assert ran == 3


async def test_timers_come_when_they_are_due_and_once(ports: Ports, clock: SetClock) -> None:
    consumer = ports.queue.consume(["notify", "graph"])
    start_ms = clock.now_ms()
    await ports.store.write(
        [
            timer(ports, PollEnded(poll_id=1), due_ms=start_ms + 30_000),
            timer(ports, ExpireMute(account_id=1, target=2), due_ms=start_ms + 400_000),
        ]
    )
    await bring_timers(ports)
    assert await consumer.take(limit=9, wait_s=0) == []
    clock.advance(seconds=30)
    await bring_timers(ports)
    (first,) = await consumer.take(limit=9, wait_s=0)
    assert decode_task(first.message.body) == PollEnded(poll_id=1)
    await consumer.done([first])
    clock.advance(seconds=100_000)  # nobody led for a day
    for _ in range(100):
        await bring_timers(ports)
    (second,) = await consumer.take(limit=9, wait_s=0)
    assert decode_task(second.message.body) == ExpireMute(account_id=1, target=2)


async def test_a_timer_that_cannot_be_read_does_not_hold_up_others(ports: Ports, clock: SetClock) -> None:
    unreadable = timer(ports, PollEnded(poll_id=1), due_ms=clock.now_ms()).row
    unreadable = msgspec.structs.replace(unreadable, task=b"\xff")
    await ports.store.write([Put(TIMERS, unreadable), timer(ports, PollEnded(poll_id=2), due_ms=clock.now_ms())])
    await bring_timers(ports)
    assert len(await ports.queue.consume(["notify", "cleanup"]).take(limit=9, wait_s=0)) == 2


@pytest.mark.slow
async def test_many_timers_of_one_minute_all_come(ports: Ports, clock: SetClock) -> None:
    due_ms = clock.now_ms() + 1000
    for _ in range(40):
        await ports.store.write([timer(ports, PollEnded(poll_id=ports.new_id()), due_ms=due_ms) for _ in range(100)])
    clock.advance(seconds=61)
    await bring_timers(ports)
    assert (await ports.queue.depths())[0].waiting == 4000


async def test_what_a_dead_process_left_in_the_outbox_comes(ports: Ports, clock: SetClock) -> None:
    await ports.outbox.commit([], tasks=[PollEnded(poll_id=7)])  # and dies before it sends
    clock.advance(seconds=10)
    await relay_outbox(ports)
    await relay_outbox(ports)
    (delivery,) = await ports.queue.consume(["notify"]).take(limit=9, wait_s=0)
    assert decode_task(delivery.message.body) == PollEnded(poll_id=7)


def test_each_periodic_task_has_a_name_of_its_own() -> None:
    """Two of one name would take each other's time for a clock that was set back, and both be done too often."""
    names = [periodic.name for periodic in ALL_PERIODIC]
    assert len(names) == len(set(names))
