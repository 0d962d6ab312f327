"""In which order the messages of one lane are worked on: equal keys one after another, others side by side.

Box: workers. Pure: it decides, the runner runs.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from townsquare.model.tasks import Task
from townsquare.queue.port import Delivery
from townsquare.workers.jobs import Job


@dataclass(frozen=True, slots=True)
class Item:
    """A message in our hands, read."""

    delivery: Delivery
    task: Task
    job: Job


@dataclass(slots=True, eq=False)
class Unit:
    """What one call of a handler does."""

    job: Job
    items: list[Item]
    keys: set[int] = field(default_factory=set)
    waits_for: int = 0  # units that must finish before
    followers: "list[Unit]" = field(default_factory=list)


class Order:
    """The units that are not finished. `ready`: those that may start now, oldest first."""

    def __init__(self) -> None:
        self.ready = deque[Unit]()
        self._last = dict[int, Unit]()  # the youngest unit with this key

    def add(self, items: Sequence[Item]) -> None:
        """Sort newly taken messages into units, behind all that are there."""
        for unit in _cut(items):
            before = {self._last[key] for key in unit.keys if key in self._last}
            for other in before:
                other.followers.append(unit)
            unit.waits_for = len(before)
            self._last.update(dict.fromkeys(unit.keys, unit))
            if not before:
                self.ready.append(unit)

    def finish(self, unit: Unit) -> None:
        """Let those go on that waited for it."""
        for key in unit.keys:
            if self._last.get(key) is unit:
                del self._last[key]
        for follower in unit.followers:
            follower.waits_for -= 1
            if not follower.waits_for:
                self.ready.append(follower)


def _cut(items: Sequence[Item]) -> list[Unit]:
    """Units in order. A message joins the batch of its type unless its key was touched after that batch began.

    What has failed before is done by itself, so that it cannot spoil a batch twice.
    """
    units = list[Unit]()
    touched, batches = dict[int, int](), dict[type[Task], int]()
    for item in items:
        key, kind = item.delivery.message.key, type(item.task)
        joins = item.job.batch and item.delivery.tries == 1
        at = batches.get(kind) if joins else None
        if at is None or touched.get(key, -1) > at:
            units.append(Unit(item.job, []))
            at = len(units) - 1
            if joins:
                batches[kind] = at
        units[at].items.append(item)
        units[at].keys.add(key)
        touched[key] = at
    return units
