"""What each role counts, brought to the desk where the operator asks.

Box: cli.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from townsquare.boot import open_ports
from townsquare.metrics import sources
from townsquare.metrics.desk import Desk, Sources, bound
from townsquare.metrics.exposition import Reading
from townsquare.metrics.process import Process
from townsquare.metrics.watch import Watch
from townsquare.model.errors import CannotStart, TownsquareError
from townsquare.settings import Settings
from townsquare.social.ports import Ports
from townsquare.social.readiness import Readiness
from townsquare.store.tables import SETTINGS
from townsquare.web.routes import Route
from townsquare.web.server.app import App
from townsquare.web.streaming.hub import Hub
from townsquare.workers.runner import Runner
from townsquare.workers.schedule import Scheduler

if TYPE_CHECKING:
    from townsquare.metrics.spans import Spans

Counted = list[Callable[[], list[Reading]]]  # a role adds what it counts


def check_desk(settings: Settings, *, shared: bool) -> None:
    """Refuse an address that cannot be had; unless `shared`, also one that another server's processes have. Refuse
    traces where what makes them is not installed.

    Raises: CannotStart.
    """
    _maker_of_spans(settings)
    if settings.metrics:
        bound(settings.metrics, shared=shared).close()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a role works with. It adds what it counts to `counted`; `spans` where traces are wanted."""

    ports: Ports
    counted: Counted
    readiness: Readiness  # its answer to those who ask whether it should be given work
    spans: "Spans | None"


@asynccontextmanager
async def watched_ports(settings: Settings, role: Literal["web", "workers"]) -> AsyncIterator[Outlook]:
    """The engines, counted, shown and traced only where the settings say so.

    Raises: CannotStart.
    """
    make = _maker_of_spans(settings)
    spans = make(settings, role) if make else None
    try:
        if not settings.metrics and spans is None:
            async with open_ports(settings, role=role) as ports:
                yield Outlook(ports, [], Readiness(ports), None)
            return
        watch = Watch(spans.over_engine if spans else None)
        async with open_ports(settings, watch=watch, role=role) as ports:
            outlook = Outlook(ports, [watch.read, lambda: of_ports(ports)], Readiness(ports), spans)
            async with _desk(settings, role, outlook):
                yield outlook
    finally:
        if spans is not None:
            await asyncio.to_thread(spans.close)


def _maker_of_spans(settings: Settings) -> "Callable[[Settings, str], Spans] | None":
    if not settings.traces:
        return None
    try:
        from townsquare.metrics.spans import open_spans  # noqa: PLC0415 - not everybody installs it
    except ImportError as exc:
        raise CannotStart(f"traces needs {exc.name}: pip install 'townsquare[otel]'.") from exc
    return open_spans


@asynccontextmanager
async def _desk(settings: Settings, role: str, outlook: Outlook) -> AsyncIterator[None]:
    """Where the operator asks, while the role lives."""
    if not settings.metrics:
        yield
        return

    async def ready() -> tuple[bool, bytes]:
        report = await outlook.readiness.report()
        return report.ready, report.json()

    process = Process()
    outlook.counted.append(process.read)
    asked = Sources(outlook.counted, lambda: of_all(outlook.ports), ready)
    desk = Desk(role, Path(settings.data) / "desk", asked)
    process.lag.start()
    try:
        await desk.open(settings.metrics)
        yield
    finally:
        process.lag.stop()
        await desk.close()


def of_ports(ports: Ports) -> list[Reading]:
    """What every role has."""
    return [
        *sources.cache(ports.cache.tallies()),
        Reading("townsquare_outbox_waiting", (), ports.outbox.waiting),
        Reading("townsquare_facts_dropped_total", (), ports.facts.dropped),
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
