"""The outbox: what an act leaves to the workers is durable with the act, then goes to the queue.

Box: social. The queue is fed from here only. A task may come twice, and one whose act was never committed may come too:
tasks work from the rows, so neither does harm.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

import msgspec

from townsquare.kit.clock import Clock
from townsquare.kit.request_id import REQUEST_ID
from townsquare.model.errors import Unavailable
from townsquare.model.tasks import AnyTask, DeleteMedia, Task, decode_task, encode_task
from townsquare.queue.port import Message, Queue
from townsquare.store.port import Delete, Put, Store, Write
from townsquare.store.tables import CURSORS, OUTBOX, CursorRow, OutboxRow
from townsquare.store.together import all_of

SHARDS = 16
MOST_TASKS = 16  # of one act: a message's id is the act's with four bits more
TICK_MS = 10_000
RELAY_AGE_MS = 3_000  # what is younger is still in the hands of the process that wrote it
_KEPT_TICKS = 2 * 86_400_000 // TICK_MS  # older rows have expired
_SETTLED_MS = 60_000  # ticks older than this get no new rows
_DELETE_S = 1.0  # less than the relay's patience

log = logging.getLogger(__name__)


class Outbox:
    """Commits acts with their tasks, and hands the tasks to the queue behind the answer's back."""

    def __init__(
        self, store: Store, queue: Queue, new_id: Callable[[], int], *, without: Collection[type[Task]] = ()
    ) -> None:
        """`without`: tasks of these types are forgotten."""
        self._store, self._queue, self._new_id, self._without = store, queue, new_id, frozenset(without)
        self._waiting: list[OutboxRow] = []
        self._given: list[OutboxRow] = []  # in the queue, but still in the store
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()  # so that a flush ends after those begun before it
        self._running: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """How many acts the queue does not have yet."""
        return len(self._waiting)

    async def commit(
        self,
        *steps: Sequence[Write],
        tasks: Sequence[AnyTask] = (),
        at: int | None = None,
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Do the steps (see `Store.write`: the last one is the commit point), with the tasks durable before it.

        `settle` is done behind the steps and before the tasks are handed on.

        Raises: Unavailable; then a repeat is safe.
        """
        if self._without:
            tasks = [task for task in tasks if type(task) not in self._without]
        if not tasks:
            if steps:
                await self._store.write(*steps, at=at)
            if settle is not None:
                await settle()
            return
        if len(tasks) > MOST_TASKS:
            raise ValueError(f"an act may leave {MOST_TASKS} tasks, not {len(tasks)}")
        event_id, request = self._new_id(), REQUEST_ID.get()
        row = OutboxRow(
            shard=(event_id >> 4) % SHARDS,
            tick=(event_id >> 16) // TICK_MS,
            event_id=event_id,
            tasks=tuple(encode_task(task, request=request) for task in tasks),
        )
        await self._store.write(
            [Put(OUTBOX, row), *(steps[0] if len(steps) > 1 else ())], *(steps[1:] if len(steps) > 1 else steps), at=at
        )
        if settle is not None:
            await settle()
        self._waiting.append(row)
        self._wake.set()

    async def leave(self, tasks: Sequence[AnyTask], *, then: Sequence[Write] = ()) -> None:
        """Leave tasks of whatever number, as several acts where they are many; `then` write these rows, with the last.

        Raises: Unavailable; then a repeat is safe.
        """
        groups = [tasks[start : start + MOST_TASKS] for start in range(0, len(tasks), MOST_TASKS)]
        last = groups.pop() if groups and then else ()
        await all_of(self.commit(tasks=group) for group in groups)  # at once, so that they share commits to disk
        if then:
            await self.commit(then, tasks=last)

    async def start(self) -> None:
        """Begin to send."""
        self._running = [
            asyncio.create_task(self._send_for_ever(), name="outbox"),
            asyncio.create_task(self._delete_for_ever(), name="outbox deletes"),
        ]

    async def close(self) -> None:
        """Send what waits, then stop."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running = []
        await self.flush()
        await self._delete_sent()

    async def flush(self) -> None:
        """Give the queue all that waits now. What the queue cannot take stays for the relay."""
        async with self._lock:
            rows, self._waiting = self._waiting, []
            if not rows:
                return
            try:
                await self._queue.put(_messages(rows))
                self._given += rows
            except Unavailable:
                log.warning("the queue cannot take %d events now; the relay will bring them", len(rows))

    async def _send_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.flush()

    async def _delete_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_DELETE_S)
            await self._delete_sent()

    async def _delete_sent(self) -> None:
        """Delete what the queue holds; a second's worth at a time, as only the relay would look at it."""
        rows, self._given = self._given, []
        try:
            await _forget(self._store, self._queue, rows)
        except Unavailable:
            log.warning("%d events that were sent cannot be deleted; the relay will bring them again", len(rows))


def _messages(rows: Sequence[OutboxRow]) -> list[Message]:
    return [_message(body, (row.event_id << 4) | n) for row in rows for n, body in enumerate(row.tasks)]


def _message(body: bytes, message_id: int) -> Message:
    try:
        task = decode_task(body)
    except msgspec.DecodeError:
        # Written by another version: the workers park it where the operator sees it, and others are not held up.
        return Message(lane=DeleteMedia.lane, key=0, id=message_id, body=body)
    return Message(lane=task.lane, key=task.key(), id=message_id, body=body)


async def _forget(store: Store, queue: Queue, rows: Sequence[OutboxRow]) -> None:
    """Delete these rows; not before the queue has them for good, or a power cut would lose them."""
    if not rows:
        return
    await queue.sync()
    await store.write([Delete(OUTBOX, (row.shard, row.tick, row.event_id)) for row in rows])


async def send(store: Store, queue: Queue, rows: Sequence[OutboxRow]) -> None:
    """Put the rows' tasks into the queue, then delete the rows.

    Raises: Unavailable; then a repeat is safe.
    """
    if rows:
        await queue.put(_messages(rows))
        await _forget(store, queue, rows)


async def relay(store: Store, queue: Queue, clock: Clock) -> int:
    """Send what a process that died left behind; how many events. Run by one process, every few seconds."""
    now_tick = clock.now_ms() // TICK_MS
    cursor = await store.get(CURSORS, ("outbox",))
    tick = max(cursor.position, now_tick - _KEPT_TICKS) if cursor else now_tick - 360  # a new store: an hour will do
    first_tick, sent = tick, 0
    newest_id = (clock.now_ms() - RELAY_AGE_MS) << 16
    while tick <= now_tick:
        await asyncio.sleep(0)  # after days without a server there are many
        lists = await store.range_many(OUTBOX, [(shard, tick) for shard in range(SHARDS)], limit=10_000)
        left = [row for rows in lists for row in rows if row.event_id < newest_id]
        await send(store, queue, left)
        sent += len(left)
        tick += 1
    settled = (clock.now_ms() - _SETTLED_MS) // TICK_MS
    if settled > first_tick or cursor is None:
        await store.write([Put(CURSORS, CursorRow(name="outbox", position=max(first_tick, settled)))])
    return sent
