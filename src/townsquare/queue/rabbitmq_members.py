"""Which processes take part, and what they have in their hands: they tell each other over one exchange.

Box: queue. This only shares the work out evenly, and counts what is out; that no two have a partition, and that a dead
one's messages go to others at once, is RabbitMQ's own doing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec
from pamqp import commands

from townsquare.queue.rabbitmq_line import Line
from townsquare.queue.rabbitmq_names import Layout
from townsquare.wire.amqp_channel import Channel
from townsquare.wire.amqp_frames import route

BEAT_S = 2.0
_GONE_AFTER_S = 7.0
_ANSWERS_WITHIN_S = 0.5

Held = Mapping[str, tuple[int, int | None]]  # per lane: messages in hand, when the oldest was put


class _Word(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one process tells all others, or answers one."""

    process: int
    consumers: dict[str, list[int]]  # per lane
    answer_to: str = ""  # the queue of one who asks what is held
    question: int = 0
    held: dict[str, tuple[int, int | None]] | None = None


class Members:
    """The processes that take part. `mine` and `held` say what this one does; `changed` hears of others."""

    def __init__(
        self,
        takes: Line,
        puts: Line,
        layout: Layout,
        *,
        process: int,
        mine: Callable[[], dict[str, list[int]]],
        held: Callable[[], dict[str, tuple[int, int | None]]],
        changed: Callable[[], None],
    ) -> None:
        self._takes, self._puts, self._layout, self._process = takes, puts, layout, process
        self._mine, self._held, self._changed = mine, held, changed
        self._others = dict[int, tuple[float, dict[str, list[int]]]]()
        self._channel: Channel | None = None
        self._name = ""
        self._joining = asyncio.Lock()
        self._question, self._answers = 0, dict[int, Held]()
        self._answered = asyncio.Event()
        self._all = route(layout.members, "", mandatory=False)

    def present(self) -> dict[str, list[int]]:
        """All consumers, per lane."""
        found = {lane: list(consumers) for lane, consumers in self._mine().items()}
        for _, consumers in self._others.values():
            for lane, some in consumers.items():
                found.setdefault(lane, []).extend(some)
        return found

    async def join(self) -> None:
        """Hear others. Raises: Unavailable."""
        async with self._joining:
            if self._channel is not None and self._channel.over is None:
                return
            channel = await (await self._takes.connection()).channel()
            declared = await channel.ask(commands.Queue.Declare(queue="", exclusive=True, auto_delete=True))
            name = (declared.queue or "") if isinstance(declared, commands.Queue.DeclareOk) else ""
            await channel.ask(commands.Queue.Bind(queue=name, exchange=self._layout.members, routing_key=""))
            await channel.consume(name, lambda tag, body: self._hear(channel, tag, body), prefetch=1000)
            self._channel, self._name = channel, name
            await self._puts.plain()  # by which we speak

    def beat(self) -> None:
        """Show that we live, and forget those who do not."""
        self._tell(_Word(process=self._process, consumers=self._mine()))
        now_s = asyncio.get_running_loop().time()
        gone = [process for process, (at_s, _) in self._others.items() if now_s - at_s > _GONE_AFTER_S]
        for process in gone:
            del self._others[process]
        if gone:
            self._changed()

    async def ask(self, expected: Mapping[str, int]) -> list[Held]:
        """What other processes hold, from as many as have the expected number of consumers. Raises: Unavailable."""
        await self.join()
        self._question += 1
        self._answers.clear()
        self._tell(_Word(process=self._process, consumers=self._mine(), answer_to=self._name, question=self._question))
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                while not self._have(expected):
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            pass  # one of them died or is busy: what it holds is not counted
        return list(self._answers.values())

    def _have(self, expected: Mapping[str, int]) -> bool:
        answered: Iterable[int] = self._answers
        present = [self._others[process][1] for process in answered if process in self._others]
        return all(sum(len(one.get(lane, ())) for one in present) >= count for lane, count in expected.items())

    def _tell(self, word: _Word) -> None:
        self._puts.tell(self._all, msgspec.msgpack.encode(word))

    def _hear(self, channel: Channel, tag: int, body: bytes) -> None:
        channel.ack(tag)
        try:
            word = msgspec.msgpack.decode(body, type=_Word)
        except msgspec.DecodeError:
            return
        if word.process == self._process:
            return
        before = self._others.get(word.process)
        self._others[word.process] = asyncio.get_running_loop().time(), word.consumers
        if (before[1] if before else {}) != word.consumers:
            self._changed()
            if before is None and word.consumers:
                self.beat()  # so that a new one knows us at once
        if word.answer_to:
            answer = _Word(process=self._process, consumers=self._mine(), question=word.question, held=self._held())
            self._puts.tell(route("", word.answer_to, mandatory=False), msgspec.msgpack.encode(answer))
        elif word.held is not None and word.question == self._question:
            self._answers[word.process] = word.held
            self._answered.set()
