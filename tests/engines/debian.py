"""Servers that Debian packages carry. One that is on the machine already is used as it is."""

import os
import shutil
import subprocess
from collections.abc import Sequence

from tests.engines.server import InstallError

_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def program(name: str) -> str | None:
    """Where the program lies."""
    return shutil.which(name, path=_PATH)


def install(packages: Sequence[str]) -> None:
    """Install the packages, as root or by sudo; their services are not started.

    Raises: InstallError.
    """
    apt = shutil.which("apt-get")
    by_hand = f"sudo apt-get install --no-install-recommends {' '.join(packages)}"
    if apt is None:
        raise InstallError(f"install these by hand ({' '.join(packages)}): there is no apt-get here")
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    # RUNLEVEL: the scripts of the packages start no service where it says that the machine is not in use.
    settings = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    for arguments in (["install"], ["update"], ["install"]):
        names = ["-y", "--no-install-recommends", *packages] if arguments == ["install"] else []
        done = subprocess.run(
            [*sudo, *settings, apt, "-qq", *arguments, *names], capture_output=True, text=True, check=False
        )
        if arguments == ["install"] and done.returncode == 0:
            return
    raise InstallError(f"apt-get failed: {done.stderr.strip()[-500:]}\nBy hand: {by_hand}")
