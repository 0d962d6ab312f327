"""The index in one SQLite file (FTS5), shared by the processes of one machine.

For each kind a table of documents (what is kept of them) and a contentless index over four columns: `words`, `who`
(those who may find it), `author` and `facets`. That readers are words too lets the index itself leave out what somebody
may not find. Its row numbers are the documents' ids, so statuses come newest first without sorting.

Tables end with a number. `state` says which are the index, and which are a second one that is being filled; writers ask
it within their transaction, so the change from one to the other is a row.

Box: search. Source: https://www.sqlite.org/fts5.html
"""

import asyncio
import contextlib
import fcntl
import os
import re
from collections.abc import Sequence
from pathlib import Path

import apsw

from townsquare.kit.clock import Clock
from townsquare.kit.group_commit import GroupCommit, Job, T
from townsquare.model.errors import Conflict, Unavailable
from townsquare.model.findings import Finding, fine, warning
from townsquare.search.port import Document, Query
from townsquare.search.words import KINDS, Needles, Term, checked_kind, facet, fold, name_of, needles_of, words_of

_VERSION = 2  # of the schema: another one's file is begun anew
_BUSY_MS = 5000
_UPKEEP_EVERY_MS = 60_000
# A beginning as long as one of these is looked up like a word. Without, 170,000 hits took 9 ms; with, 0.3 ms.
_PREFIXES = {"status": "2 3 4 5 6 7 8", "account": "1 2 3 4 5 6", "tag": "1 2 3 4 5 6"}
_MOST_RANKED = 2000  # hits of accounts and tags that are sorted; beyond, a query says too little to rank by
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1

_STATE = """
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO state (name, value) VALUES ('live', '1');
"""
_KEEP = "INSERT INTO state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS {kind}_documents_{n} (
  id INTEGER PRIMARY KEY, version INTEGER NOT NULL, name TEXT NOT NULL, weight INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS {kind}_names_{n} ON {kind}_documents_{n} (name, weight);
CREATE VIRTUAL TABLE IF NOT EXISTS {kind}_words_{n} USING fts5 (
  words, who, author, facets, content='', contentless_delete=1, tokenize='ascii', prefix='{prefix}');
"""
_TABLE = re.compile(r"(?:status|account|tag)_(?:documents|words)_([0-9]+)")
_FIND_STATUSES = """
SELECT rowid FROM status_words_{n} WHERE status_words_{n} MATCH ? AND rowid < ? AND rowid > ?
ORDER BY rowid DESC LIMIT ? OFFSET ?
"""
_FIND_RANKED = """
WITH found (id) AS (
  SELECT id FROM (SELECT rowid AS id FROM {kind}_words_{n}
    WHERE {kind}_words_{n} MATCH :match AND rowid < :below AND rowid > :above LIMIT {most})
  UNION SELECT id FROM {kind}_documents_{n} AS named WHERE name = :name AND id < :below AND id > :above AND EXISTS
    (SELECT 1 FROM {kind}_words_{n} WHERE {kind}_words_{n} MATCH :match AND rowid = named.id))
SELECT id FROM found JOIN {kind}_documents_{n} USING (id)
ORDER BY CASE WHEN name = :name THEN 0 WHEN substr(name, 1, :length) = :name THEN 1 ELSE 2 END, weight DESC, id DESC
LIMIT :limit OFFSET :offset
"""


class EmbeddedSearch:
    """Search in a file. It may be lost: it is made again from the store."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Use `open`."""
        self._clock = clock
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
        rows = _rows(documents)

        def work(connection: apsw.Connection) -> None:
            for n in _written(connection):
                _put(connection, n, rows)

        if rows:
            await self.write(work)
            await self._keep_up()

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        checked_kind(kind)

        def work(connection: apsw.Connection) -> None:
            for n in _written(connection):
                _remove(connection, n, kind, ids)

        if ids:
            await self.write(work)

    async def find(self, query: Query) -> list[int]:
        checked_kind(query.kind)
        needles = needles_of(query)
        if needles is None:
            return []
        try:
            try:
                return self._find(query, needles)
            except apsw.SQLError:  # the tables went away between the two reads: others have taken their place
                return self._find(query, needles)
        except apsw.Error as exc:
            raise Unavailable("Search does not answer just now") from exc

    async def rebuild(self) -> "EmbeddedRebuilding":
        number, note = await self.write(_begin)
        return EmbeddedRebuilding(self, number, note)

    async def examine(self) -> list[Finding]:
        """Whether all that may be found is in it."""
        try:
            state = dict(self._reader.execute("SELECT name, value FROM state"))
        except apsw.Error as exc:
            raise Unavailable("Search does not answer just now") from exc
        if "next" in state:
            return [warning("index", "a rebuild is not finished; go on with it: townsquare search rebuild")]
        if "partial" in state:
            return [warning("index", "it was begun anew, and what is older is not found: townsquare search rebuild")]
        return [fine("index", "whole")]

    async def close(self) -> None:
        await self._writer.close()
        self._reader.close()

    async def write(self, work: Job[T]) -> T:
        """Run a transaction. Raises: Unavailable; Conflict where the work says so."""
        try:
            return await self._writer.run(work)
        except apsw.Error as exc:
            raise Unavailable("Search cannot be written just now") from exc

    def _find(self, query: Query, needles: Needles) -> list[int]:
        n = int(self._reader.execute("SELECT value FROM state WHERE name = 'live'").get)
        match, kind, name = _match(query, needles), query.kind, name_of(query)
        values = {
            "match": match,
            "below": _HIGHEST if query.below is None else max(min(query.below, _HIGHEST), _LOWEST),
            "above": _LOWEST if query.above is None else min(max(query.above, _LOWEST), _HIGHEST),
            "limit": query.limit,
            "offset": min(max(query.offset, 0), _HIGHEST),
        }
        if kind == "status":
            rows = self._reader.execute(_FIND_STATUSES.format(n=n), tuple(values.values()))
        else:
            values |= {"name": name, "length": len(name)}
            rows = self._reader.execute(_FIND_RANKED.format(kind=kind, n=n, most=_MOST_RANKED), values)
        return [row[0] for row in rows]

    async def _keep_up(self) -> None:
        """Now and then, join the index's pieces a little, so that a find looks at few of them."""
        now_ms = self._clock.now_ms()
        if now_ms >= self._upkeep_at_ms:
            self._upkeep_at_ms = now_ms + _UPKEEP_EVERY_MS
            await self.write(_join_pieces)


class EmbeddedRebuilding:
    """A second index in the same file."""

    def __init__(self, search: EmbeddedSearch, number: int, note: str) -> None:
        self._search, self._number, self.note = search, number, note

    async def put(self, documents: Sequence[Document]) -> None:
        rows = _rows(documents)
        await self._write(lambda connection: _put(connection, self._number, rows))

    async def remove(self, kind: str, ids: Sequence[int]) -> None:
        checked_kind(kind)
        await self._write(lambda connection: _remove(connection, self._number, kind, ids))

    async def remember(self, note: str) -> None:
        await self._write(lambda connection: _keep(connection, "note", note))
        self.note = note

    async def finish(self) -> None:
        def switch(connection: apsw.Connection) -> None:
            _keep(connection, "live", str(self._number))
            connection.execute("DELETE FROM state WHERE name IN ('next', 'note', 'partial')")

        await self._write(switch)
        await self._search.write(_drop_strays)

    async def give_up(self) -> None:
        await self._write(_forget)
        await self._search.write(_drop_strays)

    async def _write(self, work: Job[None]) -> None:
        def checked(connection: apsw.Connection) -> None:
            if _number(connection, "next") != self._number:
                raise Conflict("The search index was rebuilt by another command")
            work(connection)

        await self._search.write(checked)


_Row = tuple[Document, str, str, str]  # its words, readers and facets, between spaces


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
            _make(path, partial=True)


def _make(path: Path, *, partial: bool = False) -> None:
    connection = _connect(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        if (version := connection.pragma("user_version")) not in (0, _VERSION):
            raise apsw.NotADBError(f"a file of version {version}")
        connection.execute(_STATE)
        _make_tables(connection, _number(connection, "live"))
        if partial:
            _keep(connection, "partial", "1")
        connection.execute(f"PRAGMA user_version = {_VERSION}; COMMIT")
    finally:
        connection.close()


def _make_tables(connection: apsw.Connection, n: int) -> None:
    for kind in KINDS:
        connection.execute(_SCHEMA.format(kind=kind, n=n, prefix=_PREFIXES[kind]))


def _number(connection: apsw.Connection, name: str) -> int:
    """The number of the index that is `live` or `next`; 0 where there is none."""
    return int(connection.execute("SELECT value FROM state WHERE name = ?", (name,)).get or 0)


def _written(connection: apsw.Connection) -> list[int]:
    """The numbers of all that take what is written."""
    return [int(n) for (n,) in connection.execute("SELECT value FROM state WHERE name IN ('live', 'next')")]


def _keep(connection: apsw.Connection, name: str, value: str) -> None:
    connection.execute(_KEEP, (name, value))


def _forget(connection: apsw.Connection) -> None:
    connection.execute("DELETE FROM state WHERE name IN ('next', 'note')")


def _begin(connection: apsw.Connection) -> tuple[int, str]:
    """The second index's number and its note."""
    if number := _number(connection, "next"):
        return number, connection.execute("SELECT value FROM state WHERE name = 'note'").get or ""
    _drop_strays(connection)
    number = _number(connection, "live") + 1
    _make_tables(connection, number)
    _keep(connection, "next", str(number))
    return number, ""


def _drop_strays(connection: apsw.Connection) -> None:
    """Drop the tables of indexes that are no more."""
    used = _written(connection)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for name in names:
        match = _TABLE.fullmatch(name)
        if match is not None and int(match[1]) not in used:
            connection.execute(f"DROP TABLE {name}")


def _rows(documents: Sequence[Document]) -> list[_Row]:
    for document in documents:
        checked_kind(document.kind)
    return [
        (each, " ".join(words_of(each)), " ".join(map(str, each.readers)), " ".join(map(facet, each.facets)))
        for each in documents
    ]


def _put(connection: apsw.Connection, n: int, rows: Sequence[_Row]) -> None:
    for document, words, who, facets in rows:
        kind = document.kind
        connection.execute(
            f"INSERT INTO {kind}_documents_{n} (id, version, name, weight) VALUES (?, ?, ?, ?) ON CONFLICT (id) "
            "DO UPDATE SET version = excluded.version, name = excluded.name, weight = excluded.weight "
            "WHERE version <= excluded.version",
            (document.id, document.version, fold(document.name), document.weight),
        )
        if connection.changes():
            connection.execute(
                f"INSERT OR REPLACE INTO {kind}_words_{n} (rowid, words, who, author, facets) VALUES (?, ?, ?, ?, ?)",
                (document.id, words, who, str(document.author), facets),
            )


def _remove(connection: apsw.Connection, n: int, kind: str, ids: Sequence[int]) -> None:
    keys = [(document_id,) for document_id in ids]
    connection.executemany(f"DELETE FROM {kind}_words_{n} WHERE rowid = ?", keys)
    connection.executemany(f"DELETE FROM {kind}_documents_{n} WHERE id = ?", keys)


def _match(query: Query, needles: Needles) -> str:
    """The query in FTS5's language. Terms hold letters and digits alone, so nothing in them can mean anything there."""
    phrases = [_phrase(term) for term in needles.whole]
    if needles.beginning is not None:
        phrases.append(f"{_phrase(needles.beginning)}*")
    parts = [f"words : ({' AND '.join(phrases)})"] if phrases else []
    parts.append(f"who : ({_any_of(query.readers)})")
    parts += [f'facets : "{facet(each)}"' for each in query.has]
    if query.author is not None:
        parts.append(f'author : "{int(query.author)}"')
    unwanted = [f"words : {_phrase(term)}" for term in needles.without]
    unwanted += [f'facets : "{each}"' for each in map(facet, query.lacks) if each]
    unwanted += [f'author : "{int(each)}"' for each in query.not_authors]
    match = f"({' AND '.join(parts)})"
    return f"{match} NOT ({' OR '.join(unwanted)})" if unwanted else match


def _phrase(term: Term) -> str:
    return f'"{" ".join(term)}"'


def _any_of(readers: Sequence[int]) -> str:
    return " OR ".join(f'"{int(reader)}"' for reader in readers)


def _join_pieces(connection: apsw.Connection) -> None:
    for n in _written(connection):
        for kind in KINDS:
            connection.execute(f"INSERT INTO {kind}_words_{n} ({kind}_words_{n}, rank) VALUES ('merge', 500)")
