"""The queue's file: how a process opens and reads it.

Box: queue.
"""

import time
from collections.abc import Sequence
from typing import Any

import apsw

_BUSY_TURNS = 2000  # about 10 s until another process's transaction counts as stuck


def connect(path: str) -> apsw.Connection:
    """Open the file so that several processes may share it and kill -9 cannot harm it. Raises: apsw.Error."""
    db = apsw.Connection(path)
    db.set_busy_handler(_wait_a_turn)
    db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=67108864")
    return db


def select(db: apsw.Connection, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
    """All rows of a statement. Their types are the schema's, which the type checker cannot know."""
    return db.execute(sql, cells).fetchall()


def _wait_a_turn(turn: int) -> bool:
    time.sleep(min(0.0005 * (turn + 1), 0.005))
    return turn < _BUSY_TURNS
