"""The index lane: makes accounts, statuses and hashtags findable, or no longer.

Box: workers. Entries are made from the rows as they are when the task runs.
"""

from collections.abc import Sequence

from townsquare.kit.tags import normal_tag, tag_id
from townsquare.model.account import Account, Visibility
from townsquare.model.paging import Window
from townsquare.model.status import Media, Status
from townsquare.model.tasks import IndexAccount, IndexAuthor, IndexStatus
from townsquare.search.port import EVERYBODY, Document
from townsquare.social.operators import language_facet
from townsquare.social.ports import Ports
from townsquare.store.author_log import log_page
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNT_STATS, ACCOUNTS, MEDIA, STATUSES, TAGS, TagRow
from townsquare.workers.jobs import Job

_PAGE = 200  # statuses
_VERSION_BITS = 24  # of a status
_MS_BITS = 44  # of a time


async def index_status(task: IndexStatus, ports: Ports) -> None:
    """Make a status findable for those who may find it, or for nobody if it is gone. Safe to run twice."""
    status = await ports.store.get(STATUSES, (task.status_id,))
    documents = await status_documents(ports, [status] if status else [])
    if status is None or not documents:
        await ports.search.remove("status", [task.status_id])
        return
    await ports.search.put(documents)
    if status.visibility is Visibility.PUBLIC:
        await _index_tags(ports, status.tags)


async def status_documents(ports: Ports, statuses: Sequence[Status]) -> list[Document]:
    """The index's entries of those that may be found. Cost: two reads."""
    standing = [status for status in statuses if not status.deleted and not status.boost_of]
    ids = list(dict.fromkeys(status.author for status in standing))
    rows = await ports.store.get_many(ACCOUNTS, [(each,) for each in ids]) if ids else []
    authors = {row.account_id: row for row in rows if row is not None and not row.is_gone}
    media_ids = [each for status in standing for each in status.media]
    uploads = await ports.store.get_many(MEDIA, [(each,) for each in media_ids]) if media_ids else []
    media = {each.media_id: each for each in uploads if each is not None}
    return [
        _document(status, authors[status.author], [media[each] for each in status.media if each in media])
        for status in standing
        if status.author in authors
    ]


def _document(status: Status, author: Account, media: Sequence[Media]) -> Document:
    words = [status.spoiler_text, status.text, *(status.poll.options if status.poll else ())]
    words += [each.description for each in media]
    return Document(
        kind="status",
        id=status.status_id,
        words="\n".join(word for word in words if word),
        author=status.author,
        facets=facets(status, media),
        readers=readers(status, author),
        version=author.version << _VERSION_BITS | status.version,  # both say who may find it
    )


def facets(status: Status, media: Sequence[Media]) -> tuple[str, ...]:
    """What is asked for by has:, is: and language:."""
    kinds = dict.fromkeys("video" if each.kind == "gifv" else each.kind for each in media)
    found = {
        "media": bool(status.media),
        **dict.fromkeys(kinds, True),
        "poll": status.poll is not None,
        "link": bool(status.card),
        "reply": bool(status.reply_to),
        "sensitive": status.sensitive,
        language_facet(status.language): bool(status.language),
        language_facet(status.language.partition("-")[0]): bool(status.language),
    }
    return tuple(facet for facet, there in found.items() if there)


def readers(status: Status, author: Account) -> tuple[int, ...]:
    """Who may find a status: the author and those named; everybody too where it is public and its author agreed."""
    everybody = (EVERYBODY,) if status.visibility is Visibility.PUBLIC and author.indexable else ()
    named = (mention.account_id for mention in status.mentions)
    return tuple(dict.fromkeys((*everybody, status.author, *named)))


async def _index_tags(ports: Ports, tags: Sequence[str]) -> None:
    """Add the hashtags that are new."""
    named = {name: tag for tag in tags if (name := normal_tag(tag)) is not None}
    rows = await ports.store.get_many(TAGS, [(tag_id(name),) for name in named]) if named else []
    new = [(name, shown) for (name, shown), row in zip(named.items(), rows, strict=True) if row is None]
    if not new:
        return
    await ports.search.put(tag_documents([name for name, _ in new]))
    # After the entry, so that a crash between the two leaves a row that is missing, and the next use adds both.
    await ports.store.write([Put(TAGS, TagRow(tag_id=tag_id(name), name=name, shown=shown)) for name, shown in new])


async def index_account(task: IndexAccount, ports: Ports) -> None:
    """Make an account findable by its names (and by its note if it wants to be discovered), or no longer."""
    account = await ports.store.get(ACCOUNTS, (task.account_id,))
    documents = await account_documents(ports, [account] if account else [])
    if documents:
        await ports.search.put(documents)
    else:
        await ports.search.remove("account", [task.account_id])


async def account_documents(ports: Ports, accounts: Sequence[Account]) -> list[Document]:
    """The index's entries of those that are not gone. Cost: one read."""
    standing = [account for account in accounts if not account.is_gone]
    keys = [(account.account_id,) for account in standing]
    stats = await ports.store.get_many(ACCOUNT_STATS, keys) if keys else []
    now_ms = ports.clock.now_ms()
    return [
        _account_document(account, followers=row.followers if row else 0, now_ms=now_ms)
        for account, row in zip(standing, stats, strict=True)
    ]


def _account_document(account: Account, *, followers: int, now_ms: int) -> Document:
    handle = f"{account.username}@{account.domain}" if account.domain else account.username
    words = [account.username, account.display_name]
    if account.discoverable:
        words += [account.note, *(field.value for field in account.fields)]
    return Document(
        kind="account",
        id=account.account_id,
        words="\n".join(word for word in words if word),
        name=handle.lower(),
        weight=followers,
        version=account.version << _MS_BITS | now_ms,  # the weight changes without the account
    )


def tag_documents(names: Sequence[str]) -> list[Document]:
    """The index's entries of hashtags, by their compared forms."""
    return [Document(kind="tag", id=tag_id(name), words=name, name=name, version=0) for name in names]


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
