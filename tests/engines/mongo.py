"""A stand-in for MongoDB, for the box store: mongo-java-server over H2. No registry carries MongoDB itself."""

import shutil
import struct
import subprocess
from pathlib import Path

from tests.engines import maven
from tests.engines.places import Places
from tests.engines.server import Command, InstallError, ask

JARS = maven.Jars("mongo-java-server", ["de.bwaldvogel:mongo-java-server-h2-backend:1.47.0"])

# Like the real one it answers a write when that is in its file; left alone, H2 writes once a second. And like the real
# one it shows and keeps whole documents alone; left alone, it changes them in place while another thread sends them or
# writes them to the file.
_MAIN = """import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.util.ArrayList;
import java.util.List;
import org.h2.mvstore.MVStore;

public class Main {
    public static void main(String[] args) {
        MongoServer server = new MongoServer(new Backend(args[0]));
        server.bind("127.0.0.1", Integer.parseInt(args[1]));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    }

    static class Backend extends H2Backend {
        Backend(String path) {
            super(path);
        }

        @Override
        public Document handleMessage(MongoMessage message) {
            Document answer = super.handleMessage(message);
            commit();
            return answer;
        }

        @Override
        protected MongoDatabase openOrCreateDatabase(String name) {
            return new Database(name);
        }

        class Database extends H2Database {
            Database(String name) {
                super(name, getMvStore(), getCursorRegistry());
            }

            @Override
            protected MongoCollection<Object> openOrCreateCollection(String name, CollectionOptions options) {
                String full = getFullCollectionNamespace(name);
                return new Collection(this, name, options, getMvStore(), full, Backend.this.getCursorRegistry());
            }
        }
    }

    static class Collection extends H2Collection {
        Collection(MongoDatabase database, String name, CollectionOptions options, MVStore store, String full,
                CursorRegistry cursors) {
            super(database, name, options, store.openMap("databases." + full), store.openMap("meta." + full), cursors);
        }

        @Override
        protected Document getDocument(Object position) {
            Document kept = super.getDocument(position);
            return kept == null ? null : kept.cloneDeeply();
        }

        @Override
        protected QueryResult matchDocuments(Document query, Document order, int skip, int most, int batch,
                Document fields) {
            QueryResult found = super.matchDocuments(query, order, skip, most, batch, fields);
            List<Document> copies = new ArrayList<>();
            found.forEach(kept -> copies.add(kept.cloneDeeply()));
            return new QueryResult(copies, found.getCursorId());
        }
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
