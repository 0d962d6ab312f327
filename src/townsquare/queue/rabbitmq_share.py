"""One partition of a lane, as one consumer has it.

Box: queue. All consumers of a lane stand in line at each partition (a single active consumer), so RabbitMQ itself gives
it to the next one as soon as the first is gone. Whoever wants to go back in line closes the channel: then all that was
not acknowledged is in its place again before the next one is given anything.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Protocol

import msgspec
from pamqp import commands

from townsquare.model.errors import Invalid, Unavailable
from townsquare.queue.rabbitmq_line import Line
from townsquare.queue.rabbitmq_names import Layout
from townsquare.queue.rabbitmq_records import Record, cuts_of, pack_note, unpack
from townsquare.wire.amqp_channel import Channel, Refused
from townsquare.wire.amqp_frames import route


class Entry(msgspec.Struct):
    """A message in this process: it waits to be taken, or is out."""

    record: Record
    share: "Share"
    tag: int
    epoch: int  # of the share, in which the tag means something
    out: bool = False
    cuts: int = 0


class Owner(Protocol):
    """The consumer that a share belongs to."""

    id: int
    entries: dict[int, Entry]  # by the record's number, all that this process has
    layout: Layout

    def is_known(self, record: Record) -> bool:
        """Whether it is a repeat of what was given or done; if not, it is known from now on."""

    def tell(self) -> None:
        """There may be something to take."""


class Share:
    """A place in line at a partition."""

    def __init__(self, owner: Owner, line: Line, notes: Line, *, lane: str, number: int) -> None:
        self.lane, self.number, self._owner, self._line, self._notes = lane, number, owner, line, notes
        self._note_to = route("", owner.layout.note(lane, number), mandatory=False)
        self.waiting, self.out = deque[Entry](), dict[int, Entry]()
        self.epoch, self.noted = 0, dict[int, int]()  # cuts by number, of what somebody had before
        self._channel: Channel | None = None
        self._inheriting: asyncio.Task[None] | None = None
        self.has_come = self.ready = self._noted_out = False
        self._done, self._up_to = set[int](), 0  # tags finished above the first one that is not

    @property
    def up(self) -> bool:
        """Whether it stands in line."""
        return self._channel is not None and self._channel.over is None

    async def stand(self) -> None:
        """Stand in line, at the end. Raises: Unavailable."""
        connection = await self._line.connection()
        self._reset()
        self._channel = await connection.channel(ended=self._ended)
        epoch = self.epoch
        await self._channel.consume(
            self._owner.layout.partition(self.lane, self.number),
            lambda tag, body: self._given(tag, body, epoch),
            prefetch=self._owner.layout.prefetch,
        )

    async def first_look(self) -> None:
        """Wait until what this partition had for us at first is here. Raises: Unavailable."""
        for _ in range(2):  # the second answer comes behind what was given at the start
            if self._channel is not None:
                name = self._owner.layout.partition(self.lane, self.number)
                await self._channel.ask(commands.Queue.Declare(queue=name, passive=True))
        if self._inheriting is not None:
            await asyncio.wait([self._inheriting])

    async def leave(self) -> None:
        """Leave the line; all that is not finished goes back to its place. Raises: Unavailable."""
        channel, self._channel = self._channel, None
        self._reset()
        if channel is not None:
            await channel.close()

    def finish(self, entries: Iterable[Entry]) -> None:
        """Acknowledge."""
        tags = list[int]()
        for entry in entries:
            self.noted.pop(entry.record.number, None)
            if self.out.get(entry.record.number) is entry:
                del self.out[entry.record.number]
            if entry.epoch == self.epoch:
                tags.append(entry.tag)
        if tags:
            self._ack(tags)

    def write_note(self, *, ended: bool = False) -> None:
        """Say what is out; with `ended`, that nothing is. For whoever has this partition when we are dead."""
        if ended and not self._noted_out:
            return
        rest = [(n, False, cuts) for n, cuts in self.noted.items() if ended or n not in self.out]
        out = [] if ended else [(n, True, entry.cuts) for n, entry in self.out.items()]
        self._noted_out = bool(out)
        self._notes.tell(self._note_to, pack_note(self._owner.id, rest + out))

    def _reset(self) -> None:
        for entry in self.waiting:
            self._owner.entries.pop(entry.record.number, None)
        self.waiting.clear()
        self.epoch += 1
        self._done.clear()
        self._up_to = 0
        self.has_come = self.ready = False
        if self._inheriting is not None:
            self._inheriting.cancel()
            self._inheriting = None

    def _ended(self) -> None:
        self._reset()
        self._owner.tell()

    def _given(self, tag: int, data: bytes, epoch: int) -> None:
        if epoch != self.epoch:
            return
        if not self.has_come:
            self.has_come = True
            self._inheriting = asyncio.create_task(self._inherit(), name=f"take over {self.lane}.{self.number}")
        try:
            record = unpack(self.lane, data)
        except Invalid:
            self._ack([tag])
            return
        held = self._owner.entries.get(record.number)
        if held is not None and held.out and held.share is self and held.epoch != epoch:
            held.tag, held.epoch = tag, epoch  # it came again because the connection was lost; it is out still
            self.out[record.number] = held
        elif held is not None or self._owner.is_known(record):
            self._ack([tag])
        else:
            entry = Entry(record, self, tag, epoch)
            self._owner.entries[record.number] = entry
            self.waiting.append(entry)
            if self.ready:
                self._owner.tell()

    async def _inherit(self) -> None:
        """Read the note of whoever had this partition before; only then is anything of it given."""
        name = self._owner.layout.note(self.lane, self.number)
        try:
            found = await (await self._line.plain()).get(name, no_ack=True)
        except (Unavailable, Refused):
            found = None  # without a note nothing is counted
        if found is not None:
            self.noted = cuts_of(found[1], self._owner.id)
            if self.noted:
                self.write_note()
        self.ready = True
        self._owner.tell()

    def _ack(self, tags: list[int]) -> None:
        """Acknowledge tags, as few frames as may be: one for all up to the first that is not finished."""
        channel = self._channel
        if channel is None:
            return
        fresh = set(tags)
        self._done |= fresh
        last = 0
        while self._up_to + 1 in self._done:
            self._up_to += 1
            self._done.discard(self._up_to)
            if self._up_to in fresh:
                last = self._up_to
        if last:
            channel.ack(last, multiple=True)
        for tag in tags:
            if tag > last and tag > self._up_to:
                channel.ack(tag)
