"""Servers for the contract suites: each started once a run, where it is installed.

Where it is not, its tests are skipped and say so; with `TOWNSQUARE_ENGINES=all` in the environment they fail instead.
"""

import fcntl
import functools
import importlib.util
import os
from typing import TextIO

import pytest

from tests.engines import control
from tests.engines.places import places


class Servers:
    """The servers that this process uses. The last process to let go of one stops it."""

    def __init__(self) -> None:
        self._used: dict[str, TextIO] = {}

    def check(self, name: str, *, needs: str) -> None:
        """Skip or fail the test where the server is not installed. `needs`: the module of its driver."""
        lacking = control.missing(name)
        if lacking is None and importlib.util.find_spec(needs) is None:
            lacking = f"Python's {needs}, by pip install townsquare[cluster]"
        if lacking is not None:
            reason = f"{name} is not installed ({lacking}): make engines ARGS={name}"
            if os.environ.get("TOWNSQUARE_ENGINES") == "all":
                pytest.fail(reason)
            pytest.skip(reason)

    def url(self, name: str, *, needs: str) -> str:
        """Where the server answers; started if it does not run."""
        self.check(name, needs=needs)
        if name not in self._used:
            self._used[name] = _share(name)
        control.start(name, fresh=True)
        control.wait(name)
        return control.url(name)

    def let_go(self) -> None:
        """Stop those servers that no other process uses."""
        for name, users in self._used.items():
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                control.stop(name)
            users.close()
        self._used.clear()


@functools.cache
def servers() -> Servers:
    """Those of this process; `tests/contract/conftest.py` lets go of them at the end."""
    return Servers()


def mongo_server() -> str:
    """A MongoDB: the real one that `TOWNSQUARE_TEST_MONGO_URL` names (its databases `contract_...` are ours), or the
    stand-in."""
    return os.environ.get("TOWNSQUARE_TEST_MONGO_URL") or servers().url("mongo", needs="pymongo")


def _share(name: str) -> TextIO:
    folder = places().folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    users = (folder.parent / f"{name}.users").open("w")
    fcntl.flock(users, fcntl.LOCK_SH)
    return users
