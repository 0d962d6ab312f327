"""Tasks for a later time, as rows of `timers`.

Box: social.
"""

from townsquare.model.tasks import AnyTask, encode_task
from townsquare.social.ports import Ports
from townsquare.store.port import Put
from townsquare.store.tables import TIMERS, TimerRow

SHARDS = 16


def timer(ports: Ports, task: AnyTask, *, due_ms: int) -> Put[TimerRow]:
    """The write that makes the task due at that time; it belongs in the same commit as what it is about."""
    timer_id = ports.new_id()
    row = TimerRow(
        shard=(timer_id >> 4) % SHARDS,
        minute=due_ms // 60_000,
        due_ms=due_ms,
        timer_id=timer_id,
        task=encode_task(task),
    )
    return Put(TIMERS, row)
