"""Apache Cassandra, for the box store: one node on 127.0.0.1, or three on .1, .2 and .3."""

from pathlib import Path

from tests.engines import maven
from tests.engines.places import Places
from tests.engines.server import Command, ask

JARS = maven.Jars("cassandra", ["org.apache.cassandra:cassandra-all:5.0.5"])

_OPENS = {
    "java.base": "java.lang java.lang.module java.lang.reflect java.io java.nio java.util java.util.concurrent "
    "java.util.concurrent.atomic jdk.internal.loader jdk.internal.ref jdk.internal.reflect jdk.internal.math "
    "jdk.internal.module jdk.internal.util.jar sun.nio.ch",
    "jdk.management": "com.sun.management.internal",
    "java.rmi": "sun.rmi.transport.tcp",
}
_EXPORTS = {
    "java.base": "jdk.internal.misc jdk.internal.ref java.lang.ref sun.nio.ch",
    "java.management.rmi": "com.sun.jmx.remote.internal.rmi",
    "java.rmi": "sun.rmi.registry sun.rmi.server",
    "java.sql": "java.sql",
    "jdk.unsupported": "sun.misc",
}
_MEMORY = "-Xms384m -Xmx384m -Xmn128m -XX:+UseSerialGC -XX:MaxDirectMemorySize=256m -XX:+ExitOnOutOfMemoryError"
# A node that is alone, or whose peers are on the same machine, need not wait for rumours to settle.
_FAST = (
    "-Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=1000 "
    "-Dcassandra.consistent.rangemovement=false"
)
_YAML = """cluster_name: townsquare
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
num_tokens: 4
allocate_tokens_for_local_replication_factor: {replicas}
listen_address: {host}
rpc_address: {host}
storage_port: {storage_port}
native_transport_port: {port}
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "127.0.0.1:{storage_port}"}}]
endpoint_snitch: GossipingPropertyFileSnitch
commitlog_sync: {sync}
commitlog_total_space: 128MiB
commitlog_segment_size: 4MiB
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
concurrent_reads: 8
concurrent_writes: 8
concurrent_compactors: 1
paxos_variant: v2
auto_snapshot: false
hinted_handoff_enabled: true
"""
# Alone, what is acknowledged must be on the disk; three nodes cover each other.
_SYNC_ALONE = "group\ncommitlog_sync_group_window: 2ms"
_SYNC_TOGETHER = "periodic\ncommitlog_sync_period: 1000ms"
_LOGBACK = """<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender"><encoder>
<pattern>%d{HH:mm:ss.SSS} %-5level %logger{0} %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="out"/></root></configuration>
"""
_OPTIONS, _SUPPORTED = b"\x04\x00\x00\x00\x05\x00\x00\x00\x00", 6


class Cassandra:
    """One node. `node` 0 stands alone; 1, 2 and 3 are one cluster, started one after another."""

    starts_within_s, stops_within_s = 240.0, 30.0

    def __init__(self, name: str, *, node: int, port: int) -> None:
        self.name, self._node, self._port = name, node, port

    def missing(self, where: Places) -> str | None:
        return JARS.missing(where.installed)

    def install(self, where: Places) -> None:
        maven.java()
        JARS.install(where.installed)

    def url(self, where: Places) -> str:
        return f"cassandra://{self._host}:{where.first_port + self._port}/townsquare"

    def command(self, where: Places, folder: Path) -> Command:
        conf = folder / "conf"
        conf.mkdir(exist_ok=True)
        first = where.first_port + self._port
        (conf / "cassandra.yaml").write_text(
            _YAML.format(
                host=self._host,
                port=first,
                storage_port=first + 1,
                replicas=3 if self._node else 1,
                sync=_SYNC_TOGETHER if self._node else _SYNC_ALONE,
            )
        )
        (conf / "cassandra-rackdc.properties").write_text("dc=dc1\nrack=rack1\n")
        (conf / "logback.xml").write_text(_LOGBACK)
        return Command([maven.java(), *self._flags(where, folder, first)], {"CASSANDRA_CONF": str(conf)})

    def answers(self, where: Places) -> bool:
        answer = ask((self._host, where.first_port + self._port), _OPTIONS, enough=9)
        return len(answer) >= 5 and answer[4] == _SUPPORTED

    @property
    def _host(self) -> str:
        return f"127.0.0.{max(self._node, 1)}"

    def _flags(self, where: Places, folder: Path, first: int) -> list[str]:
        conf = folder / "conf"
        modules = [f"--add-opens={m}/{p}=ALL-UNNAMED" for m, packages in _OPENS.items() for p in packages.split()]
        modules += [f"--add-exports={m}/{p}=ALL-UNNAMED" for m, packages in _EXPORTS.items() for p in packages.split()]
        (folder / "tmp").mkdir(exist_ok=True)
        return [
            *_MEMORY.split(),
            "-Djdk.attach.allowAttachSelf=true",
            "-Dio.netty.tryReflectionSetAccessible=true",
            *modules,
            *_FAST.split(),
            f"-Dcassandra.config=file://{conf}/cassandra.yaml",
            f"-Dcassandra.storagedir={folder}/data",
            f"-Dcassandra.jmx.local.port={first + 2 + self._node}",
            f"-Dlogback.configurationFile={conf}/logback.xml",
            "-Dcassandra-foreground=yes",
            f"-Djava.io.tmpdir={folder}/tmp",
            "-cp",
            f"{conf}:{JARS.class_path(where.installed)}",
            "org.apache.cassandra.service.CassandraDaemon",
        ]
