"""Reading: home pages and single statuses against constant bytes of the same server, and home over one more process."""

from dataclasses import dataclass
from pathlib import Path

from bench.fill import secret_of
from bench.goals import Better, Goal, Result, Run
from bench.load import Report, closed_loop, open_loop, request
from bench.places import Place, readers_place
from bench.server import CONSTANT, Server, server

HOME = "/api/v1/timelines/home"
_CONNECTIONS = 16

HOME_RATIO = Goal(name="S5", what="home page, CPU against constant bytes of the same server", unit="x", must=3, aim=2)
HOME_RATE = Goal(
    name="S5", what="home pages a second and core (by CPU time)", unit="/s", must=5_000, better=Better.MORE
)
STATUS_RATIO = Goal(name="S5", what="status by id, CPU against constant bytes of the same server", unit="x", must=2)
TWO_PROCESSES = Goal(
    name="S10",
    what="home pages of two web processes against one, by what their CPU time allows",
    unit="x",
    must=1.7,
    aim=1.9,
    better=Better.MORE,
)


@dataclass(slots=True)
class Cost:
    """A closed loop's report with the CPU time that an answer took the server."""

    report: Report
    cpu_us: float

    @property
    def text(self) -> str:
        """For people."""
        return (
            f"{self.cpu_us:.0f} us CPU, {self.report.mean_bytes:,.0f} bytes, p50 {self.report.ms(50):.2f} ms, "
            f"p99 {self.report.ms(99):.2f} ms"
        )


async def cost_of(
    running: Server, requests: list[bytes], *, seconds: float, connections: int = _CONNECTIONS, warm: int = 0
) -> Cost:
    """What an answer costs, after `warm` requests."""
    if warm:
        await closed_loop(running.address, requests, connections=connections, count=warm)
    before = running.cpu_s()
    report = await closed_loop(running.address, requests, connections=connections, seconds=seconds)
    used = running.cpu_s() - before
    if report.failed:
        raise RuntimeError(f"{report.failed} requests failed: {report.statuses}, {report.dropped} dropped")
    return Cost(report, used / report.answers * 1e6)


def home_requests(place: Place) -> list[bytes]:
    """A home page for each reader, twenty statuses as by default."""
    return [request(HOME, secret_of(account)) for account in place.readers]


def status_requests(place: Place) -> list[bytes]:
    """Statuses, each asked for by some reader."""
    readers = place.readers
    return [
        request(f"/api/v1/statuses/{status_id}", secret_of(readers[n % len(readers)]))
        for n, status_id in enumerate(place.statuses)
    ]


async def home(run: Run) -> list[Result]:
    """S5: one web process, many users in turn, with its rate limits on."""
    place, seconds = await readers_place(run), run.seconds(5)
    pages, statuses = home_requests(place), status_requests(place)
    data = Path(place.data)
    with server(data, web=1, workers=0) as running:
        page = await cost_of(running, pages, seconds=seconds, warm=len(pages))
        one = await cost_of(running, statuses, seconds=seconds, warm=len(statuses))
    page_constant = await _constant(run, data, round(page.report.mean_bytes), seconds)
    one_constant = await _constant(run, data, round(one.report.mean_bytes), seconds)
    rate = 1e6 / page.cpu_us
    return [
        Result(
            goal=HOME_RATIO,
            value=page.cpu_us / page_constant.cpu_us,
            note=f"{page.text}; constant {page_constant.cpu_us:.0f} us; {place.about}",
        ),
        Result(goal=HOME_RATE, value=rate, note=f"{page.report.rate:,.0f}/s beside the load generator"),
        Result(
            goal=STATUS_RATIO,
            value=one.cpu_us / one_constant.cpu_us,
            note=f"{one.text}; constant {one_constant.cpu_us:.0f} us",
        ),
    ]


async def _constant(run: Run, data: Path, size: int, seconds: float) -> Cost:
    body = run.folder / f"constant-{size}"
    body.write_bytes(b"[" + b" " * (size - 2) + b"]")
    with server(data, web=1, workers=0, constant=str(body)) as running:
        return await cost_of(running, [request(CONSTANT)], seconds=seconds, warm=2_000)


async def two_processes(run: Run) -> list[Result]:
    """S10: at half of what each process can do, as the load generator shares the cores with them: beyond, the process
    on the generator's core falls behind, and that tells nothing of ours. What is compared is answers for each second of
    CPU time of the busiest web process: with its own core, a process could give as many."""
    place = await readers_place(run)
    rates, note = await throughput(run, Path(place.data), home_requests(place))
    return [Result(goal=TWO_PROCESSES, value=rates[1] / rates[0], note=note)]


async def throughput(
    run: Run, data: Path, pages: list[bytes], *, settings: dict[str, str] | None = None
) -> tuple[list[float], str]:
    """Answers for each second of CPU time of the busiest of one and of two web processes, and how it was."""
    rates, notes, limit, seconds = list[float](), list[str](), 0.0, run.seconds(8)
    for count in (1, 2):
        with server(data, web=count, workers=0, test_mode=True, settings=settings or {}) as running:
            await closed_loop(running.address, pages, connections=64, count=count * 2 * len(pages))
            if not limit:
                limit = (await closed_loop(running.address, pages, connections=64, seconds=run.seconds(2))).rate
            before = running.web_cpu_s()
            report = await open_loop(running.address, pages, rate=count * limit / 2, seconds=seconds)
            used = [after - old for after, old in zip(running.web_cpu_s(), before, strict=True)]
        if report.failed:
            raise RuntimeError(f"{report.failed} requests failed: {report.statuses}, {report.dropped} dropped")
        rates.append(report.answers / max(used))
        notes.append(
            f"{count}: {report.rate:,.0f}/s, {', '.join(f'{each / report.seconds:.0%}' for each in used)} CPU, p50 "
            f"{report.ms(50):.1f} ms"
        )
    return rates, f"one at its limit {limit:,.0f}/s; {'; '.join(notes)}"
