"""A Redis of a test's own, which it may stop, kill, flush and start again, with a file of what it held or without."""

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.contract.servers import servers
from tests.engines import debian
from tests.engines.server import ask
from tests.live import free_port

from townsquare.wire.redis import Address

_WITHIN_S = 20.0


class OwnRedis:
    """One server process in a folder."""

    def __init__(self, folder: Path) -> None:
        """Skips the test where no Redis is installed."""
        servers().check("redis", needs="hiredis")
        self._folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address.of(f"redis://127.0.0.1:{self.port}")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._folder.mkdir(exist_ok=True)
        program = debian.program("redis-server") or "redis-server"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + _WITHIN_S
        while time.monotonic() < until:
            try:
                if self.says(b"PING") == b"+PONG\r\n":
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("Redis does not start")

    def says(self, command: bytes) -> bytes:
        """Its answer to a command."""
        return ask(("127.0.0.1", self.port), command + b"\r\n", enough=3)

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._process = None

    def stand_still(self) -> None:
        """Let it do nothing, its connections standing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """The end of that."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Be rid of it."""
        if self._process is not None:
            self.go_on()
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


async def until_true(question: "object", *, within_s: float = _WITHIN_S) -> None:
    """Wait until `question()` or what it returns to be awaited is true."""
    async with asyncio.timeout(within_s):
        while True:
            answer = question()  # type: ignore[operator]  # either sort
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.01)
