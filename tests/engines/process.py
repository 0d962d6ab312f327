"""Programs that outlive who started them, known by the pid they left in their folder."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.engines.server import Command

_LOOK_EVERY_S = 0.05


def start(command: Command, folder: Path) -> None:
    """Start it detached, its words going to `log`; write `pid` (and when that process began, as pids come again)."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command.argv,
            cwd=folder,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (folder / "pid").write_text(f"{process.pid} {_began(process.pid)}")
    process.returncode = 0  # it is not ours to wait for: whoever stops it looks at the pid


def running(folder: Path) -> int | None:
    """Its pid, if it still runs."""
    try:
        pid, began = (folder / "pid").read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    with contextlib.suppress(ChildProcessError):
        os.waitpid(int(pid), os.WNOHANG)  # where it is our own child, do not leave a dead entry behind
    return int(pid) if _began(int(pid)) == began else None


def end(folder: Path, *, within_s: float) -> None:
    """Ask it to stop, and after `within_s` make it."""
    _signal(folder, signal.SIGTERM, within_s=within_s)
    kill(folder)


def kill(folder: Path) -> None:
    """End it at once, with whatever it started: kill -9."""
    _signal(folder, signal.SIGKILL, within_s=30)
    (folder / "pid").unlink(missing_ok=True)


def tell(folder: Path, number: signal.Signals) -> None:
    """Send a signal to it and whatever it started, without waiting."""
    _signal(folder, number, within_s=0)


def last_words(folder: Path, *, lines: int = 15) -> str:
    """The end of its log."""
    try:
        return "\n".join((folder / "log").read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _signal(folder: Path, number: signal.Signals, *, within_s: float) -> None:
    pid = running(folder)
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
    deadline = time.monotonic() + within_s
    while running(folder) is not None and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)


def _began(pid: int) -> str:
    """When the process began, in ticks since the machine did; empty if it is no more."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
