"""The notify lane: notices and direct conversations.

Box: workers.
"""

import msgspec

from townsquare.model.account import Visibility
from townsquare.model.paging import Window
from townsquare.model.status import Status
from townsquare.model.tasks import Notify, NotifyMentions, PollEnded
from townsquare.social.conversations import note_status
from townsquare.social.notifications import settle_notice
from townsquare.social.ports import Ports
from townsquare.store.kept import kept_rows
from townsquare.store.reactions import buckets_of
from townsquare.store.relations import relation_page
from townsquare.store.tables import POLL_VOTES, REACTIONS, STATUSES
from townsquare.workers.jobs import Job, Jobs

_PAGE = 500


async def notify(task: Notify, ports: Ports) -> None:
    """Bring one notice into line with what it tells of. Safe to run twice."""
    await settle_notice(ports, task)
    if task.kind == "follow":  # a request of the same time has become it, or ended with it
        await settle_notice(ports, msgspec.structs.replace(task, kind="follow_request"))


async def notify_mentions(task: NotifyMentions, ports: Ports) -> None:
    """Tell those whom a status names, those who asked to hear of its author, and after an edit those who boosted it."""
    status = await ports.store.get(STATUSES, (task.status_id,))
    if status is None or status.deleted or status.boost_of:
        return
    named = {m.account_id for m in status.mentions if not m.silent and not m.domain}
    for recipient in sorted(named):
        await settle_notice(ports, _about(status, recipient, "mention", status.created_ms))
    if status.visibility is Visibility.DIRECT:
        await note_status(ports, status)
        return
    if not status.reply_to or status.reply_to_author == status.author:
        await _tell_subscribers(ports, status, named)
    if status.edited_ms:
        await _tell_boosters(ports, status)


def _about(status: Status, recipient: int, kind: str, at_ms: int) -> Notify:
    return Notify(recipient=recipient, actor=status.author, kind=kind, status_id=status.status_id, at_ms=at_ms)


async def _tell_subscribers(ports: Ports, status: Status, named: set[int]) -> None:
    """Those who follow the author and asked for a notice of each status; who is named has one already."""
    below = None
    while True:
        window = Window(below=below, limit=_PAGE)
        rows = await relation_page(ports.store, status.author, "notify", window, ports.clock.now_ms())
        for row in rows:
            if row.other not in named:
                await settle_notice(ports, _about(status, row.other, "status", status.created_ms))
        if len(rows) < _PAGE:
            return
        below = rows[-1].other


async def _tell_boosters(ports: Ports, status: Status) -> None:
    """Those who boosted a status that was edited."""
    for bucket in range(len(await buckets_of(ports.store, status.status_id))):
        rest, place = Window(forward=True, limit=_PAGE), (status.status_id, bucket)
        while rows := await kept_rows(ports.store, REACTIONS, place, rest, lambda row: row.on, within=("reblog",)):
            for row in rows:
                await settle_notice(ports, _about(status, row.account_id, "update", status.edited_ms))
            rest = rest.beyond(rows[-1].account_id)


async def poll_ended(task: PollEnded, ports: Ports) -> None:
    """Tell the author and the voters that a poll is over; before its end nothing."""
    status = await ports.store.get(STATUSES, (task.poll_id,))
    if status is None or status.deleted or status.poll is None or status.poll.expires_ms is None:
        return
    at_ms = status.poll.expires_ms
    if at_ms > ports.clock.now_ms():
        return
    await settle_notice(ports, _about(status, status.author, "poll", at_ms))
    above = None
    while True:
        rows = await ports.store.range(POLL_VOTES, (task.poll_id,), above=above, limit=_PAGE)
        for row in rows:
            if row.voter != status.author:
                await settle_notice(ports, _about(status, row.voter, "poll", at_ms))
        if len(rows) < _PAGE:
            return
        above = rows[-1].voter


JOBS: Jobs = {
    Notify: Job(notify),
    NotifyMentions: Job(notify_mentions, timeout_s=300),
    PollEnded: Job(poll_ended, timeout_s=300),
}
