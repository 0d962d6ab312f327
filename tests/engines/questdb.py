"""QuestDB, for the box analytics: SQL and the line protocol over HTTP."""

from pathlib import Path

from tests.engines import maven
from tests.engines.places import Places
from tests.engines.server import Command, ask

JARS = maven.Jars("questdb", ["org.questdb:questdb:9.3.4"])

_CONF = """http.bind.to=127.0.0.1:{port}
http.min.enabled=false
pg.enabled=false
line.tcp.enabled=false
line.udp.enabled=false
telemetry.enabled=false
metrics.enabled=false
shared.worker.count=2
cairo.writer.data.append.page.size=128k
cairo.writer.data.index.value.append.page.size=128k
cairo.writer.data.index.key.append.page.size=64k
cairo.wal.writer.data.append.page.size=128k
cairo.o3.column.memory.size=128k
"""  # pages are made whole on the disk, for each column of each table; by default they hold 16 MiB
_MEMORY = "-Xmx384m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError"
_PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"


class QuestDb:
    """One server, whose data outlives it."""

    starts_within_s, stops_within_s = 120.0, 20.0

    def __init__(self, name: str, *, port: int) -> None:
        self.name, self._port = name, port

    def missing(self, where: Places) -> str | None:
        return JARS.missing(where.installed)

    def install(self, where: Places) -> None:
        maven.java()
        JARS.install(where.installed)

    def url(self, where: Places) -> str:
        return f"questdb://127.0.0.1:{where.first_port + self._port}"

    def command(self, where: Places, folder: Path) -> Command:
        (folder / "conf").mkdir(exist_ok=True)
        (folder / "conf" / "server.conf").write_text(_CONF.format(port=where.first_port + self._port))
        program = ["-cp", JARS.class_path(where.installed), "io.questdb.ServerMain", "-d", str(folder)]
        return Command([maven.java(), *_MEMORY.split(), *program])

    def answers(self, where: Places) -> bool:
        answer = ask(("127.0.0.1", where.first_port + self._port), _PING, enough=12)
        return answer.startswith(b"HTTP/1.1 204")
