"""Servers that Maven's registry carries as libraries: their jars, copied into a folder of ours."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.engines.server import InstallError

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>engines</groupId><artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>{dependencies}</dependencies>
</project>
"""
_DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
_OLDEST_JAVA, _NEWEST_JAVA = 17, 17  # Cassandra 5.0 knows 11 and 17; Kafka 4 wants 17


@dataclass(frozen=True, slots=True)
class Jars:
    """What to copy: `group:artifact:version` each, with all that it needs itself."""

    name: str
    artifacts: Sequence[str]

    def folder(self, installed: Path) -> Path:
        """Where the jars lie; `.done` in it once they all do. Another version lies elsewhere."""
        return installed / f"{self.name}-{self.artifacts[0].rpartition(':')[2]}"

    def missing(self, installed: Path) -> str | None:
        """What is not there yet."""
        return None if (self.folder(installed) / ".done").exists() else f"the jars of {self.name}"

    def install(self, installed: Path) -> None:
        """Copy the jars; what an interrupted copy left is used.

        Raises: InstallError.
        """
        folder = self.folder(installed)
        folder.mkdir(parents=True, exist_ok=True)
        dependencies = "".join(_DEPENDENCY.format(*artifact.split(":")) for artifact in self.artifacts)
        (folder / "pom.xml").write_text(_POM.format(name=self.name, dependencies=dependencies))
        _run(["dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"], folder)
        (folder / ".done").touch()

    def class_path(self, installed: Path) -> str:
        """All jars."""
        return f"{self.folder(installed)}/lib/*"


def fetch(artifact: str, folder: Path) -> Path:
    """One file, `group:artifact:version:type`, into a folder that may be thrown away with all that Maven put there.

    Raises: InstallError.
    """
    group, name, version, kind = artifact.split(":")
    get = ["dependency:get", f"-Dartifact={artifact}", "-Dtransitive=false", f"-Dmaven.repo.local={folder}"]
    _run(get, folder)
    return folder / group.replace(".", "/") / name / version / f"{name}-{version}.{kind}"


def java() -> str:
    """The `java` of a Java 17: the default one if it is that, else where Debian puts it.

    Raises: InstallError.
    """
    for home in (None, *sorted(Path("/usr/lib/jvm").glob("*17*"))):
        program = shutil.which("java") if home is None else shutil.which("java", path=str(home / "bin"))
        if program and _OLDEST_JAVA <= _version(program) <= _NEWEST_JAVA:
            return program
    raise InstallError("Java 17 is missing: sudo apt-get install openjdk-17-jdk-headless")


def _run(arguments: Sequence[str], folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise InstallError("Maven is missing: sudo apt-get install maven openjdk-17-jdk-headless")
    command = [maven, "-q", "-B", "-ntp", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallError(f"mvn failed: {(done.stdout + done.stderr).strip()[-800:]}")


def _version(program: str) -> int:
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    number = told.partition('version "')[2].partition(".")[0].partition('"')[0]
    return int(number) if number.isdigit() else 0
