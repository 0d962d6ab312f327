"""versitygw, S3 over a folder, for the box media: it checks signatures, ranges and the ends of signed links."""

from pathlib import Path

from tests.engines import golang
from tests.engines.places import Places
from tests.engines.server import Command, ask

PACKAGE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
BUCKET, KEY, SECRET = "townsquare", "townsquare", "only-for-tests"


class S3:
    """One server with one bucket."""

    starts_within_s, stops_within_s = 20.0, 5.0

    def __init__(self, name: str, *, port: int) -> None:
        self.name, self._port = name, port

    def missing(self, where: Places) -> str | None:
        return None if self._program(where).exists() else "versitygw"

    def install(self, where: Places) -> None:
        golang.install(PACKAGE, self._program(where).parent)

    def url(self, where: Places) -> str:
        return f"s3://{KEY}:{SECRET}@{BUCKET}?endpoint=http://127.0.0.1:{where.first_port + self._port}"

    def command(self, where: Places, folder: Path) -> Command:
        (folder / "data" / BUCKET).mkdir(parents=True, exist_ok=True)  # a folder is a bucket
        sidecar = folder / "sidecar"  # what the objects say of themselves; not every file system keeps attributes
        sidecar.mkdir(parents=True, exist_ok=True)
        address = f"127.0.0.1:{where.first_port + self._port}"
        words = ["--port", address, "--quiet", "posix", "--sidecar", str(sidecar), str(folder / "data")]
        return Command([str(self._program(where)), *words], {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET})

    def answers(self, where: Places) -> bool:
        request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        return ask(("127.0.0.1", where.first_port + self._port), request, enough=12).startswith(b"HTTP/1.1 403")

    def _program(self, where: Places) -> Path:
        return where.installed / "versitygw" / "versitygw"
