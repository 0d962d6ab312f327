"""The cleanup lane: statuses and follows of accounts that were deleted.

Box: workers. What shows is gone already, by the account's own row; here the rest follows, page by page.
"""

from townsquare.kit.snowflake import month_of
from townsquare.model.tasks import DeleteStatuses, EraseFacts
from townsquare.social.follows import end_all
from townsquare.social.ports import Ports
from townsquare.social.statuses import remove
from townsquare.social.timers import timer
from townsquare.store.accounts import MOST_MONTHS
from townsquare.store.statuses import get_statuses
from townsquare.store.tables import AUTHOR_LOG, AUTHOR_MONTHS
from townsquare.workers.jobs import Job, Jobs

_PAGE = 100
_ERASED_AGAIN_MS = 6 * 3_600_000


async def delete_statuses(task: DeleteStatuses, ports: Ports) -> None:
    """Delete one page of an account's statuses with their media, then leave the rest to a task of its own; after
    the last one end its follows."""
    await ports.feeds.drop([task.account_id])
    below = task.below or None
    months = await ports.store.range(AUTHOR_MONTHS, (task.account_id,), limit=MOST_MONTHS)
    for month in (row.month for row in months if below is None or row.month <= month_of(below)):
        rows = await ports.store.range(AUTHOR_LOG, (task.account_id, month), below=below, limit=_PAGE)
        for status in await get_statuses(ports.store, [row.status_id for row in rows]) if rows else []:
            if status is not None and not status.deleted:
                await remove(ports, status, delete_media=True)
        if rows:
            # This month again from below here, then the older ones.
            await ports.outbox.commit(tasks=[DeleteStatuses(task.account_id, below=rows[-1].status_id)])
            return
    await end_all(ports, task.account_id)
    # Once more later: facts of what was removed here may still be on their way.
    later = timer(ports, EraseFacts(task.account_id), due_ms=ports.clock.now_ms() + _ERASED_AGAIN_MS)
    await ports.outbox.commit([later], tasks=[EraseFacts(task.account_id)])


JOBS: Jobs = {DeleteStatuses: Job(delete_statuses, timeout_s=120)}
