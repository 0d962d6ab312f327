"""The same product on a cluster's engines: Cassandra (three nodes), Redis and Kafka, all on this machine.

What is compared is the CPU time of our own processes: the servers share the cores with them here and would not
elsewhere. The servers are started without data and stopped behind it.
"""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bench.fill import secret_of
from bench.goals import Better, Goal, Result, Run
from bench.load import closed_loop, request
from bench.places import Place, filled_place
from bench.scenarios.fan_out import measured_fan_out
from bench.scenarios.home import cost_of, home_requests, throughput
from bench.server import server
from tests.cluster.profiles import CASSANDRA
from tests.cluster.up import lacking, running

READ = Goal(name="S11", what="home page on Cassandra, Redis and Kafka against embedded, CPU", unit="x", must=3, aim=1.8)
TRIPS = Goal(name="S11", what="round trips to Redis for a home page", unit="", must=2, aim=1)
DELIVERIES = Goal(
    name="S11",
    what="deliveries a second and core of the worker, into Redis",
    unit="deliveries/s",
    must=None,
    aim=200_000,
    better=Better.MORE,
)
POSTS = Goal(name="S11", what="durable posts on Cassandra, one web process", unit="/s", must=None, better=Better.MORE)
LAW = Goal(
    name="S11",
    what="home pages of two web processes against one on these engines, by what their CPU time allows",
    unit="x",
    must=1.7,
    aim=1.9,
    better=Better.MORE,
)
_PEOPLE, _MEAN_FOLLOWS, _POSTS = 1_000, 30, 4_000


async def cluster(run: Run) -> list[Result]:
    """S11, and what the parts do. Nothing where a server is not installed."""
    if sentence := lacking(CASSANDRA):
        run.say(f"S11 left out: {sentence}")
        return []
    embedded = await filled_place(run.folder / "embedded", people=_PEOPLE, mean_follows=_MEAN_FOLLOWS, posts=_POSTS)
    with server(Path(embedded.data), web=1, workers=0) as here:
        pages = home_requests(embedded)
        alone = await cost_of(here, pages, seconds=run.seconds(5), warm=2 * len(pages))
    with running(CASSANDRA, run.say):
        boxes = CASSANDRA.boxes(run.folder / "shared")
        run.say("filling the cluster")
        place = await filled_place(
            run.folder / "cluster", people=_PEOPLE, mean_follows=_MEAN_FOLLOWS, posts=_POSTS, boxes=boxes
        )
        return [
            *await _reads(run, place, boxes, alone.cpu_us),
            await _law(run, place, boxes),
            await _posts(run, place, boxes),
            await _deliveries(run, boxes),
        ]


async def _reads(run: Run, place: Place, boxes: dict[str, str], alone_us: float) -> list[Result]:
    pages = home_requests(place)
    with server(Path(place.data), web=1, workers=0, settings=boxes) as there:
        await closed_loop(there.address, pages, connections=16, count=2 * len(pages))
        before = _redis_reads(boxes["cache"])
        cost = await cost_of(there, pages, seconds=run.seconds(5))
        reads = _redis_reads(boxes["cache"]) - before
    return [
        Result(goal=READ, value=cost.cpu_us / alone_us, note=f"{cost.text}; embedded {alone_us:.0f} us; {place.about}"),
        Result(goal=TRIPS, value=reads / cost.report.answers, note="as Redis counts what it reads from sockets"),
    ]


async def _law(run: Run, place: Place, boxes: dict[str, str]) -> Result:
    rates, note = await throughput(run, Path(place.data), home_requests(place), settings=boxes)
    return Result(goal=LAW, value=rates[1] / rates[0], note=note)


async def _posts(run: Run, place: Place, boxes: dict[str, str]) -> Result:
    bodies = [msgspec.json.encode({"status": f"What I saw, number {n}", "visibility": "public"}) for n in range(500)]
    posts = [
        request("/api/v1/statuses", secret_of(place.readers[n % len(place.readers)]), method="POST", body=body)
        for n, body in enumerate(bodies)
    ]
    with server(Path(place.data), web=1, workers=0, test_mode=True, settings=boxes) as there:
        cost = await cost_of(there, posts, seconds=run.seconds(5), connections=32, warm=200)
    return Result(
        goal=POSTS, value=cost.report.rate, note=f"{cost.text}; the servers on the same {os.cpu_count()} cores"
    )


async def _deliveries(run: Run, boxes: dict[str, str]) -> Result:
    data = run.folder / "fan-out"
    people, followers, acts = (200, 50, 100) if run.quick else (1_000, 200, 1_500)
    made = await measured_fan_out(run, data, people=people, followers=followers, acts=acts, settings=boxes)
    return Result(
        goal=DELIVERIES,
        value=made.deliveries / made.worker_s,
        note=f"{made.deliveries:,} deliveries to {followers} followers each, {made.worker_s:.1f} s CPU of the worker, "
        f"which also counts, indexes and notifies; all done in {made.took_s:.1f} s beside the servers",
    )


def _redis_reads(url: str) -> int:
    """How often Redis has read from a socket."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=5) as sock:
        sock.sendall(b"INFO stats\r\n")
        answer = b""
        while b"total_reads_processed:" not in answer or not answer.endswith(b"\r\n"):
            answer += sock.recv(65536)
    return int(answer.partition(b"total_reads_processed:")[2].split()[0])
