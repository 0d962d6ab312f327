"""Preview cards of the links in statuses.

Box: workers.
"""

from townsquare.model.tasks import FetchCard, Task
from townsquare.social import cards
from townsquare.social.hydrate import drop_statuses
from townsquare.social.ports import Ports
from townsquare.store.tables import STATUSES
from townsquare.workers.jobs import Job


async def fetch_card(task: FetchCard, ports: Ports) -> None:
    """Fetch the card of a status's first link unless it is known, then let the status be shown with it.

    A status that is gone, or has no link any more, costs no request.
    """
    status = await ports.store.get(STATUSES, (task.status_id,))
    if status is None or status.deleted or not status.card:
        return
    await cards.refresh(ports, status.card)
    await drop_statuses(ports, [task.status_id])


JOBS: dict[type[Task], Job] = {FetchCard: Job(fetch_card, timeout_s=60.0)}
