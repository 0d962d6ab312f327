"""The index in one SQLite file (FTS5), shared by the processes of one machine.

For each kind a table of documents (what is kept of them) and a contentless index over three columns: `words`, `who`
(those who may find it) and `author`. That readers are words too lets the index itself leave out what somebody may not
find. Its row numbers are the documents' ids, so statuses come newest first without sorting.

Box: search. Source: https://www.sqlite.org/fts5.html
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

import apsw

from townsquare.kit.clock import Clock
from townsquare.kit.group_commit import GroupCommit, Job
from townsquare.model.errors import Unavailable
from townsquare.search.port import Document
from townsquare.search.words import KINDS, Term, checked_kind, fold, name_of, shortest_prefix, split, terms_of

_VERSION = 1  # of the schema: another one's file is begun anew
_BUSY_MS = 5000
_UPKEEP_EVERY_MS = 60_000
# A beginning as long as one of these is looked up like a word. Without, 170,000 hits took 9 ms; with, 0.3 ms.
_PREFIXES = {"status": "2 3 4 5 6 7 8", "account": "1 2 3 4 5 6", "tag": "1 2 3 4 5 6"}
_MOST_RANKED = 2000  # hits of accounts and tags that are sorted; beyond, a query says too little to rank by
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_EVERYBODY = 0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS {kind}_documents (
  id INTEGER PRIMARY KEY, version INTEGER NOT NULL, name TEXT NOT NULL, weight INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS {kind}_names ON {kind}_documents (name, weight);
CREATE VIRTUAL TABLE IF NOT EXISTS {kind}_words USING fts5 (
  words, who, author, content='', contentless_delete=1, tokenize='ascii', prefix='{prefix}');
"""
_FIND_STATUSES = """
SELECT rowid FROM status_words WHERE status_words MATCH ? AND rowid < ? AND rowid > ?
ORDER BY rowid DESC LIMIT ? OFFSET ?
"""
_FIND_RANKED = """
WITH found (id) AS (
  SELECT id FROM (SELECT rowid AS id FROM {kind}_words
    WHERE {kind}_words MATCH :match AND rowid < :below AND rowid > :above LIMIT {most})
  UNION SELECT id FROM {kind}_documents AS named WHERE name = :name AND id < :below AND id > :above AND EXISTS
    (SELECT 1 FROM {kind}_words WHERE {kind}_words MATCH :match AND rowid = named.id))
SELECT id FROM found JOIN {kind}_documents USING (id)
ORDER BY CASE WHEN name = :name THEN 0 WHEN substr(name, 1, :length) = :name THEN 1 ELSE 2 END, weight DESC, id DESC
LIMIT :limit OFFSET :offset
"""


class EmbeddedSearch:
    """Search in a file. It may be lost: it is made again from the store."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Use `open`."""
        self._path, self._clock = path, clock
        self._reader = _connect(path)
        self._writer = GroupCommit(_connect(path), name="search-writer")
        self._upkeep_at_ms = clock.now_ms() + _UPKEEP_EVERY_MS

    @classmethod
    async def open(cls, path: Path, clock: Clock) -> "EmbeddedSearch":
        """The index at `path`. A missing one is made; a damaged one is set aside and begun anew.

        Raises: Unavailable.
        """
        try:
            await asyncio.to_thread(_prepare, path)
            return cls(path, clock)
        except (apsw.Error, OSError) as exc:
            raise Unavailable("Search cannot be opened") from exc

    async def put(self, documents: Sequence[Document]) -> None:
        for document in documents:
            checked_kind(document.kind)
        rows = [(document, *_columns(document)) for document in documents]

        def work(connection: apsw.Connection) -> None:
            for document, words, who, author in rows:
                _put(connection, document, words=words, who=who, author=author)

        if rows:
            await self._write(work)
            await self._keep_up()

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        checked_kind(kind)
        keys = [(document_id,) for document_id in ids]

        def work(connection: apsw.Connection) -> None:
            connection.executemany(f"DELETE FROM {kind}_words WHERE rowid = ?", keys)
            connection.executemany(f"DELETE FROM {kind}_documents WHERE id = ?", keys)

        if keys:
            await self._write(work)

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
        checked_kind(kind)
        terms = terms_of(words)
        if not terms or limit <= 0:
            return []
        match = _match(terms, prefix_from=shortest_prefix(kind), reader=reader, author=author)
        highest = _HIGHEST if below is None else min(below, _HIGHEST)
        lowest = _LOWEST if above is None else max(above, _LOWEST)
        offset = min(max(offset, 0), _HIGHEST)
        try:
            if kind == "status":
                rows = self._reader.execute(_FIND_STATUSES, (match, highest, lowest, limit, offset))
            else:
                name = name_of(words)
                values = {"match": match, "below": highest, "above": lowest, "limit": limit, "offset": offset}
                values |= {"name": name, "length": len(name)}
                rows = self._reader.execute(_FIND_RANKED.format(kind=kind, most=_MOST_RANKED), values)
            return [row[0] for row in rows]
        except apsw.Error as exc:
            raise Unavailable("Search does not answer just now") from exc

    async def close(self) -> None:
        await self._writer.close()
        self._reader.close()

    async def _write(self, work: Job[None]) -> None:
        try:
            await self._writer.run(work)
        except apsw.Error as exc:
            raise Unavailable("Search cannot be written just now") from exc

    async def _keep_up(self) -> None:
        """Now and then, join the index's pieces a little, so that a find looks at few of them."""
        now_ms = self._clock.now_ms()
        if now_ms >= self._upkeep_at_ms:
            self._upkeep_at_ms = now_ms + _UPKEEP_EVERY_MS
            await self._write(_join_pieces)


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(os.fspath(path))
    connection.set_busy_timeout(_BUSY_MS)
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA mmap_size = 268435456")
    return connection


def _prepare(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # or a second process would set aside what the first one just made
        try:
            _make(path)
        except (apsw.NotADBError, apsw.CorruptError):
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(f"{path}{suffix}", f"{path}.damaged{suffix}")
            _make(path)


def _make(path: Path) -> None:
    connection = _connect(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        if (version := connection.pragma("user_version")) not in (0, _VERSION):
            raise apsw.NotADBError(f"a file of version {version}")
        for kind in KINDS:
            connection.execute(_SCHEMA.format(kind=kind, prefix=_PREFIXES[kind]))
        connection.execute(f"PRAGMA user_version = {_VERSION}; COMMIT")
    finally:
        connection.close()


def _columns(document: Document) -> tuple[str, str, str]:
    """Words, readers and author as the index takes them: words between spaces."""
    words = split(f"{document.words} \x00 {document.name}")
    return " ".join(words), " ".join(map(str, document.readers)), str(document.author)


def _put(connection: apsw.Connection, document: Document, *, words: str, who: str, author: str) -> None:
    kind = document.kind
    connection.execute(
        f"INSERT INTO {kind}_documents (id, version, name, weight) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "version = excluded.version, name = excluded.name, weight = excluded.weight WHERE version < excluded.version",
        (document.id, document.version, fold(document.name), document.weight),
    )
    if connection.changes():
        connection.execute(
            f"INSERT OR REPLACE INTO {kind}_words (rowid, words, who, author) VALUES (?, ?, ?, ?)",
            (document.id, words, who, author),
        )


def _match(terms: list[Term], *, prefix_from: int, reader: int, author: int | None) -> str:
    """The query in FTS5's language. Terms hold letters and digits alone, so nothing in them can mean anything there."""
    phrases = [f'"{" ".join(term)}"' for term in terms]
    if len(terms[-1][-1]) >= prefix_from:
        phrases[-1] += "*"
    who = f'"{_EVERYBODY}" OR "{int(reader)}"' if reader else f'"{_EVERYBODY}"'
    match = f"words : ({' AND '.join(phrases)}) AND who : ({who})"
    return match if author is None else f'{match} AND author : "{int(author)}"'


def _join_pieces(connection: apsw.Connection) -> None:
    for kind in KINDS:
        connection.execute(f"INSERT INTO {kind}_words ({kind}_words, rank) VALUES ('merge', 500)")
