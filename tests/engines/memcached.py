"""Memcached, for the box cache."""

import os
from pathlib import Path

from tests.engines import debian
from tests.engines.places import Places
from tests.engines.server import Command, ask


class Memcached:
    """One Memcached with 64 MB."""

    starts_within_s, stops_within_s = 10.0, 5.0

    def __init__(self, name: str, *, port: int) -> None:
        self.name, self._port = name, port

    def missing(self, where: Places) -> str | None:
        return None if debian.program("memcached") else "memcached"

    def install(self, where: Places) -> None:
        debian.install(["memcached"])

    def url(self, where: Places) -> str:
        return f"memcached://127.0.0.1:{where.first_port + self._port}"

    def command(self, where: Places, folder: Path) -> Command:
        program = debian.program("memcached") or "memcached"
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        port = str(where.first_port + self._port)
        return Command([program, "-l", "127.0.0.1", "-p", port, "-U", "0", "-m", "64", "-t", "1", *user])

    def answers(self, where: Places) -> bool:
        return ask(("127.0.0.1", where.first_port + self._port), b"version\r\n", enough=8).startswith(b"VERSION ")
