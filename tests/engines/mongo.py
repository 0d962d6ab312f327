"""A stand-in for MongoDB, for the box store: mongo-java-server over H2. No registry carries MongoDB itself."""

import shutil
import struct
import subprocess
from pathlib import Path

from tests.engines import maven
from tests.engines.places import Places
from tests.engines.server import Command, InstallError, ask

JARS = maven.Jars("mongo-java-server", ["de.bwaldvogel:mongo-java-server-h2-backend:1.47.0"])

# Like the real one it answers a write when that is in its file; left alone, H2 writes once a second.
_MAIN = """import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;

public class Main {
    public static void main(String[] args) {
        MongoServer server = new MongoServer(new H2Backend(args[0]) {
            @Override
            public Document handleMessage(MongoMessage message) {
                Document answer = super.handleMessage(message);
                commit();
                return answer;
            }
        });
        server.bind("127.0.0.1", Integer.parseInt(args[1]));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    }
}
"""
# OP_QUERY {isMaster: 1} on admin.$cmd, as a driver of any age begins.
_DOCUMENT = struct.pack("<i", 19) + b"\x10isMaster\x00" + struct.pack("<i", 1) + b"\x00"
_QUERY = struct.pack("<i", 0) + b"admin.$cmd\x00" + struct.pack("<ii", 0, -1) + _DOCUMENT


class Mongo:
    """One server that keeps its data in one file."""

    starts_within_s, stops_within_s = 60.0, 10.0

    def __init__(self, name: str, *, port: int) -> None:
        self.name, self._port = name, port

    def missing(self, where: Places) -> str | None:
        folder = JARS.folder(where.installed)
        built = (folder / "Main.class").exists() and (folder / "Main.java").read_text() == _MAIN
        return JARS.missing(where.installed) if built else "mongo-java-server"

    def install(self, where: Places) -> None:
        java = maven.java()
        JARS.install(where.installed)
        folder = JARS.folder(where.installed)
        (folder / "Main.class").unlink(missing_ok=True)
        (folder / "Main.java").write_text(_MAIN)
        compiler = shutil.which("javac", path=str(Path(java).resolve().parent))
        if compiler is None:
            raise InstallError("Java's compiler is missing: sudo apt-get install openjdk-17-jdk-headless")
        command = [compiler, "-cp", JARS.class_path(where.installed), "Main.java"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InstallError(f"javac failed: {done.stderr.strip()[-800:]}")

    def url(self, where: Places) -> str:
        return f"mongodb://127.0.0.1:{where.first_port + self._port}/townsquare"

    def command(self, where: Places, folder: Path) -> Command:
        class_path = f"{JARS.folder(where.installed)}:{JARS.class_path(where.installed)}"
        port = str(where.first_port + self._port)
        memory = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]
        return Command([maven.java(), *memory, "-cp", class_path, "Main", str(folder / "data"), port])

    def answers(self, where: Places) -> bool:
        request = struct.pack("<iiii", 16 + len(_QUERY), 7, 0, 2004) + _QUERY
        answer = ask(("127.0.0.1", where.first_port + self._port), request, enough=16)
        return answer[8:16] == struct.pack("<ii", 7, 1)  # a reply to our request
