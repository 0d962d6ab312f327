"""The facts in a DuckDB file. One process at a time has it open, and calls all this from one thread.

A table without an index: a fact that is there already is found by its time, which is where it would lie. DuckDB keeps
the least and greatest of each 122,880 rows, so that looking for facts of today reads the end of the table only.

Box: analytics. Source: https://duckdb.org/docs/stable/sql/statements/attach
"""

import contextlib
import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from townsquare.analytics.duck_sql import COLUMNS, CREATE, sql_of
from townsquare.analytics.port import Coverage, Question, Row
from townsquare.model.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_log = logging.getLogger(__name__)

_MEMORY = "256MB"
_THREADS = 2
_VERSION = 1  # of the table
_RANGES = 8  # parts of time that are looked through for facts that are there already
_GAP_MS = 3_600_000  # between two of them at least
_WASTE = 0.25  # of a file; where more is free or deleted, it is written anew
_LEAST_WASTE_BYTES = 8 * 1024 * 1024
_ROW_BYTES = 40  # about
_SIZE = "SELECT block_size, free_blocks FROM pragma_database_size()"
_STORED = (
    "SELECT sum(count) FROM pragma_storage_info('kept.facts') WHERE column_name = 'id' AND segment_type = 'BIGINT'"
)


class FactsFile:
    """The file, opened at the first call. After an error of DuckDB's it is closed, and opened anew at the next call.

    There may be a second file beside it, which `renew` made. A place is the number of one of the two; 0 is the one
    that everybody asks.

    Raises: Unavailable, from all methods.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh_path, self._sorted_path = (path.with_name(f"{path.name}.{end}") for end in ("fresh", "sorted"))
        self._db: DuckDBPyConnection | None = None
        self._kept = self._fresh = 0

    def put(self, place: int, rows: Sequence[Sequence[int | str]]) -> None:
        """Add those that are not there, in one transaction. Raises: Invalid for what no column holds."""
        if not rows:
            return
        with self._opened() as db:
            batch, ranges = _columns(rows)
            table = self._table(place)
            known = " UNION ALL ".join(f"SELECT id FROM {table} WHERE at_ms BETWEEN {a} AND {b}" for a, b in ranges)
            db.register("batch", batch)
            try:
                db.execute(f"INSERT INTO {table} SELECT * FROM batch ANTI JOIN ({known}) USING (id)")
            finally:
                db.unregister("batch")

    def ask(self, place: int, questions: Sequence[Question]) -> list[list[Row]]:
        """The answers."""
        with self._opened() as db:
            table = self._table(place)
            answers = []
            for question in questions:
                sql, values = sql_of(question, table)
                found = db.execute(sql, values).fetchall()
                answers.append([Row(row[0], row[1:-1], row[-1]) for row in found])
            return answers

    def coverage(self, place: int) -> Coverage:
        """From when to when, how many, in how many bytes."""
        with self._opened() as db:
            table = self._table(place)
            first, last, count = _one(db, f"SELECT min(at_ms), max(at_ms), count(*) FROM {table}")
            path = self._path if table.startswith("kept") else self._fresh_path
            size = sum(each.stat().st_size for each in (path, _log_of(path)) if each.exists())
            return Coverage(first_ms=first or 0, last_ms=last or 0, facts=count, bytes=size)

    def erase(self, ids: Sequence[int]) -> None:
        """Forget whom these name, in both places."""
        wanted = ", ".join(str(int(each)) for each in ids if each)
        if wanted:
            self._delete(f"actor IN ({wanted}) OR author IN ({wanted})")

    def expire(self, kinds: Sequence[str], before_ms: int) -> None:
        """Forget facts of these kinds that are older."""
        if kinds:
            wanted = ", ".join(_quoted(kind) for kind in kinds)
            self._delete(f"kind IN ({wanted}) AND at_ms < {int(before_ms)}")

    def _delete(self, condition: str) -> None:
        with self._opened() as db:
            for name in ("kept", "fresh") if self._fresh else ("kept",):
                db.execute(f"DELETE FROM {name}.facts WHERE {condition}")
                db.execute(f"CHECKPOINT {name}")
            if self._waste(db):
                self._write_anew(db, "SELECT * FROM kept.facts", self._kept)

    def _waste(self, db: "DuckDBPyConnection") -> bool:
        """Whether much of the file is free, or rows that were deleted."""
        block, free = _one(db, f"{_SIZE} WHERE database_name = 'kept'")
        dead = (_one(db, _STORED)[0] or 0) - _one(db, "SELECT count(*) FROM kept.facts")[0]
        waste = block * free + dead * _ROW_BYTES
        return bool(waste > max(_LEAST_WASTE_BYTES, _WASTE * self._path.stat().st_size))

    def renew(self, *, go_on: bool = False) -> int:
        """An empty file beside the other, or with `go_on` the one that is there; its place."""
        with self._opened() as db:
            if self._fresh and go_on:
                return self._fresh
            self._drop_fresh(db)
            self._fresh = secrets.randbelow(1 << 62) + 1
            _attach(db, self._fresh_path, "fresh", self._fresh)
            return self._fresh

    def adopt(self, place: int, kinds: Sequence[str], since_ms: int) -> None:
        """Make `place` the one that everybody asks, with what it lacks of the other. Done already: nothing."""
        with self._opened() as db:
            if self._table(place) == "kept.facts":
                return
            wanted = ", ".join(_quoted(kind) for kind in kinds) or "NULL"
            taken = (
                f"SELECT * FROM kept.facts ANTI JOIN fresh.facts USING (id) "
                f"WHERE kind IN ({wanted}) OR at_ms >= {int(since_ms)}"
            )
            self._write_anew(db, f"SELECT * FROM fresh.facts UNION ALL ({taken})", place)
            self._drop_fresh(db)

    def _write_anew(self, db: "DuckDBPyConnection", rows: str, place: int) -> None:
        """Put these rows into the file's place, in the order of time. Until the last moment nothing has changed."""
        _remove(self._sorted_path)
        _attach(db, self._sorted_path, "sorted", place)
        db.execute(f"INSERT INTO sorted.facts SELECT * FROM ({rows}) ORDER BY at_ms")
        for name in ("sorted", "kept"):
            db.execute(f"CHECKPOINT {name}")
            db.execute(f"DETACH {name}")
        _log_of(self._path).unlink(missing_ok=True)
        self._sorted_path.rename(self._path)
        _flush_folder(self._path.parent)
        self._kept = _attach(db, self._path, "kept", place)

    def copy(self) -> Path:
        """A file beside with the facts of this moment, in the order of time. Whoever asked for it takes it away."""
        with self._opened() as db:
            path = self._path.with_name(f"{self._path.name}.copy").resolve()
            _remove(path)
            _attach(db, path, "copied", self._kept)
            db.execute("INSERT INTO copied.facts SELECT * FROM kept.facts ORDER BY at_ms")
            db.execute("CHECKPOINT copied")
            db.execute("DETACH copied")
            return path

    def close(self) -> None:
        """Let go of the files and of the memory."""
        db, self._db = self._db, None
        self._kept = self._fresh = 0
        if db is not None:
            db.close()

    @contextlib.contextmanager
    def _opened(self) -> Iterator["DuckDBPyConnection"]:
        import duckdb  # noqa: PLC0415 - 40 MB, which a process that never counts does not need

        try:
            if self._db is None:
                self._db = self._open()
            yield self._db
        except (duckdb.Error, OSError) as exc:
            with contextlib.suppress(duckdb.Error):
                self.close()
            _log.warning("the facts cannot be read or written: %s", exc)
            raise Unavailable("The facts cannot be read or written just now") from exc

    def _open(self) -> "DuckDBPyConnection":
        import duckdb  # noqa: PLC0415

        spill = str(self._path.with_name(f"{self._path.name}.tmp"))
        settings: dict[str, Any] = {"threads": _THREADS, "memory_limit": _MEMORY, "temp_directory": spill}
        settings |= {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        db = duckdb.connect(":memory:", config=settings)
        try:
            _remove(self._sorted_path)
            self._kept = _attach(db, self._path, "kept", secrets.randbelow(1 << 62) + 1)
            if self._fresh_path.exists():
                self._fresh = _attach(db, self._fresh_path, "fresh", 0)
                if self._fresh in (0, self._kept):  # half made, or adopted already
                    self._drop_fresh(db)
        except BaseException:
            db.close()
            raise
        return db

    def _drop_fresh(self, db: "DuckDBPyConnection") -> None:
        self._fresh = 0
        db.execute("DETACH DATABASE IF EXISTS fresh")
        _remove(self._fresh_path)

    def _table(self, place: int) -> str:
        if place in (0, self._kept):
            return "kept.facts"
        if place == self._fresh:
            return "fresh.facts"
        raise Unavailable("This place for facts was given up for a newer one")


def _attach(db: "DuckDBPyConnection", path: Path, name: str, place: int) -> int:
    """Open a file under a name. One that is empty becomes `place`; else the place that it is."""
    is_new = not path.exists()
    db.execute(f"ATTACH {_quoted(os.fspath(path))} AS {name}")
    if is_new:
        path.chmod(0o600)
    db.execute("BEGIN")
    db.execute(f"CREATE TABLE IF NOT EXISTS {name}.about (version INTEGER NOT NULL, place BIGINT NOT NULL)")
    found = db.execute(f"SELECT version, place FROM {name}.about").fetchall()
    if not found:
        db.execute(f"CREATE TABLE {name}.facts {CREATE}")
        db.execute(f"INSERT INTO {name}.about VALUES ({_VERSION}, {place})")
        found = [(_VERSION, place)]
    db.execute("COMMIT")
    if found[0][0] != _VERSION:
        raise Unavailable(f"{path.name} was written by another version of Townsquare")
    return int(found[0][1])


def _columns(rows: Sequence[Sequence[int | str]]) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """The facts as columns, each id once and in the order of time, and the parts of time that they lie in."""
    import numpy as np  # noqa: PLC0415

    try:
        batch = {
            name: np.array(column, dtype=np.int64 if kind == "BIGINT" else object)
            for (name, kind), column in zip(COLUMNS.items(), zip(*rows, strict=True), strict=True)
        }
    except (OverflowError, TypeError, ValueError) as exc:
        raise Invalid("A fact holds what cannot be kept") from exc
    _, first = np.unique(batch["id"], return_index=True)
    first = first[np.argsort(batch["at_ms"][first], kind="stable")]
    batch = {name: column[first] for name, column in batch.items()}
    times = batch["at_ms"]
    gaps = np.diff(times)
    widest = np.argsort(gaps)[-(_RANGES - 1) :]
    cuts = np.sort(widest[gaps[widest] > _GAP_MS])
    starts, ends = np.concatenate(([0], cuts + 1)), np.concatenate((cuts, [times.size - 1]))
    return batch, [(int(times[a]), int(times[b])) for a, b in zip(starts, ends, strict=True)]


def _one(db: "DuckDBPyConnection", sql: str) -> tuple[Any, ...]:
    (row,) = db.execute(sql).fetchall()  # all, or the result would be thought unfinished
    return tuple(row)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _remove(path: Path) -> None:
    for each in (_log_of(path), path):
        each.unlink(missing_ok=True)


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
