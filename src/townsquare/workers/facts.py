"""The facts lane: what happened, into the analytics, in as few calls as come together.

Box: workers.
"""

from collections.abc import Sequence

from townsquare.model.tasks import RecordFacts
from townsquare.social.ports import Ports
from townsquare.workers.jobs import Job, Jobs


async def record_facts(tasks: Sequence[RecordFacts], ports: Ports) -> None:
    """Add the facts of all these tasks; a fact that is told again changes nothing."""
    await ports.analytics.put([fact for task in tasks for fact in task.facts])


JOBS: Jobs = {RecordFacts: Job(record_facts, batch=True)}
