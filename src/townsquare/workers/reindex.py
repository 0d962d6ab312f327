"""The search index made again from the store, beside the one in use, while the server runs.

Box: workers. What changes meanwhile goes to both indexes, and newer versions win, so the walk may come first or last.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from townsquare.search.port import Document, Rebuilding
from townsquare.social.ports import Ports
from townsquare.store.port import Table
from townsquare.store.tables import ACCOUNTS, STATUSES, TAGS, TagRow
from townsquare.store.walk import stamped_pages
from townsquare.workers.index import account_documents, status_documents, tag_documents

Progress = Callable[[str, int], None]  # of what, how many are done
_REMEMBER_EVERY = 10  # pages: so many are done again where it was cut off


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rebuild is."""

    table: int = 0  # among _SOURCES
    after: bytes = b""
    done: int = 0  # rows


class _Source(msgspec.Struct, frozen=True):
    """A table, and what the index has of its rows."""

    table: Table[Any]
    documents: Callable[[Ports, Sequence[Any]], Awaitable[list[Document]]]


async def rebuild(ports: Ports, progress: Progress) -> int:
    """Make the index anew from the store, going on where an earlier rebuild was cut off; how many rows were looked at.

    All that is asked meanwhile is answered by the old index, and from one moment on by the new one.

    Raises: Unavailable, Conflict where another rebuild came to its end first.
    """
    second = await ports.search.rebuild()
    note = msgspec.json.decode(second.note, type=_Note) if second.note else _Note()
    for number in range(note.table, len(_SOURCES)):
        note = await _walk(ports, second, msgspec.structs.replace(note, table=number), progress)
    await second.finish()
    return note.done


async def _walk(ports: Ports, second: Rebuilding, note: _Note, progress: Progress) -> _Note:
    """One table from where the note says; the note for the next one."""
    source, pages = _SOURCES[note.table], 0
    async for stamped, after in stamped_pages(ports.store, source.table, note.after):
        rows = [each.row for each in stamped if each.row is not None]
        await _put(ports, second, source, rows)
        note = _Note(table=note.table, after=after, done=note.done + len(rows))
        progress("search index", note.done)
        pages += 1
        if after and pages % _REMEMBER_EVERY == 0:
            await second.remember(msgspec.json.encode(note).decode())
    return note


async def _put(ports: Ports, second: Rebuilding, source: _Source, rows: Sequence[msgspec.Struct]) -> None:
    documents = await source.documents(ports, rows)
    await second.put(documents)
    # What was removed between the reading and the putting would stay: its removal came too early for this index.
    keys = [source.table.key(row) for row in rows]
    now = [row for row in await ports.store.get_many(source.table, keys) if row is not None]
    gone = {each.id for each in documents}.difference(each.id for each in await source.documents(ports, now))
    if gone:
        await second.remove(documents[0].kind, sorted(gone))


async def _of_tags(ports: Ports, rows: Sequence[TagRow]) -> list[Document]:
    return tag_documents([row.name for row in rows])


_SOURCES = (_Source(ACCOUNTS, account_documents), _Source(STATUSES, status_documents), _Source(TAGS, _of_tags))
