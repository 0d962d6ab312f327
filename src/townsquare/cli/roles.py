"""A process's life in one role: open the ports, serve or work until told to stop, drain.

Box: cli.
"""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import uvicorn
import uvloop

from townsquare.boot import open_ports
from townsquare.cli.logs import set_up_logging
from townsquare.cli.meters import Outlook, of_web, of_workers, watched_ports
from townsquare.cli.supervise import Role
from townsquare.edge.addresses import RealAddresses
from townsquare.edge.health import Health
from townsquare.settings import Settings
from townsquare.social.links import owner_link
from townsquare.social.ports import Ports
from townsquare.web.application import web_app
from townsquare.web.routes import Route
from townsquare.web.server.accepting import Acceptor, Door, Held, Seats
from townsquare.web.server.app import App
from townsquare.web.server.protocol import OneWriteProtocol
from townsquare.web.streaming.hub import Hub
from townsquare.web.streaming.payloads import payloads_of
from townsquare.workers.facts import LaneFaults
from townsquare.workers.jobs import Jobs
from townsquare.workers.lanes import LANES
from townsquare.workers.runner import Runner, drain
from townsquare.workers.schedule import Scheduler
from townsquare.workers.table import ALL_JOBS, ALL_PERIODIC

BACKLOG = 2048
_AT_ONCE = 16  # tasks of `workers --once`
_GC_THRESHOLDS = (50_000, 20, 50)  # new objects, young collections, middle ones
_LAST_CALL_S = 0.25


def listen(settings: Settings, *, shared: bool = False) -> socket.socket:
    """The listening socket. `shared`: others of this machine may listen on the same address.

    Raises: ValueError where it cannot be had.
    """
    host, _, port = settings.bind.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host.strip("[]"), int(port)))
    except OSError as exc:
        sock.close()
        raise ValueError(f"Cannot listen on {settings.bind}: {exc.strerror}. Choose another with --bind.") from exc
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


async def prepare(settings: Settings) -> str | None:
    """Make the data folder and the schema before any process needs them; the owner's link where there is no owner."""
    async with open_ports(settings) as ports:
        return await owner_link(ports)


def web_roles(settings: Settings, sock: socket.socket, *, count: int, more_routes: Sequence[Route] = ()) -> list[Role]:
    """So many web processes that take connections from one socket, in equal shares. `more_routes`: for measurements."""
    seats = Seats(count)

    def role(number: int) -> Role:
        door = Door(sock, seats.seat(number))
        return Role(f"web {number + 1}", lambda pipe: run_web(settings, door, tell(pipe), more_routes=more_routes))

    return [role(number) for number in range(count)]


def run_web(settings: Settings, door: Door, ready: Callable[[], None], *, more_routes: Sequence[Route] = ()) -> None:
    """Serve until SIGTERM, then finish what was begun. `more_routes`: for measurements."""

    async def serve(outlook: Outlook) -> None:
        ports = outlook.ports
        hub = Hub(ports, payloads_of(ports))
        app = web_app(ports, hub, more_routes=more_routes)
        outlook.counted.append(lambda: of_web(app, hub))
        traced = app if outlook.spans is None else outlook.spans.over_app(app)
        health = Health(RealAddresses(traced, settings.trusted_proxies), outlook.readiness)
        config = uvicorn.Config(
            health,
            http=OneWriteProtocol,
            ws="websockets-sansio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(settings.drain_s),
            ws_max_size=65_536,
            ws_per_message_deflate=False,
            timeout_keep_alive=75,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # uvicorn raises them again when it has ended: we end by ourselves
        leave = _Leave(health, app, notice_s=settings.notice_s)
        await _Server(config, door, ready=ready, leave=leave).serve(sockets=[])

    _run(settings, "web", serve)


def run_workers(settings: Settings, lanes: Sequence[str], ready: Callable[[], None]) -> None:
    """Work on the lanes (empty: all) until SIGTERM, then finish or hand back what was taken."""

    chosen = [lane for lane in LANES if not lanes or lane.name in lanes]

    async def work(outlook: Outlook) -> None:
        ports, readiness = outlook.ports, outlook.readiness
        runner = Runner(ports, _traced(ALL_JOBS, outlook), chosen)
        scheduler = Scheduler(ports, ALL_PERIODIC, owner=f"{socket.gethostname()}:{os.getpid()}:{ports.new_id()}")

        outlook.counted.append(lambda: of_workers(runner, scheduler))
        ports.facts.ask_each_minute(LaneFaults(runner.counts, ports.new_id()))

        def stop() -> None:
            readiness.stop()
            runner.stop()
            scheduler.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run())
            group.create_task(scheduler.run())
            ready()

    _run(settings, "workers", work)


def _traced(jobs: Jobs, outlook: Outlook) -> Jobs:
    """The jobs, with spans where they are wanted."""
    spans = outlook.spans
    if spans is None:
        return jobs
    return {task: replace(job, handler=spans.over_handler(task.__name__, job.handler)) for task, job in jobs.items()}


async def work_once(ports: Ports) -> int:
    """Do what waits in all lanes; how many tasks."""
    return await drain(ports, ALL_JOBS, at_once=_AT_ONCE)


class _Server(uvicorn.Server):
    """Uvicorn, with our way of taking connections, a word when it listens, and one to the streams before it stops."""

    def __init__(self, config: uvicorn.Config, door: Door, *, ready: Callable[[], None], leave: "_Leave") -> None:
        super().__init__(config)
        self._ready, self._leave = ready, leave
        held = Held(door.seat)
        self.server_state.connections = held
        self._acceptor = Acceptor(door, held, self._protocol)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._acceptor.start()
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Not ready any more; streams go elsewhere; what is in the queue of the socket is still served."""
        await self._leave()
        await asyncio.sleep(_LAST_CALL_S)  # answers meanwhile end their connections, so that none is cut off later
        await self._acceptor.stop()
        await asyncio.sleep(_LAST_CALL_S)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


class _Leave:
    """What a web process tells those who use it before it goes."""

    def __init__(self, health: Health, app: App, *, notice_s: float) -> None:
        self._health, self._app, self._notice_s = health, app, notice_s

    async def __call__(self) -> None:
        """Not ready any more; when balancers may know it, connections end and streams go elsewhere."""
        self._health.stop()
        await asyncio.sleep(self._notice_s)
        self._health.end()
        await self._app.drain()


def _run(settings: Settings, role: Literal["web", "workers"], live: Callable[[Outlook], Awaitable[None]]) -> None:
    async def whole_life() -> None:
        async with watched_ports(settings, role) as outlook:
            await live(outlook)

    set_up_logging(settings)
    # What is kept in caches lives long: walking it for circles every few hundred requests was a tenth of their cost.
    gc.set_threshold(*_GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole_life())


def tell(pipe: int) -> Callable[[], None]:
    """A `ready` that writes a byte to a pipe."""

    def ready() -> None:
        os.write(pipe, b".")

    return ready
