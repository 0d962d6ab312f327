"""The facts lane: what happened, into the analytics, in as few calls as come together; and what is told by the clock.

Box: workers.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from townsquare.model.facts import DAY_MS, KINDS, Fact, fact_id
from townsquare.model.tasks import EraseFacts, RecordFacts
from townsquare.social.facts_desk import MINUTE_MS
from townsquare.social.facts_rebuild import places
from townsquare.social.ports import Ports
from townsquare.social.pseudonyms import forget_keys
from townsquare.workers.jobs import Job, Jobs
from townsquare.workers.lanes import LANES
from townsquare.workers.schedule import Periodic
from townsquare.workers.work import LaneCounts

_IDLE_MINUTES = 10  # lanes where nothing waits are told of every so often


async def record_facts(tasks: Sequence[RecordFacts], ports: Ports) -> None:
    """Add the facts of all these tasks; a fact that is told again changes nothing."""
    facts = [fact for task in tasks for fact in task.facts]
    for place in await places(ports):
        await place.put(facts)


async def erase_facts(task: EraseFacts, ports: Ports) -> None:
    """Forget all facts about an account, and what was told under such pseudonyms of it as are still known."""
    names = await ports.pseudonyms.living(ports.store, ports.clock, task.account_id)
    await ports.analytics.erase([task.account_id, *names])


JOBS: Jobs = {RecordFacts: Job(record_facts, batch=True), EraseFacts: Job(erase_facts, timeout_s=300)}


# By the clock ---------------------------------------------------------------------------------------------------------


async def note_queue(ports: Ports) -> None:
    """How long the oldest message of each lane waits."""
    now_ms = ports.clock.now_ms()
    minute = now_ms // MINUTE_MS
    oldest = {depth.lane: depth.oldest_ms for depth in await ports.queue.depths()}
    for lane in LANES:
        since_ms = oldest.get(lane.name)
        if since_ms is not None or minute % _IDLE_MINUTES == 0:
            age_ms = max(0, now_ms - since_ms) if since_ms is not None else 0
            ports.facts.note(_measured("queue_age", minute * MINUTE_MS, lane.name, age_ms))


async def note_storage(ports: Ports) -> None:
    """How much the facts take, and the store where it is a file of this machine."""
    hour_ms = ports.clock.now_ms() // (60 * MINUTE_MS) * 60 * MINUTE_MS
    sizes = {"facts": (await ports.analytics.coverage()).bytes}
    if ports.settings.store.startswith("sqlite:"):
        sizes["store"] = await asyncio.to_thread(_bytes_of, ports.settings.path(ports.settings.store))
    for what, size in sizes.items():
        if size:
            ports.facts.note(_measured("storage", hour_ms, what, size))


def _bytes_of(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _measured(kind: str, at_ms: int, label: str, amount: int) -> Fact:
    return Fact(id=fact_id(kind, label, at_ms), kind=kind, at_ms=at_ms, amount=amount, label=label)


async def expire_facts(ports: Ports) -> None:
    """Forget the facts whose time is over."""
    now_ms = ports.clock.now_ms()
    for days in sorted({kind.days for kind in KINDS.values() if kind.days}):
        kinds = [name for name, kind in KINDS.items() if kind.days == days]
        await ports.analytics.expire(kinds, now_ms - days * DAY_MS)


async def forget_names(ports: Ports) -> None:
    """Delete the keys of pseudonyms whose day, week or month is over."""
    await forget_keys(ports.store, ports.clock)


PERIODIC: tuple[Periodic, ...] = (
    Periodic(name="queue_age", every_s=60.0, handler=note_queue),
    Periodic(name="storage", every_s=3_600.0, handler=note_storage),
    Periodic(name="fact_keys", every_s=1_800.0, handler=forget_names),
    Periodic(name="facts", every_s=86_400.0, handler=expire_facts),
)


class LaneFaults:
    """The failed tries in a process's lanes, as facts."""

    def __init__(self, lanes: Mapping[str, LaneCounts], process: int) -> None:
        self._lanes, self._process = lanes, process
        self._failed: Counter[str] = Counter()

    def __call__(self, minute_ms: int) -> list[Fact]:
        """Those since it was asked before."""
        failed = Counter({lane: counts.failed for lane, counts in self._lanes.items()})
        new, self._failed = failed - self._failed, failed
        return [
            Fact(
                id=fact_id("error", self._process, minute_ms, lane), kind="error", at_ms=minute_ms, value=n, label=lane
            )
            for lane, n in new.items()
        ]
