"""Redis, for the boxes cache, feeds and streaming."""

from pathlib import Path

from tests.engines import debian
from tests.engines.places import Places
from tests.engines.server import Command, ask


class Redis:
    """One Redis that keeps nothing on disk: what the product keeps there can all be made again."""

    starts_within_s, stops_within_s = 10.0, 5.0

    def __init__(self, name: str, *, port: int) -> None:
        self.name, self._port = name, port

    def missing(self, where: Places) -> str | None:
        return None if debian.program("redis-server") else "redis-server"

    def install(self, where: Places) -> None:
        debian.install(["redis-server"])

    def url(self, where: Places) -> str:
        return f"redis://127.0.0.1:{where.first_port + self._port}/0"

    def command(self, where: Places, folder: Path) -> Command:
        program = debian.program("redis-server") or "redis-server"
        port = str(where.first_port + self._port)
        return Command(
            [program, "--bind", "127.0.0.1", "--port", port, "--dir", str(folder), "--save", "", "--appendonly", "no",
             "--maxmemory", "512mb", "--maxmemory-policy", "allkeys-lru", "--databases", "64"]
        )  # fmt: skip

    def answers(self, where: Places) -> bool:
        return ask(("127.0.0.1", where.first_port + self._port), b"PING\r\n", enough=7) == b"+PONG\r\n"
