"""A Redis or Memcached of a test's own, which it may stop, kill, flush and start again."""

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
from townsquare.cache.memcached import MemcachedOuter
from townsquare.cache.outer import Outer
from townsquare.cache.redis import RedisOuter
from townsquare.wire.memcached import Memcached, MemcachedAddress
from townsquare.wire.redis import Address, Redis

_WITHIN_S = 20.0


class _Own:
    """One server process in a folder."""

    name = ""
    ping = flush = b""

    def __init__(self, folder: Path) -> None:
        """Skips the test where it is not installed."""
        servers().check(self.name, needs="hiredis")
        self._folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def words(self) -> list[str]:
        """How it is started."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._folder.mkdir(exist_ok=True)
        self._process = subprocess.Popen(self.words(), stdout=subprocess.DEVNULL, cwd=self._folder)
        until = time.monotonic() + _WITHIN_S
        while time.monotonic() < until:
            try:
                if self.says(self.ping):
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError(f"{self.name} does not start")

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


class OwnRedis(_Own):
    """A Redis. A `SAVE` lasts over a restart."""

    name, ping, flush = "redis", b"PING", b"FLUSHALL"

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address.of(f"redis://127.0.0.1:{self.port}")

    def words(self) -> list[str]:
        program = debian.program("redis-server") or "redis-server"
        return [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]

    def outer(self) -> Outer:
        """The cache's values in it, over a connection of its own."""
        return RedisOuter(Redis(self.address))


class OwnMemcached(_Own):
    """A Memcached."""

    name, ping, flush = "memcached", b"version", b"flush_all"

    def words(self) -> list[str]:
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return [debian.program("memcached") or "", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-t", "1", *user]

    def outer(self) -> Outer:
        """The same."""
        return MemcachedOuter(Memcached(MemcachedAddress.of(f"memcached://127.0.0.1:{self.port}")))


async def until_true(question: "object", *, within_s: float = _WITHIN_S) -> None:
    """Wait until `question()` or what it returns to be awaited is true."""
    async with asyncio.timeout(within_s):
        while True:
            answer = question()  # type: ignore[operator]  # either sort
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.01)
