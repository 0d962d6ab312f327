"""Take work from the queue's lanes and do it, until told to stop.

Box: workers. A message whose process died twice over it is a suspect: it is worked on alone, so that what was in hand
beside it is not blamed, and after its last try it is parked.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from townsquare.model.errors import Unavailable
from townsquare.queue.port import Delivery, Queue
from townsquare.social.ports import Ports
from townsquare.workers.jobs import Jobs
from townsquare.workers.lanes import Lane
from townsquare.workers.order import Item, Order, Unit
from townsquare.workers.work import LaneCounts, Work

log = logging.getLogger(__name__)
_TAKE_WAIT_S = 5.0
_AWAY_S = (0.5, 5.0)  # pause while the queue is away: at first, at most
_SUSPECT_CUTS = 2
_SUSPECT_PAUSE_S = 0.1
_DRAIN_TAKE = 1024
_DRAIN_WAIT_S = 1.0


class Runner:
    """One process's work in some lanes. `counts` may be read at any time."""

    def __init__(self, ports: Ports, jobs: Jobs, lanes: Sequence[Lane], *, lease_s: float = 30.0) -> None:
        self.counts = {lane.name: LaneCounts() for lane in lanes}
        self._ports, self._jobs, self._lanes, self._lease_s = ports, jobs, lanes, lease_s
        self._stopping, self._suspects = asyncio.Event(), _Suspects()

    async def run(self) -> None:
        """Work until `stop`; then finish what was begun within `settings.drain_s`, and hand back the rest."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                loop = _LaneLoop(self, lane)
                group.create_task(loop.run(), name=f"lane {lane.name}")

    def stop(self) -> None:
        """Take no more work."""
        self._stopping.set()


@dataclass(slots=True)
class _Suspects:
    """All lanes of a process work on one suspect at a time."""

    item: Item | None = None


class _LaneLoop:
    """One lane of a Runner."""

    def __init__(self, runner: Runner, lane: Lane) -> None:
        self._lane, self._suspects, self._stopping = lane, runner._suspects, runner._stopping
        self._drain_s = runner._ports.settings.drain_s
        self._consumer = runner._ports.queue.consume([lane.name], lease_s=runner._lease_s)
        self._work = Work(runner._ports, runner._jobs, self._consumer, runner.counts[lane.name])
        self._work.stopping = runner._stopping
        self._order, self._running, self._out = Order(), set[asyncio.Task[None]](), 0
        self._alone: Item | None = None  # this lane's suspect, while it is worked on
        self._changed = asyncio.Event()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                stop = group.create_task(self._stopping.wait())
                while not self._stopping.is_set():
                    if self._has_room():
                        await self._begin(await self._take(stop))
                        self._start(group)
                    else:
                        await self._wait_for_change(stop)
                await self._finish()
        finally:
            await self._consumer.close()

    def _has_room(self) -> bool:
        if self._alone is not None:
            return False  # what is taken beside a suspect would be out when the process dies, each time anew
        idle = len(self._running) + len(self._order.ready) < self._lane.concurrency
        return idle and self._out < self._lane.most_out

    async def _take(self, stop: "asyncio.Task[bool]") -> list[Delivery]:
        pause_s = _AWAY_S[0]
        while True:
            limit = self._lane.most_out - self._out
            take = asyncio.create_task(self._consumer.take(limit=limit, wait_s=_TAKE_WAIT_S))
            await asyncio.wait([take, stop], return_when=asyncio.FIRST_COMPLETED)
            if not take.done():
                take.cancel()
                await asyncio.wait([take])
                return []
            try:
                return take.result()
            except Unavailable:
                log.warning("lane %s cannot be read, trying again in %.1f s", self._lane.name, pause_s)
            await asyncio.wait([stop], timeout=pause_s)
            if self._stopping.is_set():
                return []
            pause_s = min(pause_s * 2, _AWAY_S[1])

    async def _begin(self, deliveries: Sequence[Delivery]) -> None:
        items = await self._work.read(deliveries)
        suspects = sorted((i for i in items if i.delivery.cuts >= _SUSPECT_CUTS), key=lambda i: -i.delivery.cuts)
        chosen = suspects[:1] if self._suspects.item is None else []
        for item in suspects[len(chosen) :]:
            await self._work.hand_back(item.delivery, delay_s=_SUSPECT_PAUSE_S)
        plain = [item for item in items if item.delivery.cuts < _SUSPECT_CUTS]
        self._out += len(plain) + len(chosen)
        self._order.add(plain)
        if chosen:
            self._suspects.item = self._alone = chosen[0]
            self._order.add(chosen)

    def _start(self, group: asyncio.TaskGroup) -> None:
        while self._order.ready and len(self._running) < self._lane.concurrency and not self._stopping.is_set():
            task = group.create_task(self._do(self._order.ready.popleft(), group))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _do(self, unit: Unit, group: asyncio.TaskGroup) -> None:
        try:
            await self._work.do(unit)
        finally:
            if self._suspects.item is unit.items[0]:
                self._suspects.item = self._alone = None
            self._out -= len(unit.items)
            self._order.finish(unit)
            task = asyncio.current_task()
            if task is not None:
                self._running.discard(task)
            self._start(group)
            self._changed.set()

    async def _wait_for_change(self, stop: "asyncio.Task[bool]") -> None:
        self._changed.clear()
        changed = asyncio.create_task(self._changed.wait())
        await asyncio.wait([changed, stop], return_when=asyncio.FIRST_COMPLETED)
        changed.cancel()

    async def _finish(self) -> None:
        running = set(self._running)
        if running:
            _, late = await asyncio.wait(running, timeout=self._drain_s)
            for task in late:
                task.cancel()


async def drain(ports: Ports, jobs: Jobs, *, at_once: int = 1) -> int:
    """Work in this call until nothing waits that could be done now; how many messages were taken.

    What an act has only just left in the outbox is done as well. Messages that are to be tried again later stay.
    `at_once`: handlers that run side by side; they share commits.
    Raises: ExceptionGroup of the tasks' own errors, after all was tried.
    """
    lanes = sorted({kind.lane for kind in jobs})
    consumer = ports.queue.consume(lanes)
    work, order, taken = Work(ports, jobs, consumer, LaneCounts()), Order(), 0
    try:
        while True:
            await ports.outbox.flush()
            if await _waiting(ports.queue, lanes) <= work.counts.retried:
                break
            deliveries = await consumer.take(limit=_DRAIN_TAKE, wait_s=_DRAIN_WAIT_S)
            if not deliveries:
                break
            taken += len(deliveries)
            order.add(await work.read(deliveries))
            await _do_all(work, order, at_once)
    finally:
        await consumer.close()
    if work.faults:
        raise ExceptionGroup("tasks failed", work.faults)
    return taken


async def _do_all(work: Work, order: Order, at_once: int) -> None:
    async def do(unit: Unit) -> None:
        await work.do(unit)
        order.finish(unit)

    running = set[asyncio.Task[None]]()
    while order.ready or running:
        while order.ready and len(running) < at_once:
            running.add(asyncio.create_task(do(order.ready.popleft())))
        _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)


async def _waiting(queue: Queue, lanes: Sequence[str]) -> int:
    return sum(depth.waiting for depth in await queue.depths() if depth.lane in lanes)
