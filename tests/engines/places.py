"""Where servers are installed and run, and on which ports.

`TOWNSQUARE_ENGINES_DIR` names the folder of what is installed (default `.engines` beside the Makefile, kept between
runs), `TOWNSQUARE_ENGINES_RUN` that of what runs (default `run` in the former).
"""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_FIRST_PORT, _SPANS, PORTS_A_SPAN = 20_000, 120, 100  # all below the system's own choice, from 32768


@dataclass(frozen=True, slots=True)
class Places:
    """Folders, and the first port of this run folder: two checkouts on one machine do not meet."""

    installed: Path
    run: Path
    first_port: int

    def folder(self, name: str) -> Path:
        """The data, settings, log and pid of one server."""
        return self.run / name


def places() -> Places:
    """The folders that the environment names."""
    installed = Path(os.environ.get("TOWNSQUARE_ENGINES_DIR") or _ROOT / ".engines").resolve()
    run = Path(os.environ.get("TOWNSQUARE_ENGINES_RUN") or installed / "run").resolve()
    span = zlib.crc32(os.fsencode(run)) % _SPANS
    return Places(installed, run, _FIRST_PORT + span * PORTS_A_SPAN)
