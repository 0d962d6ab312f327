"""A job: how one type of task is done. Each family of handlers has its `JOBS: dict[type[Task], Job]` beside them.

Box: workers.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from townsquare.model.tasks import Task
from townsquare.social.ports import Ports

Handler = Callable[[Any, Ports], Awaitable[None]]  # one task, or a list of tasks for a batch


@dataclass(frozen=True, slots=True)
class Job:
    """How one type of task is done. The handler may run twice for a task, so its effect is by the task's id or keys."""

    handler: Handler
    _: KW_ONLY
    tries: int = 5  # then the message is parked
    timeout_s: float = 30.0  # for one call of the handler
    batch: bool = False  # the handler takes a list: all tasks of its type that came together

    async def run(self, tasks: Sequence[Task], ports: Ports) -> None:
        """Do the tasks: one, or several if this is a batch."""
        await self.handler(list(tasks) if self.batch else tasks[0], ports)


Jobs = Mapping[type[Task], Job]
