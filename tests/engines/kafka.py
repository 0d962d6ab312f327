"""Apache Kafka, for the box queue: KRaft, broker and controller in one; one node, or three."""

import struct
import subprocess
from pathlib import Path

from tests.engines import maven
from tests.engines.places import Places
from tests.engines.server import Command, InstallError, ask

JARS = maven.Jars(
    "kafka",
    [
        "org.apache.kafka:kafka_2.13:4.4.0",
        "org.apache.logging.log4j:log4j-core:2.24.3",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
    ],
)

_CLUSTER = "dG93bnNxdWFyZS10ZXN0cw"  # 16 bytes in base64
_PROPERTIES = """process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
num.network.threads=2
num.io.threads=4
num.partitions=4
auto.create.topics.enable=false
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=4
log.cleaner.dedupe.buffer.size=8388608
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=3000
group.consumer.min.heartbeat.interval.ms=300
group.consumer.heartbeat.interval.ms=1000
"""
_LOG4J = """rootLogger.level=warn
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=out
appenders=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1} %m%n
"""
_MEMORY = "-Xmx384m -XX:+UseSerialGC -XX:MaxDirectMemorySize=128m -XX:+ExitOnOutOfMemoryError"
_API_VERSIONS = struct.pack(">hhih", 18, 0, 7, -1)


class Kafka:
    """One node. `node` 0 stands alone; 1, 2 and 3 are one cluster, started together: two of three must be there."""

    starts_within_s, stops_within_s = 120.0, 30.0

    def __init__(self, name: str, *, node: int, port: int) -> None:
        self.name, self._node, self._port = name, node, port

    def missing(self, where: Places) -> str | None:
        return JARS.missing(where.installed)

    def install(self, where: Places) -> None:
        maven.java()
        JARS.install(where.installed)

    def url(self, where: Places) -> str:
        return f"kafka://127.0.0.1:{where.first_port + self._port}"

    def command(self, where: Places, folder: Path) -> Command:
        # Ports of a cluster of three lie two by two.
        port, nodes = where.first_port + self._port, [1, 2, 3] if self._node else [0]
        voters = ",".join(f"{node}@127.0.0.1:{port + 2 * (node - self._node) + 1}" for node in nodes)
        (folder / "server.properties").write_text(
            _PROPERTIES.format(
                node=self._node,
                voters=voters,
                port=port,
                controller_port=port + 1,
                folder=folder,
                replicas=len(nodes),
                in_sync=2 if self._node else 1,
            )
        )
        (folder / "log4j2.properties").write_text(_LOG4J)
        (folder / "tmp").mkdir(exist_ok=True)
        if not (folder / "data" / "meta.properties").exists():
            self._format(where, folder)
        return Command([*self._java(where, folder), "kafka.Kafka", str(folder / "server.properties")])

    def answers(self, where: Places) -> bool:
        request = struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS
        answer = ask(("127.0.0.1", where.first_port + self._port), request, enough=10)
        return answer[4:8] == _API_VERSIONS[4:8]  # the number of our request

    def _java(self, where: Places, folder: Path) -> list[str]:
        log = f"-Dlog4j2.configurationFile={folder}/log4j2.properties"
        tmp = f"-Djava.io.tmpdir={folder}/tmp"
        return [maven.java(), *_MEMORY.split(), log, tmp, "-cp", JARS.class_path(where.installed)]

    def _format(self, where: Places, folder: Path) -> None:
        arguments = ["format", "-t", _CLUSTER, "-c", str(folder / "server.properties")]
        command = [*self._java(where, folder), "kafka.tools.StorageTool", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InstallError(f"Kafka's storage cannot be formatted: {(done.stdout + done.stderr).strip()[-800:]}")
