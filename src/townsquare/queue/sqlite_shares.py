"""The SQL of who holds which partition, and how the living are told from the dead.

Box: queue. All processes of a SQLite file run on one machine, so a process that was killed is seen at once by its
number; one that hangs is given up when its beat has not changed for its lease, measured by the observer's own steady
clock, so that a jump of the wall clock harms nobody.
"""

import os
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

import apsw
import msgspec

from townsquare.queue.shares import share_of
from townsquare.queue.sqlite_file import select

Partition = tuple[str, int]  # lane, number
_BLIND_S = 5.0  # an observer that was away for longer starts to observe anew


class Place(msgspec.Struct, frozen=True):
    """Where a process runs: the machine since its start and the table of process numbers, its number, its start."""

    machine: str
    pid: int
    started: int


class Presence(msgspec.Struct, frozen=True):
    """One consumer's part in one lane, as everybody sees it."""

    id: int
    lane: str
    place: Place
    beat: int
    lease_s: float


def this_place() -> Place:
    """Where we run. Without a /proc the machine is unknown, and only the lease tells that a process is gone."""
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        machine = ""
    return Place(machine, os.getpid(), _started(os.getpid()) or 0)


def _started(pid: int) -> int | None:
    """When a process started, in ticks of its machine; None where there is none that runs."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in (b"Z", b"X") else int(after_name[19])


class Observer:
    """Remembers when each consumer's beat was last seen to change."""

    def __init__(self, here: Place) -> None:
        self._here, self._beats, self._looked_s = here, dict[int, tuple[int, float]](), 0.0

    def dead(self, present: Iterable[Presence], now_s: float) -> set[int]:
        """The consumers that are gone. `now_s`: a steady clock."""
        if now_s - self._looked_s > _BLIND_S:
            self._beats.clear()
        self._looked_s = now_s
        beats, dead = dict[int, tuple[int, float]](), set[int]()
        for one in present:
            beat, since_s = self._beats.get(one.id, (one.beat, now_s))
            beats[one.id] = (one.beat, now_s if beat != one.beat else since_s)
            if now_s - beats[one.id][1] > one.lease_s or self._was_killed(one.place):
                dead.add(one.id)
        self._beats = beats
        return dead

    def _was_killed(self, place: Place) -> bool:
        return place.machine == self._here.machine != "" and _started(place.pid) != place.started


def present(db: apsw.Connection) -> list[Presence]:
    """All consumers of all lanes."""
    sql = "SELECT id, lane, place, pid, started, beat, lease_s FROM consumers"
    return [
        Presence(i, lane, Place(machine, pid, started), beat, lease_s)
        for i, lane, machine, pid, started, beat, lease_s in db.execute(sql)
    ]


def join(db: apsw.Connection, consumer: int, lanes: Collection[str], place: Place, lease_s: float) -> None:
    """Take part in lanes."""
    cells = [(consumer, lane, place.machine, place.pid, place.started, lease_s) for lane in lanes]
    db.executemany("INSERT OR IGNORE INTO consumers VALUES (?, ?, ?, ?, ?, 0, ?)", cells)
    _tell(db)


def beat(db: apsw.Connection, consumers: Collection[int]) -> None:
    """Show that these consumers live."""
    db.executemany("UPDATE consumers SET beat = beat + 1 WHERE id = ?", [(consumer,) for consumer in consumers])


def leave(db: apsw.Connection, consumers: Collection[int], *, as_tried: bool) -> None:
    """Hand back all that these consumers hold. What was out counts as a try where they were cut off in their work."""
    for consumer in consumers:
        if as_tried:
            for lane, seqs in select(db, "SELECT lane, seqs FROM outs WHERE consumer = ?", (consumer,)):
                tried = [(lane, seq) for seq in array("q", seqs)]
                db.executemany(
                    "UPDATE messages SET tries = tries + 1, cuts = cuts + 1 WHERE lane = ? AND seq = ?", tried
                )
        for table, column in (("outs", "consumer"), ("holdings", "consumer"), ("consumers", "id")):
            db.execute(f"DELETE FROM {table} WHERE {column} = ?", (consumer,))
    _tell(db)


def takes_part(db: apsw.Connection, consumer: int) -> bool:
    """Whether the consumer was not given up by the others."""
    return bool(select(db, "SELECT 1 FROM consumers WHERE id = ? LIMIT 1", (consumer,)))


def swap(
    db: apsw.Connection, consumer: int, release: Collection[Partition], want: Collection[Partition]
) -> set[Partition] | None:
    """Let go of some partitions and take those wanted that are free: what is held then; None for one given up."""
    if not takes_part(db, consumer):
        return None
    drop = "DELETE FROM holdings WHERE lane = ? AND partition = ? AND consumer = ?"
    db.executemany(drop, [(lane, partition, consumer) for lane, partition in release])
    add = "INSERT OR IGNORE INTO holdings VALUES (?, ?, ?)"
    db.executemany(add, [(lane, partition, consumer) for lane, partition in want])
    if release:
        _tell(db)
    return set(select(db, "SELECT lane, partition FROM holdings WHERE consumer = ?", (consumer,)))


def holdings(db: apsw.Connection) -> dict[Partition, int]:
    """Who holds which partition of which lane."""
    return {(lane, partition): consumer for lane, partition, consumer in db.execute("SELECT * FROM holdings")}


def shares(present: Iterable[Presence], consumer: int) -> set[Partition]:
    """The partitions that a consumer should hold."""
    lanes = defaultdict[str, set[int]](set)
    for one in present:
        lanes[one.lane].add(one.id)
    mine = [(lane, share_of(lane, consumer, ids)) for lane, ids in lanes.items() if consumer in ids]
    return {(lane, partition) for lane, partitions in mine for partition in partitions}


def _tell(db: apsw.Connection) -> None:
    db.execute("UPDATE state SET shares = shares + 1")
