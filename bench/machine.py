"""What the measurements were made on: the machine, its disk's flush, the versions, the commit."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import apsw
import msgspec
import numpy as np

from bench.server import ROOT

_FLUSHES = 200
_BLOCK = b"x" * 4096


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Facts for the head of the results."""

    date: str
    commit: str
    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    sqlite: str
    flush_median_us: float
    flush_p99_us: float
    load_before: float  # of the machine when the measurements began: others at work make all figures worse

    @property
    def lines(self) -> list[tuple[str, str]]:
        """For people."""
        return [
            ("date, commit", f"{self.date}, {self.commit}"),
            ("machine", f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB, Linux {self.kernel}"),
            ("versions", f"Python {self.python}, SQLite {self.sqlite}"),
            (
                "disk flush",
                f"{self.flush_median_us:.0f} us median, {self.flush_p99_us:.0f} us p99 (4 KiB and fdatasync)",
            ),
            ("load before", f"{self.load_before:.1f} processes that wanted a core in the last minute"),
        ]


def machine(folder: Path) -> Machine:
    """This machine; `folder` lies on the disk in question."""
    flushes = _flush_us(folder / "flush")
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=_commit(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30),
        kernel=platform.release(),
        python=platform.python_version(),
        sqlite=apsw.sqlite_lib_version(),
        flush_median_us=float(np.percentile(flushes, 50)),
        flush_p99_us=float(np.percentile(flushes, 99)),
        load_before=os.getloadavg()[0],
    )


def _flush_us(path: Path) -> list[float]:
    waits = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(_FLUSHES):
            begun = time.perf_counter()
            os.write(file, _BLOCK)
            os.fdatasync(file)
            waits.append((time.perf_counter() - begun) * 1e6)
    finally:
        os.close(file)
        path.unlink()
    return waits


def _commit() -> str:
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=9", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
