"""RabbitMQ, for the box queue."""

import shutil
from pathlib import Path

from tests.engines import debian
from tests.engines.places import Places
from tests.engines.server import Command, ask

_CONF = """listeners.tcp.1 = 127.0.0.1:{port}
loopback_users.guest = true
vm_memory_high_watermark.absolute = 384MiB
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
"""
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one in sbin insists on a user of its own
# epmd tells Erlang nodes of each other. One of our own, in the same group of processes, ends with the server.
_SCRIPT = 'epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 & exec "$0"'


class RabbitMq:
    """One node, whose data outlives it."""

    starts_within_s, stops_within_s = 120.0, 30.0

    def __init__(self, name: str, *, port: int) -> None:
        self.name, self._port = name, port

    def missing(self, where: Places) -> str | None:
        return None if _PROGRAM.exists() and shutil.which("epmd") else "rabbitmq-server"

    def install(self, where: Places) -> None:
        debian.install(["rabbitmq-server"])

    def url(self, where: Places) -> str:
        return f"amqp://guest:guest@127.0.0.1:{where.first_port + self._port}/"

    def command(self, where: Places, folder: Path) -> Command:
        port = where.first_port + self._port
        (folder / "rabbitmq.conf").write_text(_CONF.format(port=port))
        (folder / "enabled_plugins").write_text("[].\n")
        return Command(
            ["sh", "-c", _SCRIPT, str(_PROGRAM)],
            {
                "HOME": str(folder),
                "ERL_EPMD_PORT": str(port + 2),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODENAME": f"townsquare{port}@localhost",
                "RABBITMQ_DIST_PORT": str(port + 1),
                "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
                "RABBITMQ_CONF_ENV_FILE": str(folder / "no-such-file"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
                "RABBITMQ_MNESIA_BASE": str(folder / "data"),
                "RABBITMQ_LOG_BASE": str(folder / "logs"),
                "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
            },
        )

    def answers(self, where: Places) -> bool:
        answer = ask(("127.0.0.1", where.first_port + self._port), b"AMQP\x00\x00\x09\x01", enough=11)
        return answer[7:11] == b"\x00\x0a\x00\x0a"  # the method connection.start
