"""The facts lane: what happened, into the analytics, in as few calls as come together.

Box: workers.
"""

from collections.abc import Sequence

from townsquare.model.tasks import EraseFacts, RecordFacts
from townsquare.social.ports import Ports
from townsquare.workers.jobs import Job, Jobs


async def record_facts(tasks: Sequence[RecordFacts], ports: Ports) -> None:
    """Add the facts of all these tasks; a fact that is told again changes nothing."""
    await ports.analytics.put([fact for task in tasks for fact in task.facts])


async def erase_facts(task: EraseFacts, ports: Ports) -> None:
    """Forget all facts about an account, and what was told under such pseudonyms of it as are still known."""
    names = await ports.pseudonyms.living(ports.store, ports.clock, task.account_id)
    await ports.analytics.erase([task.account_id, *names])


JOBS: Jobs = {RecordFacts: Job(record_facts, batch=True), EraseFacts: Job(erase_facts, timeout_s=300)}
