"""The index lane: makes accounts, statuses and hashtags findable, or no longer.

Box: workers. Entries are made from the rows as they are when the task runs.
"""

from collections.abc import Sequence

from townsquare.kit.tags import normal_tag, tag_id
from townsquare.model.account import Account, Visibility
from townsquare.model.paging import Window
from townsquare.model.status import Status
from townsquare.model.tasks import IndexAccount, IndexAuthor, IndexStatus
from townsquare.search.port import Document
from townsquare.social.ports import Ports
from townsquare.store.author_log import log_page
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNT_STATS, ACCOUNTS, MEDIA, STATUSES, TAGS, TagRow
from townsquare.workers.jobs import Job

EVERYBODY = (0,)
_PAGE = 200  # statuses
_VERSION_BITS = 24  # of a status
_MS_BITS = 44  # of a time


async def index_status(task: IndexStatus, ports: Ports) -> None:
    """Make a status findable for those who may find it, or for nobody if it is gone. Safe to run twice."""
    status = await ports.store.get(STATUSES, (task.status_id,))
    author = await ports.store.get(ACCOUNTS, (status.author,)) if status else None
    if status is None or author is None or status.deleted or status.boost_of or author.is_gone:
        await ports.search.remove("status", [task.status_id])
        return
    words = [status.spoiler_text, status.text, *(status.poll.options if status.poll else ())]
    if status.media:
        words += [
            media.description
            for media in await ports.store.get_many(MEDIA, [(each,) for each in status.media])
            if media is not None
        ]
    document = Document(
        kind="status",
        id=status.status_id,
        words="\n".join(word for word in words if word),
        author=status.author,
        readers=readers(status, author),
        version=author.version << _VERSION_BITS | status.version,  # both say who may find it
    )
    await ports.search.put([document])
    if status.visibility is Visibility.PUBLIC:
        await _index_tags(ports, status.tags)


def readers(status: Status, author: Account) -> tuple[int, ...]:
    """Who may find a status: everybody where it is public and its author agreed; else the author and those named."""
    if status.visibility is Visibility.PUBLIC and author.indexable:
        return EVERYBODY
    return tuple(dict.fromkeys((status.author, *(mention.account_id for mention in status.mentions))))


async def _index_tags(ports: Ports, tags: Sequence[str]) -> None:
    """Add the hashtags that are new."""
    named = {name: tag for tag in tags if (name := normal_tag(tag)) is not None}
    rows = await ports.store.get_many(TAGS, [(tag_id(name),) for name in named]) if named else []
    new = [(name, shown) for (name, shown), row in zip(named.items(), rows, strict=True) if row is None]
    if not new:
        return
    await ports.search.put([Document(kind="tag", id=tag_id(name), words=name, name=name, version=0) for name, _ in new])
    # After the entry, so that a crash between the two leaves a row that is missing, and the next use adds both.
    await ports.store.write([Put(TAGS, TagRow(tag_id=tag_id(name), name=name, shown=shown)) for name, shown in new])


async def index_account(task: IndexAccount, ports: Ports) -> None:
    """Make an account findable by its names (and by its note if it wants to be discovered), or no longer."""
    account = await ports.store.get(ACCOUNTS, (task.account_id,))
    if account is None or account.is_gone:
        await ports.search.remove("account", [task.account_id])
        return
    now_ms = ports.clock.now_ms()
    stats = await ports.store.get(ACCOUNT_STATS, (task.account_id,))
    handle = f"{account.username}@{account.domain}" if account.domain else account.username
    words = [account.username, account.display_name]
    if account.discoverable:
        words += [account.note, *(field.value for field in account.fields)]
    document = Document(
        kind="account",
        id=account.account_id,
        words="\n".join(word for word in words if word),
        name=handle.lower(),
        weight=stats.followers if stats else 0,
        version=account.version << _MS_BITS | now_ms,  # the weight changes without the account
    )
    await ports.search.put([document])


async def index_author(task: IndexAuthor, ports: Ports) -> None:
    """Index one page of an account's statuses, then leave the rest to a task of its own. Safe to run twice."""
    window = Window(below=task.below or None, limit=_PAGE)
    rows, last = await log_page(ports.store, task.account_id, window, lambda row: not row.boost_of)
    for row in rows:
        await index_status(IndexStatus(row.status_id), ports)
    if last is not None:
        await ports.outbox.commit(tasks=[IndexAuthor(task.account_id, below=last)])


JOBS = {
    IndexStatus: Job(index_status),
    IndexAccount: Job(index_account),
    IndexAuthor: Job(index_author, timeout_s=120),
}
