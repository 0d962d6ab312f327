"""Doing a unit of work: under its deadline, with a verdict on what fails, acknowledged only after the effect.

Box: workers.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import msgspec

from townsquare.kit.meters import Histogram
from townsquare.kit.request_id import REQUEST_ID
from townsquare.model.errors import Unavailable
from townsquare.model.tasks import decode_task, request_of_task
from townsquare.queue.port import Consumer, Delivery
from townsquare.social.ports import Ports
from townsquare.workers.errors import Verdict, reason_of, verdict_of
from townsquare.workers.jobs import Jobs
from townsquare.workers.order import Item, Unit

log = logging.getLogger(__name__)
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 60.0
_LONGEST_AWAY_S = 10.0  # pause while an engine is away


@dataclass(slots=True)
class LaneCounts:
    """What one process did in one lane since it started."""

    done: int = 0
    dropped: int = 0  # nothing was left to do
    failed: int = 0  # tries that ended in an error
    retried: int = 0  # left for a later try
    parked: int = 0
    times: Histogram = field(default_factory=Histogram)  # of calls of handlers, whatever their end


class Work:
    """Does units of one consumer's deliveries."""

    def __init__(self, ports: Ports, jobs: Jobs, consumer: Consumer, counts: LaneCounts) -> None:
        self._ports, self._jobs, self._consumer, self.counts = ports, jobs, consumer, counts
        self._away = 0  # errors of engines since something last went well
        self._effects, self._telling = list[Delivery](), False
        self.faults = list[Exception]()  # the last errors that were tasks' own, for those who wait for them
        self.stopping = asyncio.Event()

    async def read(self, deliveries: Sequence[Delivery]) -> list[Item]:
        """The deliveries as tasks; those that nobody can do are parked."""
        items = list[Item]()
        for delivery in deliveries:
            found = self._item(delivery)
            if isinstance(found, Item):
                items.append(found)
            else:
                await self._park(delivery, found)
        return items

    async def do(self, unit: Unit) -> None:
        """Do the unit and settle its messages. Raises nothing but CancelledError."""
        deadline = asyncio.timeout(unit.job.timeout_s)
        REQUEST_ID.set(request_of_task(unit.items[0].delivery.message.body))
        began = perf_counter()
        try:
            async with deadline:
                await unit.job.run([item.task for item in unit.items], self._ports)
        except Exception as exc:  # noqa: BLE001 - around a task
            self.counts.times.note(perf_counter() - began)
            await self._fail(unit, exc, late=deadline.expired())
        else:
            self.counts.times.note(perf_counter() - began)
            self._away = 0
            log.debug("%d done: %s", len(unit.items), type(unit.items[0].task).__name__)
            await self._acknowledge([item.delivery for item in unit.items])

    async def hand_back(self, delivery: Delivery, *, delay_s: float) -> None:
        """Leave it for later, as if it had not been taken."""
        await self._call(lambda: self._consumer.retry(delivery, delay_s=delay_s, counts=False))

    def _item(self, delivery: Delivery) -> Item | str:
        try:
            task = decode_task(delivery.message.body)
        except msgspec.DecodeError as exc:
            return f"cannot be read: {exc}"
        job = self._jobs.get(type(task))
        if job is None:
            return f"nothing does tasks of type {type(task).__name__}"
        if delivery.tries > job.tries:
            return f"tried {job.tries} times; {delivery.cuts} times its process died or hung meanwhile"
        return Item(delivery, task, job)

    async def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the queue of effects that are durable. Those that end while one is telling are told together by it."""
        self._effects += deliveries
        if self._telling:
            return
        self._telling = True
        try:
            while self._effects:
                told, self._effects = self._effects, []
                await self._call(partial(self._consumer.done, told))
                self.counts.done += len(told)
        finally:
            self._telling = False

    async def _fail(self, unit: Unit, exc: Exception, *, late: bool) -> None:
        verdict = Verdict.RETRY if late else verdict_of(exc)
        if len(unit.items) > 1 and not late and verdict is not Verdict.WAIT:
            for item in unit.items:  # to find out whose fault it is
                await self.do(Unit(unit.job, [item]))
            return
        self._away += verdict is Verdict.WAIT
        for item in unit.items:
            await self._settle(item, exc, verdict)

    async def _settle(self, item: Item, exc: Exception, verdict: Verdict) -> None:
        delivery = item.delivery
        REQUEST_ID.set(request_of_task(delivery.message.body))
        about = (type(item.task).__name__, delivery.message.id, delivery.tries, item.job.tries)
        if verdict is Verdict.DROP:
            log.info("task %s %d has nothing left to do (%s)", *about[:2], reason_of(exc))
            await self._call(lambda: self._consumer.done([delivery]))
            self.counts.dropped += 1
            return
        self.counts.failed += 1
        if verdict is Verdict.WAIT:
            delay_s = min(_FIRST_DELAY_S * 2 ** min(self._away - 1, 10), _LONGEST_AWAY_S)
            log.warning("task %s %d waits for an engine (%s)", *about[:2], reason_of(exc))
            await self.hand_back(delivery, delay_s=delay_s)
            self.counts.retried += 1
            return
        log.error("task %s %d failed, try %d of %d", *about, exc_info=exc)
        self.faults = [*self.faults[-99:], exc]
        if delivery.tries >= item.job.tries:
            await self._park(delivery, reason_of(exc) or "failed")
        else:
            delay_s = min(_FIRST_DELAY_S * 2 ** (delivery.tries - 1), _LONGEST_DELAY_S)
            await self._call(lambda: self._consumer.retry(delivery, delay_s=delay_s))
            self.counts.retried += 1

    async def _park(self, delivery: Delivery, reason: str) -> None:
        log.error("message %d of lane %s is parked: %s", delivery.message.id, delivery.message.lane, reason)
        await self._call(lambda: self._consumer.park(delivery, reason=reason))
        self.counts.parked += 1

    async def _call(self, call: Callable[[], Awaitable[None]]) -> None:
        """Tell the queue, again and again while it is away. When we stop before, the message comes again."""
        pause_s = _FIRST_DELAY_S
        while True:
            try:
                return await call()
            except Unavailable:
                log.warning("the queue cannot be told of finished work, trying again in %.1f s", pause_s)
            try:
                async with asyncio.timeout(pause_s):
                    await self.stopping.wait()
                return None
            except TimeoutError:
                pause_s = min(pause_s * 2, _LONGEST_AWAY_S)
