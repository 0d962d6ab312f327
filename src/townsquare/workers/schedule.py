"""Work that comes with time: periodic tasks, and timers that have come due.

Box: workers. All processes offer to do it, the one that holds the lease does, and another takes over within ten
seconds of its end.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from townsquare.model.errors import Unavailable
from townsquare.model.tasks import decode_task
from townsquare.queue.port import Message
from townsquare.social import outbox, server_stats
from townsquare.social.ports import Ports
from townsquare.social.timers import SHARDS
from townsquare.store.port import Delete, Put
from townsquare.store.tables import CURSORS, LEASES, TIMERS, CursorRow, LeaseRow, TimerRow
from townsquare.workers.errors import reason_of

log = logging.getLogger(__name__)
_LEASE = "scheduler"
_UNREADABLE_LANE = "cleanup"
_LEASE_MS = 10_000
_RENEW_S = 3.0
_TICK_S = 0.5
_MINUTE_MS = 60_000
_SETTLED_MINUTES = 3  # minutes older than this get no new timers
_MINUTES_AT_ONCE = 30
_TIMERS_AT_ONCE = 200  # of one shard and minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """Something to do every so often, by one process. A handler that runs late or twice must do no harm."""

    name: str
    every_s: float
    handler: Callable[[Ports], Awaitable[None]]


async def bring_timers(ports: Ports) -> None:
    """Move the timers that have come due to the queue."""
    now_ms = ports.clock.now_ms()
    this_minute = now_ms // _MINUTE_MS
    cursor = await ports.store.get(CURSORS, ("timers",))
    first = min(cursor.position if cursor else this_minute - _MINUTES_AT_ONCE, this_minute - _SETTLED_MINUTES)
    last = min(first + _MINUTES_AT_ONCE, this_minute)
    partitions = [(shard, minute) for minute in range(first, last + 1) for shard in range(SHARDS)]
    full = True
    while full:
        lists = await ports.store.range_many(TIMERS, partitions, limit=_TIMERS_AT_ONCE)
        full = any(len(rows) == _TIMERS_AT_ONCE and rows[-1].due_ms <= now_ms for rows in lists)
        await _queue_timers(ports, [row for rows in lists for row in rows if row.due_ms <= now_ms])
    settled = min(last, this_minute - _SETTLED_MINUTES)
    if cursor is None or settled > cursor.position:
        await ports.store.write([Put(CURSORS, CursorRow(name="timers", position=settled))])


async def _queue_timers(ports: Ports, rows: Sequence[TimerRow]) -> None:
    if not rows:
        return
    await ports.queue.put([_message(row) for row in rows])
    await ports.queue.sync()  # before the rows go, or a power cut would lose them
    await ports.store.write([Delete(TIMERS, TIMERS.key(row)) for row in rows])


def _message(row: TimerRow) -> Message:
    try:
        task = decode_task(row.task)
    except msgspec.DecodeError:  # the runner will park it, for the operator to see
        return Message(lane=_UNREADABLE_LANE, key=row.timer_id, id=row.timer_id, body=row.task)
    return Message(lane=task.lane, key=task.key(), id=row.timer_id, body=row.task)


async def relay_outbox(ports: Ports) -> None:
    """Send what a process that died left in its outbox."""
    await outbox.relay(ports.store, ports.queue, ports.clock)


async def recount_server(ports: Ports) -> None:
    """Count the server's people and statuses for its own pages."""
    await server_stats.recount(ports)


PERIODIC: tuple[Periodic, ...] = (
    Periodic(name="timers", every_s=1.0, handler=bring_timers),
    Periodic(name="outbox", every_s=2.0, handler=relay_outbox),
    Periodic(name="server_stats", every_s=300.0, handler=recount_server),
)


class Scheduler:
    """One process's offer to do the periodic tasks. `owner` is its own among all processes."""

    def __init__(self, ports: Ports, periodic: Sequence[Periodic] = PERIODIC, *, owner: str) -> None:
        self._ports, self._periodic, self._owner = ports, periodic, owner
        self._lease: LeaseRow | None = None
        self._next_ms = dict[str, int]()
        self._running = dict[str, asyncio.Task[None]]()
        self._stopping = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Whether this process holds the lease now."""
        return self._lease is not None and self._lease.until_ms > self._ports.clock.now_ms()

    async def run(self) -> None:
        """Lead or stand by until `stop`; then give the lease back."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set():
                await self.tick(group)
                try:
                    async with asyncio.timeout(_TICK_S):
                        await self._stopping.wait()
                except TimeoutError:
                    continue
            for task in self._running.values():
                task.cancel()
        await self._give_back()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    async def tick(self, group: asyncio.TaskGroup) -> None:
        """Take or renew the lease if it is time; as the leader begin in `group` what is due."""
        try:
            await self._hold()
        except Unavailable as exc:
            log.warning("the scheduler's lease cannot be asked for (%s)", reason_of(exc))
        if not self.leads:
            return
        now_ms = self._ports.clock.now_ms()
        for periodic in self._periodic:
            running = self._running.get(periodic.name)
            if (running is None or running.done()) and self._is_due(periodic, now_ms):
                self._next_ms[periodic.name] = now_ms + int(periodic.every_s * 1000)
                self._running[periodic.name] = group.create_task(self._do(periodic), name=periodic.name)

    def _is_due(self, periodic: Periodic, now_ms: int) -> bool:
        next_ms = self._next_ms.get(periodic.name, now_ms)
        return next_ms <= now_ms or next_ms > now_ms + periodic.every_s * 1000  # the clock was set back

    async def _do(self, periodic: Periodic) -> None:
        try:
            await periodic.handler(self._ports)
        except Exception:
            log.exception("periodic task %s failed", periodic.name)

    async def _hold(self) -> None:
        now_ms = self._ports.clock.now_ms()
        wanted = LeaseRow(name=_LEASE, owner=self._owner, until_ms=now_ms + _LEASE_MS)
        held = self._lease
        if held is not None and held.until_ms - now_ms > _LEASE_MS - _RENEW_S * 1000:
            return
        self._lease = None
        if held is None:
            held = await self._ports.store.get(LEASES, (_LEASE,))
            if held is None and (held := await self._ports.store.slow_put_if_absent(LEASES, wanted)) is None:
                self._lease = wanted
                return
            is_free = held.owner == self._owner or held.until_ms <= now_ms or held.until_ms > now_ms + 2 * _LEASE_MS
            if not is_free:
                return
        if await self._ports.store.slow_compare_and_set(LEASES, held, wanted):
            self._lease = wanted

    async def _give_back(self) -> None:
        held, self._lease = self._lease, None
        if held is not None:
            try:
                ended = LeaseRow(name=_LEASE, owner=self._owner, until_ms=0)
                await self._ports.store.slow_compare_and_set(LEASES, held, ended)
            except Unavailable:
                log.warning("the scheduler's lease could not be given back; it ends by itself")
