"""A crowd that asks for one thing that is kept no more: how often the store is asked."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from bench import fill
from bench.goals import Goal, Result, Run
from townsquare.boot import open_ports
from townsquare.settings import Settings
from townsquare.social.hydrate import drop_accounts, drop_statuses, drop_totals
from townsquare.social.ports import Ports
from townsquare.web.server.app import make_app
from townsquare.web.server.table import ALL_ROUTES

HOT_KEY = Goal(
    name="S16",
    what="1,000 equal requests on expired keys, reads of the store in a process against one request's",
    unit="x",
    must=1,
    aim=1,
)
_CROWD = 1_000
_SLOW_S = 0.005  # what a store elsewhere takes to answer


async def hot_key(run: Run) -> list[Result]:
    """S16: requests to the application of one web process, on a store that takes its time, as one elsewhere does."""
    async with open_ports(Settings(data=str(run.folder / "hot"), test_mode=True)) as ports:
        author, *_ = await fill.people(ports, 1)
        ((status_id, _), *_) = (await fill.posts(ports, [author], count=1)).tolist()
        app = make_app(ports, ALL_ROUTES)
        answers = list[int]()
        counts = _count_reads(ports)
        reads = []
        for crowd in (1, _CROWD):
            await drop_statuses(ports, [status_id])
            await drop_totals(ports, [status_id])
            await drop_accounts(ports, [author])
            counts.clear()
            await asyncio.gather(*[_ask(app, status_id, answers) for _ in range(crowd)])
            reads.append(dict(counts))
    if answers != [200] * (_CROWD + 1):
        raise RuntimeError(f"not all were answered: {sorted(set(answers))}")
    alone, together = reads
    ratio = max(together[table] / alone.get(table, 0.5) for table in together)
    return [Result(goal=HOT_KEY, value=ratio, note=f"reads of {_CROWD:,} requests by table: {together}")]


async def _ask(app: Any, status_id: int, answers: list[int]) -> None:
    path = f"/api/v1/statuses/{status_id}"
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answers.append(message["status"])

    await app(scope, receive, send)


def _count_reads(ports: Ports) -> dict[str, int]:
    """From now on the store takes its time, and what is read of each table is counted."""
    counts: dict[str, int] = {}
    for name in ("get", "get_many", "range", "range_many"):
        setattr(ports.store, name, _slow(getattr(ports.store, name), counts))
    return counts


def _slow(read: Callable[..., Awaitable[Any]], counts: dict[str, int]) -> Callable[..., Awaitable[Any]]:
    async def counted(table: Any, *args: Any, **kwargs: Any) -> Any:
        counts[table.name] = counts.get(table.name, 0) + 1
        await asyncio.sleep(_SLOW_S)
        return await read(table, *args, **kwargs)

    return counted
