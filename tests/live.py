"""A real server for a test: `townsquare run` on a port of its own, with accounts made by the command line."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_S = 30.0  # on a busy machine; bench measures the real figure
SCOPES = "read write follow push profile"
PASSWORD = "correct horse battery"

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass(slots=True)
class LiveServer:
    """A running server."""

    process: subprocess.Popen[bytes]
    data: Path
    url: str

    def cli(self, *words: str) -> Any:
        """Run a command on the server's data; its last line of JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "townsquare", "--data", str(self.data), *words, "--json"],
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
            timeout=300,
        )
        if done.returncode:
            raise AssertionError(f"townsquare {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    def account(self, name: str, *, role: str = "user", scopes: str = SCOPES) -> dict[str, str]:
        """Make an account; its id, username and token."""
        made: dict[str, str] = self.cli(
            "accounts",
            "create",
            name,
            "--email",
            f"{name}@example.org",
            "--password",
            PASSWORD,
            "--role",
            role,
            "--confirmed",
            "--scopes",
            scopes,
        )
        return made

    def client(self, token: str = "") -> httpx.Client:
        """An HTTP client with this token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def children(self) -> list[int]:
        """The pids of the roles."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def wait_ready(self) -> None:
        """Until it answers that it is ready."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}")
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"not ready after {START_S} s")

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)


def environment() -> dict[str, str]:
    """The environment of a command under test: ours, without settings, with the source of this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOWNSQUARE_")}
    return {**kept, "PYTHONPATH": str(ROOT / "src")}


@contextmanager
def live_server(data: Path, *options: str, test_mode: bool = True, port: int = 0) -> Iterator[LiveServer]:
    """A running server with its data in `data`, stopped at the end."""
    port = port or free_port()
    url = f"http://localhost:{port}"
    words: Sequence[str] = [
        sys.executable,
        "-m",
        "townsquare",
        "run",
        "--data",
        str(data),
        "--bind",
        f"127.0.0.1:{port}",
        "--url",
        url,
        *(["--test-mode"] if test_mode else []),
        *options,
    ]
    log = data.parent / f"{data.name}.log"
    with log.open("ab") as out:
        server = LiveServer(subprocess.Popen(words, env=environment(), stdout=out, stderr=out), data, url)
        try:
            server.wait_ready()
            yield server
        finally:
            if server.process.poll() is None:
                server.stop()


def eventually(look: Any, *, within_s: float = 10.0) -> Any:
    """Call `look` until it gives something true; AssertionError when it does not in time."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing after {within_s} s")
        time.sleep(0.05)
