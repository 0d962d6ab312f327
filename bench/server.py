"""A server under measurement: `townsquare run` with one more route, whose answer is constant bytes of this server.

Run as a program it is that server; `Server` starts it and stops it.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.processes import Memory, cpu_s, descendants, memory
from townsquare.cli import roles
from townsquare.cli.logs import set_up_logging
from townsquare.cli.supervise import Role, Supervisor
from townsquare.settings import Settings
from townsquare.social.ports import Ports
from townsquare.web.routes import Access, Limit, Request, Response, Route

ROOT = Path(__file__).parents[1]
CONSTANT = "/api/bench/constant"  # answers with the bytes of the file that --constant names
_START_S = 30.0


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the program is told, as JSON."""

    data: str
    bind: str
    web: int = 1
    workers: int = 1
    test_mode: bool = False
    constant: str = ""
    settings: dict[str, str | int | float] = {}


def main(options: Options) -> int:
    """Serve until SIGTERM."""
    settings = msgspec.convert(
        {
            "data": options.data,
            "bind": options.bind,
            "url": f"http://{options.bind}",
            "test_mode": options.test_mode,
            **options.settings,
        },
        Settings,
    )
    body = Path(options.constant).read_bytes() if options.constant else b"[]"

    async def constant(request: Request, ports: Ports) -> Response:
        """The same bytes for everybody."""
        return Response(body)

    more = [Route("GET", CONSTANT, constant, access=Access.PUBLIC, limit=Limit.NONE)]
    sock = roles.listen(settings)
    set_up_logging(settings)
    asyncio.run(roles.prepare(settings))
    work = lambda pipe: roles.run_workers(settings, (), roles.tell(pipe))  # noqa: E731
    found = roles.web_roles(settings, sock, count=options.web, more_routes=more)
    found += [Role(f"workers {n}", work) for n in range(options.workers)]
    return Supervisor(found, drain_s=5.0, on_ready=lambda: print("ready", flush=True), on_stop=sock.close).run()


@dataclass(slots=True)
class Server:
    """One that runs."""

    process: subprocess.Popen[str]
    address: tuple[str, int]
    ready_s: float  # from the start of the program until all its processes were ready

    def cpu_s(self) -> float:
        """CPU time of all its processes so far, without the start of the parent."""
        return cpu_s(self.process.pid)

    def web_cpu_s(self) -> list[float]:
        """The same for each child, in the order of their start."""
        return [cpu_s(pid) for pid in sorted(set(descendants(self.process.pid)) - {self.process.pid})]

    def memory(self) -> Memory:
        """Memory of all its processes."""
        return memory(self.process.pid)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def server(data: Path, **options: object) -> Iterator[Server]:
    """A running server with its data in `data`; stopped at the end. `options`: see Options."""
    port = free_port()
    told = msgspec.json.encode({"data": str(data), "bind": f"127.0.0.1:{port}", **options}).decode()
    with start([sys.executable, "-m", "bench.server", told], port, log=data.parent / f"{data.name}.log") as running:
        yield running


@contextmanager
def start(command: list[str], port: int, *, log: Path) -> Iterator[Server]:
    """Run a command that prints a line when it is ready; SIGTERM at the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOWNSQUARE_")}
    env = {**kept, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    begun = time.perf_counter()
    with log.open("a") as errors:
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
        try:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError(f"the server did not start; see {log}")
            yield Server(process, ("127.0.0.1", port), time.perf_counter() - begun)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=_START_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()


if __name__ == "__main__":
    sys.exit(main(msgspec.json.decode(sys.argv[1], type=Options)))
