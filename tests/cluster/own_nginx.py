"""NGINX in front of what a test says, with the file that `townsquare edge nginx` writes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.contract.servers import servers
from tests.engines import debian
from tests.live import environment, eventually, free_port

_START_S = 10.0


class OwnNginx:
    """One NGINX of a test's own, in a folder."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """Skips the test where it is not installed."""
        servers().check("nginx", needs="httpx")
        self.folder, self.port = folder, free_port()
        self.url = f"http://localhost:{self.port}"
        self.settings: dict[str, Any] = {
            "url": self.url,
            "edge_listen": [f"127.0.0.1:{self.port}"],
            "edge_cache": str(folder / "cache"),
            "edge_logs": str(folder),
            "edge_user": "root" if os.geteuid() == 0 else "nobody",
            **settings,
        }
        (folder / "cache").mkdir(parents=True)
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, **settings: Any) -> Path:
        """Write its file by the command line, from these settings beside the first ones."""
        self.settings.update(settings)
        given = {
            f"TOWNSQUARE_{name.upper()}": ",".join(value) if isinstance(value, list) else str(value)
            for name, value in self.settings.items()
        }
        out = self.folder / "nginx.conf"
        words = [sys.executable, "-m", "townsquare", "edge", "nginx", "--out", str(out)]
        done = subprocess.run(words, env={**environment(), **given}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return out

    def start(self) -> None:
        """Write the file and start."""
        self.run(self.write())

    def run(self, conf: Path) -> None:
        """Start with this file and wait until it listens."""
        program = debian.program("nginx") or "nginx"
        own = f"daemon off; pid {self.folder}/nginx.pid;"
        with (self.folder / "nginx.log").open("ab") as log:
            self.process = subprocess.Popen([program, "-c", str(conf), "-g", own], stdout=log, stderr=log)
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            assert self.process.poll() is None, (self.folder / "nginx.log").read_text()
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/", timeout=5)
            except httpx.TransportError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("NGINX does not start")

    def workers(self) -> set[int]:
        """The pids of its workers."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {int(pid) for pid in children}

    def reload(self, *, whole: bool = True) -> None:
        """Read the file anew, as `nginx -s reload` does; back when workers with it are there, and with `whole` when
        those without it are gone."""
        assert self.process is not None
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.workers() - before and not (whole and self.workers() & before))

    def log(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def close(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=10)
            self.process = None


@contextmanager
def own_nginx(folder: Path, **settings: Any) -> Iterator[OwnNginx]:
    """A running NGINX, ended behind the test."""
    nginx = OwnNginx(folder, **settings)
    try:
        nginx.start()
        yield nginx
    finally:
        nginx.close()
