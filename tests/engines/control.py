"""Start, wait for, stop and kill servers by name. Several programs may do so at once: a lock guards each server."""

import contextlib
import fcntl
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.engines import process
from tests.engines.known import SERVERS
from tests.engines.places import places
from tests.engines.server import Server

_LOOK_EVERY_S = 0.05


class StartError(Exception):
    """A server does not come up; the message ends with the last lines of its log."""


def missing(name: str) -> str | None:
    """What has to be installed before the server can start, in words."""
    return SERVERS[name].missing(places())


def url(name: str) -> str:
    """The setting's value that leads to the server."""
    return SERVERS[name].url(places())


def start(name: str, *, fresh: bool = False) -> bool:
    """Start the server unless it runs; `fresh`: without the data of an earlier run. Whether it had to be started."""
    with _locked(name) as folder:
        if process.running(folder) is not None:
            return False
        server, where = SERVERS[name], places()
        if _listens(server):
            raise StartError(f"{name}: something else answers at {server.url(where)}")
        if fresh:
            for path in folder.iterdir():
                if path.name != "lock":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        process.start(server.command(where, folder), folder)
        return True


def runs(name: str) -> bool:
    """Whether it was started here and has not ended."""
    return process.running(places().folder(name)) is not None


def wait(name: str) -> float:
    """Wait until the server answers; the seconds that took.

    Raises: StartError.
    """
    server, folder, began = SERVERS[name], places().folder(name), time.monotonic()
    while not _answers(server):
        if process.running(folder) is None:
            raise StartError(f"{name} has ended. {folder}/log:\n{process.last_words(folder)}")
        if time.monotonic() - began > server.starts_within_s:
            raise StartError(f"{name} does not answer. {folder}/log:\n{process.last_words(folder)}")
        time.sleep(_LOOK_EVERY_S)
    return time.monotonic() - began


def stop(name: str) -> None:
    """Stop the server as its own manual would; nothing if it does not run."""
    with _locked(name) as folder:
        process.end(folder, within_s=SERVERS[name].stops_within_s)


def kill(name: str) -> None:
    """kill -9."""
    with _locked(name) as folder:
        process.kill(folder)


def hang(name: str) -> None:
    """Let it do nothing until `go_on`, while its connections stay."""
    with _locked(name) as folder:
        process.tell(folder, signal.SIGSTOP)


def go_on(name: str) -> None:
    """Let a server that hangs go on."""
    with _locked(name) as folder:
        process.tell(folder, signal.SIGCONT)


def status(name: str) -> str:
    """One line."""
    server, where = SERVERS[name], places()
    if (lacking := server.missing(where)) is not None:
        return f"not installed ({lacking})"
    pid = process.running(where.folder(name))
    if pid is None:
        return "installed, not running"
    return f"pid {pid}, {'answers' if _answers(server) else 'does not answer'} at {server.url(where)}"


def _answers(server: Server) -> bool:
    try:
        return server.answers(places())
    except OSError:
        return False


def _listens(server: Server) -> bool:
    """Whether somebody is at its address, whatever he says."""
    try:
        server.answers(places())
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def _locked(name: str) -> Iterator[Path]:
    folder = places().folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
