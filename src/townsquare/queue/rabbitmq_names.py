"""What of ours lies in RabbitMQ: per lane a queue for each partition, its note, three for later, one for the parked.

Box: queue. Source: RabbitMQ, /docs/queues, /docs/consumers#single-active-consumer, /docs/maxlength.
"""

from collections.abc import Iterator

import msgspec
from pamqp import commands
from pamqp.base import Frame
from pamqp.common import FieldTable

from townsquare.wire.amqp import Address
from townsquare.wire.amqp_frames import route

LATER_S = (4.0, 64.0)  # delays up to these wait in one queue each, longer ones in a third
_NO_LIMIT = 1_000_000_000  # of deliveries: the tries are counted here
_KINDS = ("classic", "quorum")
_PARTITIONS = range(1, 257)
_PREFETCH = range(1, 2001)


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue is laid out, the same for all processes that share it."""

    prefix: str = "townsquare"
    partitions: int = 8
    kind: str = "classic"
    prefetch: int = 64  # messages of one partition in one consumer's hands

    @classmethod
    def of(cls, address: Address) -> "Layout":
        """From what follows the `?` of a URL. Raises: ValueError with a sentence that says what is wrong."""
        options = dict(address.options)
        prefix = options.pop("prefix", "townsquare")
        kind = options.pop("type", "classic")
        partitions = _number(options.pop("partitions", None), 8, _PARTITIONS, "partitions")
        prefetch = _number(options.pop("prefetch", None), 64, _PREFETCH, "prefetch")
        if options:
            raise ValueError(f"The setting queue knows no {', '.join(sorted(options))} in the address of RabbitMQ.")
        if kind not in _KINDS or not prefix or len(prefix) > 100:
            raise ValueError("The setting queue: type is classic or quorum, and prefix a short name.")
        return cls(prefix=prefix, partitions=partitions, kind=kind, prefetch=prefetch)

    @property
    def members(self) -> str:
        """The exchange by which processes hear of each other."""
        return f"{self.prefix}.members"

    @property
    def operator(self) -> str:
        """A queue that is there while somebody looks through parked messages."""
        return f"{self.prefix}.operator"

    def partition(self, lane: str, number: int) -> str:
        """The queue of one partition."""
        return f"{self.prefix}.{lane}.{number}"

    def note(self, lane: str, number: int) -> str:
        """The queue of one message, that says what of a partition is out."""
        return f"{self.prefix}.{lane}.{number}.note"

    def parked(self, lane: str) -> str:
        """The queue of what failed too often."""
        return f"{self.prefix}.{lane}.parked"

    def laters(self, lane: str) -> list[str]:
        """The queues of what is to come later, by delay."""
        return [f"{self.prefix}.{lane}.later{number}" for number in range(len(LATER_S) + 1)]

    def later(self, lane: str, delay_s: float) -> str:
        """The queue for a delay."""
        return self.laters(lane)[sum(delay_s > most for most in LATER_S)]

    def foundation(self) -> list[Frame]:
        """Declarations of what all lanes share. The first is refused where others cut lanes otherwise."""
        guard: FieldTable = {"x-max-length": self.partitions, "x-queue-type": "classic"}
        return [
            commands.Queue.Declare(queue=f"{self.prefix}.partitions", durable=True, arguments=guard),
            commands.Exchange.Declare(exchange=self.members, exchange_type="fanout", durable=True),
        ]

    def lane(self, lane: str) -> Iterator[Frame]:
        """Declarations of all queues of a lane."""
        for number in range(self.partitions):
            yield self._declare(self.partition(lane, number), alone=True)
            note: FieldTable = {"x-max-length": 1, "x-overflow": "drop-head", "x-queue-type": "classic"}
            yield commands.Queue.Declare(queue=self.note(lane, number), durable=True, arguments=note)
        for name in self.laters(lane):
            yield self._declare(name, alone=True)
        yield self._declare(self.parked(lane), alone=False)

    def _declare(self, name: str, *, alone: bool) -> Frame:
        arguments: FieldTable = {"x-queue-type": self.kind}
        if alone:
            arguments["x-single-active-consumer"] = True
        if self.kind == "quorum":
            arguments["x-delivery-limit"] = _NO_LIMIT
        return commands.Queue.Declare(queue=name, durable=True, arguments=arguments)


def to(queue: str) -> bytes:
    """The route to a queue; a message for one that is not there comes back."""
    return route("", queue, mandatory=True)


def _number(text: str | None, usual: int, allowed: range, name: str) -> int:
    if text is None:
        return usual
    if not text.isdecimal() or int(text) not in allowed:
        raise ValueError(f"The setting queue: {name} is a number from {allowed[0]} to {allowed[-1]}.")
    return int(text)
