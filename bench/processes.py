"""What processes use, as the kernel counts it: CPU time and memory of a process with all its descendants."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_A_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """The process and all below it that are alive."""
    found, todo = [], [pid]
    while todo:
        each = todo.pop()
        try:
            for task in (_PROC / str(each) / "task").iterdir():
                todo += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
        found.append(each)
    return found


def cpu_s(pid: int) -> float:
    """User and system time so far of the process, of all below it, and of those below it that ended and were waited
    for."""
    ticks = 0
    for each in descendants(pid):
        try:
            fields = (_PROC / str(each) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS_A_S


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a set of processes. RSS counts shared pages once for each process, PSS shares them out."""

    rss_bytes: int
    pss_bytes: int


def memory(pid: int) -> Memory:
    """Memory of the process and all below it."""
    sums = {"Rss:": 0, "Pss:": 0}
    for each in descendants(pid):
        try:
            lines = (_PROC / str(each) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, rest = line.partition(" ")
            if name in sums:
                sums[name] += int(rest.split()[0]) * 1024
    return Memory(sums["Rss:"], sums["Pss:"])
