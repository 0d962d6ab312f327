"""Leave again the work that was in a queue which is lost.

Box: workers. Home timelines need nothing: a ring that is not there is made from the logs at the first read.
"""

from collections.abc import Callable, Iterable, Sequence

from townsquare.kit.snowflake import ms_of
from townsquare.model.account import Account
from townsquare.model.status import Media, Status
from townsquare.model.tasks import (
    AnyTask,
    ApplyBlock,
    ApplyFollow,
    ApplyReaction,
    CountReply,
    CountStatus,
    CountVote,
    DeleteStatuses,
    FetchCard,
    NotifyMentions,
    ProcessMedia,
)
from townsquare.social.ports import Ports
from townsquare.store.follows import ON
from townsquare.store.tables import (
    ACCOUNTS,
    FOLLOWERS,
    FOLLOWING,
    MEDIA,
    MINE,
    RELATIONS,
    STATUSES,
    FollowingRow,
    MineRow,
    RelationRow,
)
from townsquare.store.walk import pages

Progress = Callable[[str, int], None]  # of what, how many are done

_TASKS_AT_ONCE = 512  # given to the outbox


async def redo(ports: Ports, since_ms: int, progress: Progress) -> int:
    """Leave in the outbox the work on all that was done since then, as some of it may not have been finished; how many
    tasks. Each is harmless where it was."""
    tasks = _Tasks(ports)
    async for accounts in pages(ports.store, ACCOUNTS):
        await tasks.add(_of_account(account) for account in accounts)
    async for statuses in pages(ports.store, STATUSES):
        await tasks.add(
            _of_status(each) for each in statuses if each.deleted or max(each.created_ms, each.edited_ms) >= since_ms
        )
        progress("unfinished work", tasks.n)
    async for media in pages(ports.store, MEDIA):
        await tasks.add(_of_media(each) for each in media)
    async for acts in pages(ports.store, MINE):
        await tasks.add(_of_act(act) for act in acts if act.at_ms >= since_ms)
        progress("unfinished work", tasks.n)
    async for follows in pages(ports.store, FOLLOWING):
        await tasks.add(await _of_follows(ports, follows, since_ms))
        progress("unfinished work", tasks.n)
    async for relations in pages(ports.store, RELATIONS):
        await tasks.add(_of_relation(each) for each in relations if ms_of(each.at_id) >= since_ms)
    await tasks.commit()
    return tasks.n


class _Tasks:
    """What is gathered for the outbox."""

    def __init__(self, ports: Ports) -> None:
        self._ports, self._waiting, self.n = ports, list[AnyTask](), 0

    async def add(self, lists: Iterable[Sequence[AnyTask]]) -> None:
        self._waiting += [task for tasks in lists for task in tasks]
        if len(self._waiting) >= _TASKS_AT_ONCE:
            await self.commit()

    async def commit(self) -> None:
        tasks, self._waiting = self._waiting, []
        await self._ports.outbox.leave(tasks)
        self.n += len(tasks)


def _of_account(account: Account) -> list[AnyTask]:
    return [DeleteStatuses(account_id=account.account_id)] if account.deleted else []


def _of_status(status: Status) -> list[AnyTask]:
    tasks: list[AnyTask] = [CountStatus(status.author, status.status_id)]
    if status.reply_to and status.root:
        tasks.append(CountReply(status.root, status.status_id))
    if not status.deleted and not status.boost_of:
        tasks.append(NotifyMentions(status.status_id, status.author))
    if status.card:
        tasks.append(FetchCard(status.status_id))
    return tasks


def _of_media(media: Media) -> list[AnyTask]:
    return [ProcessMedia(media.media_id)] if media.state == "pending" else []


def _of_act(act: MineRow) -> list[AnyTask]:
    if act.kind in ("favourite", "reblog"):
        return [ApplyReaction(act.status_id, act.account_id, act.kind)]
    return [CountVote(act.status_id, act.account_id)] if act.kind == "vote" else []


async def _of_follows(ports: Ports, rows: Sequence[FollowingRow], since_ms: int) -> list[list[AnyTask]]:
    """Those whose other side is not in line with them, and those that are new: their notices may be missing."""
    sides = await ports.store.get_many(FOLLOWERS, [(row.target, row.bucket, row.account_id) for row in rows])
    return [
        [ApplyFollow(follower=row.account_id, target=row.target)]
        for row, side in zip(rows, sides, strict=True)
        if ms_of(row.since_id) >= since_ms or (side is not None and side.on) != (row.state == ON)
    ]


def _of_relation(row: RelationRow) -> list[AnyTask]:
    return [ApplyBlock(account_id=row.account_id, target=row.other)] if row.kind == "block" else []
