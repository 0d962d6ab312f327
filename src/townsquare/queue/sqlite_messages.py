"""The SQL of messages: each function is one job of the writing thread, inside its transaction.

Box: queue. `seq` counts over all lanes in the order of commits, so a consumer that has read up to one can go on there.
A message that waits for a later try stands in `delayed`; it gets a new `seq` when it is due.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import apsw
import msgspec

from townsquare.queue.port import Delivery, LaneDepth, Message, Parked
from townsquare.queue.shares import partition_of
from townsquare.queue.sqlite_file import select

SCHEMA = """
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 0), seq INTEGER, shares INTEGER);
INSERT OR IGNORE INTO state VALUES (0, 0, 0);
CREATE TABLE IF NOT EXISTS lanes (lane TEXT PRIMARY KEY, last_seq INTEGER, waiting INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (lane TEXT, seq INTEGER, partition INTEGER, key INTEGER, id INTEGER, tries INTEGER,
  cuts INTEGER, put_ms INTEGER, body BLOB, PRIMARY KEY (lane, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delayed (due_ms INTEGER, seq INTEGER, lane TEXT, key INTEGER, id INTEGER, tries INTEGER,
  cuts INTEGER, put_ms INTEGER, body BLOB, PRIMARY KEY (due_ms, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parked (seq INTEGER PRIMARY KEY, lane TEXT, key INTEGER, id INTEGER, tries INTEGER,
  put_ms INTEGER, body BLOB, reason TEXT, parked_ms INTEGER, UNIQUE (lane, id));
CREATE TABLE IF NOT EXISTS known (lane TEXT, id INTEGER, PRIMARY KEY (lane, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finished (number INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT, ids BLOB, done_ms INTEGER,
  total INTEGER);
CREATE TABLE IF NOT EXISTS consumers (id INTEGER, lane TEXT, place TEXT, pid INTEGER, started INTEGER, beat INTEGER,
  lease_s REAL, PRIMARY KEY (id, lane)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holdings (lane TEXT, partition INTEGER, consumer INTEGER, PRIMARY KEY (lane, partition))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outs (number INTEGER PRIMARY KEY, consumer INTEGER, lane TEXT, seqs BLOB);
"""
_ADD_KNOWN = "INSERT INTO known VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING lane, id"
_ADD_MESSAGE = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_LANE = (
    "INSERT INTO lanes VALUES (?1, ?2, ?3) "
    "ON CONFLICT DO UPDATE SET last_seq = max(last_seq, ?2), waiting = waiting + ?3"
)
_LESS_WAITING = "UPDATE lanes SET waiting = waiting - ?2 WHERE lane = ?1"
_DROP_MESSAGE = "DELETE FROM messages WHERE lane = ? AND seq = ?"
_READ = "SELECT seq, partition, key, id, tries, cuts, body FROM messages WHERE lane = ? AND seq > ?{} ORDER BY seq"
_REMEMBER_MS = 600_000  # how long the id of a finished message is known
_REMEMBER_COUNT = 200_000
_FORGET_AT_ONCE = 256  # groups of ids forgotten in one job, so that nobody waits long for it

_Row = tuple[str, int, int, int, int, int, bytes]  # lane, key, id, tries, cuts, put_ms, body
MessageRow = tuple[int, int, int, int, int, int, bytes]  # seq, partition, key, id, tries, cuts, body


class Taken(msgspec.Struct, frozen=True):
    """What one lane gave in one take. `outs` numbers the row that remembers it should this process die."""

    outs: int
    read_to: int  # nothing of the partitions asked for is left up to this seq
    rows: list[MessageRow]


class Ask(msgspec.Struct, frozen=True):
    """What a take asks of one lane: the partitions held, from where, without what is out already."""

    lane: str
    partitions: frozenset[int]
    above: int
    out: frozenset[int]


def put(db: apsw.Connection, messages: Sequence[Message], now_ms: int) -> bool:
    """Add the messages whose ids are not known in their lane; whether there was one."""
    new = set(db.executemany(_ADD_KNOWN, [(m.lane, m.id) for m in messages]))
    fresh = list[_Row]()
    for m in messages:
        if (m.lane, m.id) in new:
            new.remove((m.lane, m.id))
            fresh.append((m.lane, m.key, m.id, 0, 0, now_ms, m.body))
    if fresh:
        _append(db, fresh)
        _count(db, fresh)
    return bool(fresh)


def _append(db: apsw.Connection, rows: Sequence[_Row]) -> None:
    """Add rows behind all others. Lanes' counts of waiting messages are the caller's to keep."""
    seq = db.execute("SELECT seq FROM state").get
    cells, last = list[tuple[Any, ...]](), dict[str, int]()
    for lane, key, message_id, tries, cuts, put_ms, body in rows:
        seq += 1
        last[lane] = seq
        cells.append((lane, seq, partition_of(key), key, message_id, tries, cuts, put_ms, body))
    db.executemany(_ADD_MESSAGE, cells)
    db.execute("UPDATE state SET seq = ?", (seq,))
    db.executemany(_ADD_LANE, [(lane, seq, 0) for lane, seq in last.items()])


def _count(db: apsw.Connection, rows: Sequence[_Row]) -> None:
    db.executemany(_ADD_LANE, [(lane, 0, count) for lane, count in Counter(row[0] for row in rows).items()])


def take(db: apsw.Connection, consumer: int, asks: Sequence[Ask], limit: int) -> list[Taken | None]:
    """Give each lane's oldest messages, at most `limit` in all, and note that they are out."""
    found = [_read(db, ask, limit) for ask in asks]
    if sum(map(len, found)) > limit:
        last = sorted(row[0] for rows in found for row in rows)[limit - 1]
        found = [[row for row in rows if row[0] <= last] for rows in found]
    given = list[Taken | None]()
    for ask, rows in zip(asks, found, strict=True):
        end = db.execute("SELECT last_seq FROM lanes WHERE lane = ?", (ask.lane,)).get or 0
        if not rows:
            full = sum(map(len, found)) >= limit
            given.append(None if full else Taken(0, end, []))
            continue
        seqs = array("q", [row[0] for row in rows]).tobytes()
        db.execute("INSERT INTO outs (consumer, lane, seqs) VALUES (?, ?, ?)", (consumer, ask.lane, seqs))
        read_to = rows[-1][0] if sum(map(len, found)) >= limit else end
        given.append(Taken(db.last_insert_rowid(), read_to, rows))
    return given


def _read(db: apsw.Connection, ask: Ask, limit: int) -> list[Any]:
    held = "" if len(ask.partitions) == 16 else f" AND partition IN ({','.join(map(str, sorted(ask.partitions)))})"
    cursor = db.execute(_READ.format(held), (ask.lane, ask.above))
    rows = list[Any]()
    for row in cursor:
        if row[0] not in ask.out:
            rows.append(row)
            if len(rows) == limit:
                break
    cursor.close()
    return rows


def done(
    db: apsw.Connection, finished: Mapping[str, Sequence[tuple[int, int]]], outs: Iterable[int], now_ms: int
) -> None:
    """Drop the messages given as (seq, id) by lane, and the notes of takes that are finished with them."""
    for lane, messages in finished.items():
        before = db.total_changes()
        db.executemany(_DROP_MESSAGE, [(lane, seq) for seq, _ in messages])
        db.execute(_LESS_WAITING, (lane, db.total_changes() - before))
        _finish(db, lane, [message_id for _, message_id in messages], now_ms)
    drop_outs(db, outs)


def drop_outs(db: apsw.Connection, outs: Iterable[int]) -> None:
    """Forget the notes of takes."""
    db.executemany("DELETE FROM outs WHERE number = ?", [(number,) for number in outs])


def _finish(db: apsw.Connection, lane: str, ids: Sequence[int], now_ms: int) -> None:
    total = db.execute("SELECT total FROM finished ORDER BY number DESC LIMIT 1").get or 0
    row = (lane, array("q", ids).tobytes(), now_ms, total + len(ids))
    db.execute("INSERT INTO finished (lane, ids, done_ms, total) VALUES (?, ?, ?, ?)", row)


def has_old(db: apsw.Connection, now_ms: int) -> bool:
    """Whether there are ids to forget."""
    first = select(db, "SELECT done_ms, total FROM finished ORDER BY number LIMIT 1")
    total = db.execute("SELECT total FROM finished ORDER BY number DESC LIMIT 1").get or 0
    return bool(first) and (first[0][0] < now_ms - _REMEMBER_MS or first[0][1] < total - _REMEMBER_COUNT)


def forget(db: apsw.Connection, now_ms: int) -> None:
    """Forget some of the ids that were finished long ago, or so long ago that there are too many newer ones."""
    total = db.execute("SELECT total FROM finished ORDER BY number DESC LIMIT 1").get or 0
    old = select(
        db,
        "SELECT number, lane, ids FROM (SELECT * FROM finished ORDER BY number LIMIT ?) WHERE done_ms < ? OR total < ?",
        (_FORGET_AT_ONCE, now_ms - _REMEMBER_MS, total - _REMEMBER_COUNT),
    )
    for number, lane, ids in old:
        db.executemany("DELETE FROM known WHERE lane = ? AND id = ?", [(lane, i) for i in array("q", ids)])
        db.execute("DELETE FROM finished WHERE number = ?", (number,))


def retry(db: apsw.Connection, delivery: Delivery, seq: int, *, tries: int, due_ms: int) -> None:
    """Move a message to those that wait for their time."""
    message = delivery.message
    for (put_ms,) in select(db, f"{_DROP_MESSAGE} RETURNING put_ms", (message.lane, seq)):
        cells = (due_ms, seq, message.lane, message.key, message.id, tries, delivery.cuts, put_ms, message.body)
        db.execute("INSERT INTO delayed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", cells)


def bring_due(db: apsw.Connection, now_ms: int) -> None:
    """Move the delayed messages whose time has come behind the others of their lanes."""
    columns = "due_ms, seq, lane, key, id, tries, cuts, put_ms, body"
    due = select(db, f"DELETE FROM delayed WHERE due_ms <= ? RETURNING {columns}", (now_ms,))
    if due:
        _append(db, [row[2:] for row in sorted(due)])


def park(db: apsw.Connection, delivery: Delivery, seq: int, *, reason: str, now_ms: int) -> None:
    """Move a message to the parked ones."""
    message = delivery.message
    for (put_ms,) in select(db, f"{_DROP_MESSAGE} RETURNING put_ms", (message.lane, seq)):
        cells = (message.lane, message.key, message.id, delivery.tries, put_ms, message.body, reason, now_ms)
        columns = "lane, key, id, tries, put_ms, body, reason, parked_ms"
        db.execute(f"INSERT OR REPLACE INTO parked ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", cells)
        db.execute(_LESS_WAITING, (message.lane, 1))


def redrive(db: apsw.Connection, lane: str, message_id: int, now_ms: int) -> bool:
    """Move a parked message back; False where there is none."""
    columns = "lane, key, id, 0, 0, ?, body"
    sql = f"DELETE FROM parked WHERE lane = ? AND id = ? RETURNING {columns}"
    rows = select(db, sql, (lane, message_id, now_ms))
    if rows:
        _append(db, rows)
        _count(db, rows)
    return bool(rows)


def discard(db: apsw.Connection, lane: str, message_id: int, now_ms: int) -> bool:
    """Drop a parked message, as if it were done; False where there is none."""
    rows = select(db, "DELETE FROM parked WHERE lane = ? AND id = ? RETURNING id", (lane, message_id))
    if rows:
        _finish(db, lane, [message_id], now_ms)
    return bool(rows)


def depths(db: apsw.Connection) -> list[LaneDepth]:
    """What waits, per lane."""
    parked = dict(select(db, "SELECT lane, count(*) FROM parked GROUP BY lane"))
    delayed = dict(select(db, "SELECT lane, min(put_ms) FROM delayed GROUP BY lane"))
    found = list[LaneDepth]()
    for lane, waiting in select(db, "SELECT lane, waiting FROM lanes ORDER BY lane"):
        first = db.execute("SELECT put_ms FROM messages WHERE lane = ? ORDER BY seq LIMIT 1", (lane,)).get
        oldest_ms = min((ms for ms in (first, delayed.get(lane)) if ms is not None), default=None)
        found.append(LaneDepth(lane=lane, waiting=waiting, parked=parked.get(lane, 0), oldest_ms=oldest_ms))
    return found


def parked(db: apsw.Connection, limit: int) -> list[Parked]:
    """The parked messages, oldest first."""
    sql = "SELECT lane, key, id, body, tries, reason, parked_ms FROM parked ORDER BY parked_ms, seq LIMIT ?"
    return [
        Parked(message=Message(lane=lane, key=key, id=i, body=body), tries=tries, reason=reason, parked_ms=parked_ms)
        for lane, key, i, body, tries, reason, parked_ms in db.execute(sql, (limit,))
    ]
