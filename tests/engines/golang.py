"""Servers that are built from Go modules."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.engines.server import InstallError

_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/go/bin"))


def install(package: str, folder: Path) -> None:
    """Build the program of a package, `path@version`, into `folder`.

    Raises: InstallError.
    """
    go = shutil.which("go", path=_PATH)
    if go is None:
        raise InstallError("Go is missing: sudo apt-get install golang-go, or https://go.dev/doc/install")
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-trimpath", "CGO_ENABLED": "0"}
    done = subprocess.run([go, "install", package], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallError(f"go install {package} failed: {done.stderr.strip()[-800:]}")
