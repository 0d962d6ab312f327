"""systemd takes the units, and thinks that they expose little."""

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.tools import DEPLOY, run, tool

pytestmark = pytest.mark.slow  # a program is started for each

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MOST_EXPOSURE = 15  # of 100; what is left are its sockets, and that it has no file system of its own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units with a program that is there, instances by their names."""
    for unit in [*UNITS, DEPLOY / "systemd" / "townsquare.target"]:
        name = unit.name.replace("web@", "web@3000").replace("workers@", "workers@1")
        text = unit.read_text().replace("/opt/townsquare/bin/townsquare", shutil.which("true") or "/bin/true")
        (tmp_path / name).write_text(text)
        (tmp_path / unit.name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_unit_is_clean_and_hardened(unit: Path, folder: Path) -> None:
    """No word of it is unknown; the exposure is low."""
    name = unit.name.replace("web@", "web@3000").replace("workers@", "workers@1")
    said = run([tool("systemd-analyze"), "verify", "--man=no", f"./{name}"], folder=folder)
    assert said.strip() == ""
    words = ["security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSURE}", f"./{name}"]
    run([tool("systemd-analyze"), *words], folder=folder)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_command_is_ours(unit: Path) -> None:
    """With options that the command has, and more time to stop than the drain takes."""
    text = unit.read_text()
    [words] = re.findall(
        r"^ExecStart=/opt/townsquare/bin/townsquare --data /var/lib/townsquare (.*)$", text, re.MULTILINE
    )
    done = subprocess.run(
        [sys.executable, "-m", "townsquare", words.split()[0], "--help"], capture_output=True, text=True, check=True
    )
    for option in re.findall(r"--[a-z-]+", words):
        assert option in done.stdout
    assert "TimeoutStopSec=40" in text


def test_what_is_forbidden_is_not_needed() -> None:
    """The kernel refuses memory that is written and executed; pictures, passwords and the store still work."""
    if ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) < 0:
        pytest.skip("this kernel has no PR_SET_MDWE")
    code = """if True:
        import ctypes, mmap
        assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0
        try:
            mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        except PermissionError:
            pass
        else:
            raise SystemExit("not refused")
        import apsw, numpy, nh3, pyvips, uvloop
        from argon2 import PasswordHasher
        PasswordHasher().hash("x")
        picture = pyvips.Image.black(300, 300, bands=3) + [1, 2, 3]
        assert picture.cast("uchar").thumbnail_image(100).gaussblur(2).jpegsave_buffer()
        assert apsw.Connection(":memory:").execute("select 1").fetchall()
        print("done")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "done", done.stderr
