"""The index's promise: documents by words and prefixes. It can be made again from the store.

Box: search. Engines: memory, embedded (SQLite FTS5). Suite: tests/contract/search.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What can be found. `readers`: 0 stands for everybody; else account ids."""

    kind: str  # "account", "status" or "tag"
    id: int  # for tags: any stable number
    words: str  # what is searched: names, text
    name: str = ""  # an exact name to rank first (acct, tag)
    author: int = 0
    readers: tuple[int, ...] = (0,)
    weight: int = 0  # higher first among equals (followers, uses)
    version: int  # a lower version never replaces a higher one


class Search(Protocol):
    """Words to ids. Raises `Unavailable`."""

    async def put(self, documents: Sequence[Document]) -> None:
        """Index the documents, replacing those with the same kind and id and a lower version."""

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        """Forget documents."""

    async def find(
        self,
        kind: str,
        words: str,
        *,
        reader: int,
        author: int | None = None,
        below: int | None = None,
        above: int | None = None,
        limit: int,
        offset: int = 0,
    ) -> list[int]:
        """Ids of documents that hold all the words (the last may be a prefix) and that `reader` may find, best first
        (statuses: newest first). Any string is allowed, none is an error. `reader` 0: an anonymous one."""

    async def close(self) -> None:
        """Let go of files and connections."""
