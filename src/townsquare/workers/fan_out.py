"""The fan-out lane: new statuses into home timelines, and news of all changes onto open streams.

Box: workers. It reads rows and follower arrays, so its cost is a few reads a batch and one push a status and
10,000 followers. Doing a task twice pushes nothing twice; a status that was never committed goes nowhere.
"""

from collections.abc import Sequence

import numpy as np

from townsquare.feeds.port import Reason
from townsquare.model.events import StatusEvent, encode_event
from townsquare.model.status import Status
from townsquare.model.tasks import FanOutChange, FanOutStatus
from townsquare.social.audience import Audience, audiences, receivers
from townsquare.social.facts import delivery_fact
from townsquare.social.hydrate import drop_statuses
from townsquare.social.ports import Ports
from townsquare.store.statuses import get_statuses, log_rows
from townsquare.workers.jobs import Job, Jobs


async def fan_out_statuses(tasks: Sequence[FanOutStatus], ports: Ports) -> None:
    """Push new statuses into the home timelines of those whom they are for, and tell open streams."""
    made = list(dict.fromkeys((task.author, task.status_id) for task in tasks))
    logs = await log_rows(ports.store, made)
    rows = await get_statuses(ports.store, [status_id for _, status_id in made])
    standing = [row for log, row in zip(logs, rows, strict=True) if log and row and not row.deleted]
    if not standing:
        return
    answered = [row.reply_to_author for row in standing if _answers_another(row)]
    found = await audiences(ports, [*(row.author for row in standing), *answered])
    languages = await _languages(ports, standing, found)
    for row in standing:
        parent = found[row.reply_to_author] if _answers_another(row) else None
        # The author's own too: at the time of posting it may not have answered.
        await ports.feeds.push(np.array([row.author], np.int64), row.status_id, Reason.SELF)
        for accounts in receivers(row, found[row.author], parent, languages.get(row.boost_of, row.language)):
            await ports.feeds.push(accounts, row.status_id, Reason.FOLLOW)
        _tell(ports, row, "update")
        ports.facts.note(delivery_fact(row, ports.clock.now_ms()))


def _answers_another(row: Status) -> bool:
    return row.reply_to_author not in (0, row.author)


async def _languages(ports: Ports, rows: Sequence[Status], found: dict[int, Audience]) -> dict[int, str]:
    """The languages of boosted statuses, where any follower of the booster minds."""
    wanted = [row.boost_of for row in rows if row.boost_of and found[row.author].languages]
    originals = await get_statuses(ports.store, wanted) if wanted else []
    return {row.status_id: row.language for row in originals if row is not None}


async def fan_out_change(task: FanOutChange, ports: Ports) -> None:
    """Let no process show what a status was before it was edited or deleted, and tell open streams."""
    (row,) = await get_statuses(ports.store, [task.status_id])
    (log,) = await log_rows(ports.store, [(task.author, task.status_id)])
    await drop_statuses(ports, [task.status_id])
    if row is not None and row.deleted == task.deleted:
        _tell(ports, row, "delete" if row.deleted else "status.update", log.tags if log else ())


def _tell(ports: Ports, row: Status, change: str, tags: Sequence[str] | None = None) -> None:
    event = StatusEvent(
        change=change,
        status_id=row.status_id,
        author=row.author,
        visibility=row.visibility.value,
        tags=tuple(tag.lower() for tag in (row.tags if tags is None else tags)),
        mentions=tuple(mention.account_id for mention in row.mentions if not mention.domain),
        media=bool(row.media),
        reply_to_author=row.reply_to_author,
        boost_of=row.boost_of,
        root=row.root,
    )
    ports.streaming.publish(event.topic, encode_event(event))


JOBS: Jobs = {
    FanOutStatus: Job(fan_out_statuses, batch=True, tries=10),
    FanOutChange: Job(fan_out_change, tries=10),
}
