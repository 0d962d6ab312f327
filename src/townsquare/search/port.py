"""The index's promise: documents by words and prefixes. It can be made again from the store.

Box: search. Engines: memory, embedded (SQLite FTS5), elasticsearch. Suite: tests/contract/search.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

EVERYBODY = 0  # as a reader


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What can be found. `readers`: 0 stands for everybody; else account ids."""

    kind: str  # "account", "status" or "tag"
    id: int  # for tags: any stable number
    words: str  # what is searched: names, text
    name: str = ""  # an exact name to rank first (acct, tag)
    author: int = 0
    facets: tuple[str, ...] = ()  # what else it is or has: "media", "reply", "language:en"
    readers: tuple[int, ...] = (EVERYBODY,)
    weight: int = 0  # higher first among equals (followers, uses)
    version: int  # from 0; a lower version never replaces a higher one


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: all of this must be true of a document. Any string may stand in it, none is an error.

    `words`: each of them, in any order; the last may be the beginning of one. A text without a word is in nothing.
    """

    kind: str
    words: str = ""
    phrases: tuple[str, ...] = ()  # words that stand together, whole
    without: tuple[str, ...] = ()  # words or phrases none of which is in it
    has: tuple[str, ...] = ()  # facets
    lacks: tuple[str, ...] = ()
    author: int | None = None
    not_authors: tuple[int, ...] = ()
    readers: tuple[int, ...] = (EVERYBODY,)  # one of them may find it
    below: int | None = None  # ids
    above: int | None = None
    limit: int
    offset: int = 0  # not every engine counts beyond 10,000


class Rebuilding(Protocol):
    """A second index, filled beside the first. What is put or removed meanwhile, by any process, goes to both.

    Raises `Unavailable`, and `Conflict` where it was finished or given up by another.
    """

    note: str  # what was last remembered; empty for a new one

    async def put(self, documents: Sequence[Document]) -> None:
        """Put documents into the second index alone."""

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        """Take documents out of the second index alone."""

    async def remember(self, note: str) -> None:
        """Keep a note of how far it is, for whoever goes on with it."""

    async def finish(self) -> None:
        """Let the second index be the index, at one moment for all who ask. The first goes away."""

    async def give_up(self) -> None:
        """Drop the second index."""


class Search(Protocol):
    """Words to ids. Raises `Unavailable`."""

    async def put(self, documents: Sequence[Document]) -> None:
        """Index the documents, replacing those with the same kind and id and the same or a lower version.

        They are found within a second.
        """

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        """Forget documents. They may come back with the version they had, or a higher one."""

    async def find(self, query: Query) -> list[int]:
        """Ids of documents that fit, best first (statuses: newest first). One that asks for nothing finds nothing."""

    async def rebuild(self) -> Rebuilding:
        """Begin a second index beside this one, or go on with one that was begun."""

    async def close(self) -> None:
        """Let go of files and connections."""
