"""Runs the programs that check deploy/: skipped where one is not installed, failed with TOWNSQUARE_ENGINES=all."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.engines.places import places
from tests.engines.tools import TOOLS

DEPLOY = Path(__file__).parents[2] / "deploy"


def tool(name: str) -> str:
    """The program; skips or fails the test where it is not there."""
    lacking = TOOLS[name].missing(places())
    if lacking is not None:
        reason = f"{name} is not installed ({lacking}): make engines ARGS={name}"
        if os.environ.get("TOWNSQUARE_ENGINES") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    return TOOLS[name].path(places())


def run(command: Sequence[str], *, folder: Path = DEPLOY, text: str = "", fails: bool = False) -> str:
    """What the program says; AssertionError where it ends otherwise than it should."""
    done = subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "NO_COLOR": "1", "HELM_CACHE_HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, f"{' '.join(command)}\n{said}"
    return said
