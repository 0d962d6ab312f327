"""What each role counts, brought to the desk where the operator asks.

Box: cli.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from townsquare.boot import open_ports
from townsquare.metrics import sources
from townsquare.metrics.desk import Desk, Sources, bound
from townsquare.metrics.exposition import Reading
from townsquare.metrics.process import Process
from townsquare.metrics.watch import Watch
from townsquare.model.errors import TownsquareError
from townsquare.settings import Settings
from townsquare.social.ports import Ports
from townsquare.social.readiness import Readiness
from townsquare.store.tables import SETTINGS
from townsquare.web.routes import Route
from townsquare.web.server.app import App
from townsquare.web.streaming.hub import Hub
from townsquare.workers.runner import Runner
from townsquare.workers.schedule import Scheduler

Counted = list[Callable[[], list[Reading]]]  # a role adds what it counts


def check_desk(settings: Settings, *, shared: bool) -> None:
    """Refuse an address that cannot be had; unless `shared`, also one that another server's processes have.

    Raises: CannotStart.
    """
    if settings.metrics:
        bound(settings.metrics, shared=shared).close()


@asynccontextmanager
async def watched_ports(settings: Settings, role: str) -> AsyncIterator[tuple[Ports, Counted, Readiness]]:
    """The engines, the list that the role adds to, counted and shown only where the setting says so, and its answer
    to those who ask whether it should be given work.

    Raises: CannotStart.
    """
    if not settings.metrics:
        async with open_ports(settings) as ports:
            yield ports, [], Readiness(ports)
        return
    watch, process = Watch(), Process()
    async with open_ports(settings, watch=watch) as ports:
        readiness = Readiness(ports)

        async def ready() -> tuple[bool, bytes]:
            report = await readiness.report()
            return report.ready, report.json()

        counted: Counted = [process.read, watch.read, lambda: of_ports(ports)]
        desk = Desk(
            role,
            Path(settings.data) / "desk",
            Sources(counted, lambda: of_all(ports), ready),
        )
        process.lag.start()
        try:
            await desk.open(settings.metrics)
            yield ports, counted, readiness
        finally:
            process.lag.stop()
            await desk.close()


def of_ports(ports: Ports) -> list[Reading]:
    """What every role has."""
    return [
        *sources.cache(ports.cache.tallies()),
        Reading("townsquare_outbox_waiting", (), ports.outbox.waiting),
        Reading("townsquare_pool_in_hand", ("passwords",), ports.passwords.in_hand),
    ]


async def of_all(ports: Ports) -> list[Reading]:
    """What all processes share."""
    try:
        await ports.store.get(SETTINGS, ("ready",))
    except TownsquareError:
        store_up = 0
    else:
        store_up = 1
    return [Reading("townsquare_store_up", (), store_up), *await sources.queue(ports.queue)]


def of_web(app: App, hub: Hub) -> list[Reading]:
    """What a web process counts."""
    return [
        *sources.requests((area_of(stop.route), stop.route.method, stop.meter) for stop in app.stops()),
        Reading("townsquare_streams_open", (), hub.open_count),
        Reading("townsquare_stream_events_waiting", (), hub.events_waiting),
    ]


def area_of(route: Route) -> str:
    """The page of the API or of the site that a route belongs to: `api.timelines`, `pages.front`, `server.app`."""
    return ".".join(route.handler.__module__.split(".")[2:])


def of_workers(runner: Runner, scheduler: Scheduler) -> list[Reading]:
    """What a worker process counts."""
    return [*sources.lanes(runner.counts), Reading("townsquare_scheduler_leads", (), int(scheduler.leads))]
