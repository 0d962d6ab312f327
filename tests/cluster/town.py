"""A server of several processes as on several machines: each web process has an address, NGINX stands in front."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from tests.cluster.own_nginx import OwnNginx
from tests.cluster.profiles import EMBEDDED, Profile
from tests.live import LiveServer, environment, free_port

_START_S = 180.0  # the first process makes the tables, which takes three nodes on one machine long


@dataclass
class Role:
    """One process that can be started again."""

    words: list[str]
    log: Path
    data: Path
    port: int = 0
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it, without waiting."""
        with self.log.open("ab") as out:
            words = [sys.executable, "-m", "townsquare", *self.words]
            self.process = subprocess.Popen(words, env=environment(), stdout=out, stderr=out)

    def wait_ready(self) -> None:
        """Until it says that it is ready."""
        until = time.monotonic() + _START_S
        with httpx.Client(verify=False, timeout=5) as client:
            while time.monotonic() < until:
                assert self.process.poll() is None, f"ended: {self.process.returncode}: {self.log.read_text()[-2000:]}"
                try:
                    if client.get(f"http://127.0.0.1:{self.port}/health/ready").status_code == 200:
                        return
                except httpx.TransportError:
                    time.sleep(0.05)
        raise AssertionError("not ready")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)


@dataclass
class Town:
    """All of it."""

    nginx: OwnNginx
    webs: list[Role]
    workers: list[Role]
    profile: Profile = EMBEDDED

    @property
    def url(self) -> str:
        """Where people come in."""
        return self.nginx.url

    @property
    def roles(self) -> list[Role]:
        """All processes."""
        return [*self.webs, *self.workers]

    def cli(self, *words: str) -> Any:
        """Run a command on the first machine; its last line of JSON."""
        return LiveServer(self.webs[0].process, self.webs[0].data, self.url).cli(*words)

    def account(self, name: str, *, role: str = "user") -> dict[str, str]:
        """Make an account; its id, username and token."""
        return LiveServer(self.webs[0].process, self.webs[0].data, self.url).account(name, role=role)

    def client(self, token: str = "", **more: Any) -> httpx.Client:
        """A client that comes through NGINX."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **{"verify": False, **more})


@contextmanager
def town(
    folder: Path,
    *,
    webs: int = 2,
    workers: int = 1,
    profile: Profile = EMBEDDED,
    more: Mapping[str, str] = MappingProxyType({}),
    **edge: Any,
) -> Iterator[Town]:
    """A running town, with `more` settings; from those of `edge` NGINX's file is made. Its servers must run. Where they
    are shared, each process has a data folder of its own, as on a machine of its own."""
    ports = [free_port() for _ in range(webs)]
    nginx = OwnNginx(folder / "nginx", edge_upstreams=[f"127.0.0.1:{port}" for port in ports], **edge)
    lines = [f'url = "{nginx.url}"', "test_mode = true", 'trusted_proxies = ["127.0.0.1"]', "drain_s = 10"]
    lines += [f'{name} = "{value}"' for name, value in more.items()]
    lines += [f'{box} = "{url}"' for box, url in profile.boxes(folder / "shared").items()]

    def role(name: str, *words: str, port: int = 0) -> Role:
        data = folder / (name if profile.servers else "data")
        data.mkdir(exist_ok=True)
        (data / "townsquare.toml").write_text("\n".join(lines) + "\n")
        return Role([*words, "--data", str(data)], folder / f"{name}.log", data, port)

    made = Town(
        nginx,
        [role(f"web{n}", "web", "--bind", f"127.0.0.1:{port}", port=port) for n, port in enumerate(ports)],
        [role(f"workers{n}", "workers") for n in range(workers)],
        profile,
    )
    try:
        made.webs[0].start()
        made.webs[0].wait_ready()  # it makes the tables
        for each in made.roles[1:]:
            each.start()
        for each in made.webs[1:]:
            each.wait_ready()
        nginx.start()
        yield made
    finally:
        nginx.close()
        running = [each for each in made.roles if hasattr(each, "process")]
        for each in running:
            if each.process.poll() is None:
                each.process.send_signal(signal.SIGTERM)
        for each in running:
            each.process.wait(timeout=40)
