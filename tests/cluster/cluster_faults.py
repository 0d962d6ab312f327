"""A cluster whose servers and processes are harmed in turn while people act; then nothing acknowledged may be missing.

`python -m tests.cluster.cluster_faults --profile cassandra --times 5` (`make faults`) prints what it did and found,
with the figures of the goals of reliability. `--only kafka worker` harms in part.
"""

import argparse
import math
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx

from tests.cluster.faults import Call, Findings, Load, under_load
from tests.cluster.harms import Harm, harms
from tests.cluster.listening import Stream
from tests.cluster.profiles import Profile
from tests.cluster.town import Town
from tests.cluster.up import WEBS, WORKERS, cluster, read

_BETWEEN_S = 2.0
_CALM_S = 3.0  # before the first harm, to compare with
_BACK_WITHIN_S = 60.0
_DRAINED_WITHIN_S = 60.0
_STREAMS = 10
_GOALS = {
    "G3": "a worker dies: nothing lost",
    "G5": "a web process dies: 0 s for the others",
    "G6": "NGINX is reloaded, processes are replaced: 0 refused",
    "G7": "a cache is lost: refused 0.1 %, p99 3 times that of calm",
    "G8": "the broker is lost: posts accepted, fan-out done 30 s after its return",
    "G9": "a node of the store is lost: pause 2 s; most of them: 503, and back in 10 s",
}


@dataclass
class Harmed:
    """What one kind of harm did, each time it was done."""

    harm: Harm
    took_s: list[float] = field(default_factory=list)  # until all was given back and ready
    drained_s: list[float] = field(default_factory=list)  # from then until homes held what had been acknowledged
    calls: list[list[Call]] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)  # in which those calls ended

    @property
    def pause_s(self) -> float:
        """The longest time in which nobody was served."""
        served = [
            [begun, *(call.at for call in calls if call.status == 200), ended]
            for calls, (begun, ended) in zip(self.calls, self.spans, strict=True)
        ]
        return max((after - before for each in served for before, after in pairwise(each)), default=0)

    @property
    def refused(self) -> Counter[int]:
        """What was not served, by status."""
        return Counter(call.status for calls in self.calls for call in calls if call.status != 200)

    @property
    def refusals(self) -> Counter[str]:
        """What was not served, in the words of the answers."""
        return Counter(call.refusal for calls in self.calls for call in calls if call.status != 200)

    @property
    def p99_ms(self) -> float:
        """Of what was served."""
        return p99_ms([call for calls in self.calls for call in calls])

    def line(self) -> str:
        """All of it."""
        asked = sum(map(len, self.calls))
        refused = ", ".join(f"{n} x {status or 'no answer'}" for status, n in sorted(self.refused.items())) or "0"
        return (
            f"  {self.harm.name:32} {len(self.took_s)} times; longest pause {self.pause_s:.2f} s; refused {refused} of"
            f" {asked} ({100 * self.refused.total() / max(asked, 1):.2f} %); p99 {self.p99_ms:.0f} ms;"
            f" all ready after {max(self.took_s):.1f} s, homes full {max(self.drained_s):.1f} s later"
        )


@dataclass
class Report:
    """All that a run showed."""

    findings: Findings
    harmed: list[Harmed] = field(default_factory=list)
    calm_p99_ms: float = 0.0
    streams_away_s: list[float] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people."""
        found = self.findings
        yield f"acknowledged: {found.acts}; the slowest after {found.longest_s:.1f} s"
        yield f"in calm: p99 {self.calm_p99_ms:.0f} ms"
        for goal, words in _GOALS.items():
            if mine := [each for each in self.harmed if each.harm.goal == goal]:
                yield f"{goal} ({words})"
                yield from (each.line() for each in mine)
        if away_s := self.streams_away_s:
            yield f"streams: {len(away_s)} were ended and back after at most {max(away_s):.2f} s"
        yield "G1, G3: 0 lost, 0 doubled" if not found.faults else "FAULTS:"
        yield from (f"  {fault}" for fault in found.faults)
        if not found.faults:
            yield f"G4: homes, notices and counts equal a recount {found.quiet_s:.1f} s after the load stopped"


def p99_ms(calls: Sequence[Call]) -> float:
    """Of those that were served; 0 if none was."""
    took_s = sorted(call.took_s for call in calls if call.status == 200)
    return took_s[int(len(took_s) * 0.99)] * 1000 if took_s else 0.0


def harm_each(town: Town, load: Load, report: Report, plan: "Plan") -> Iterator[Harmed]:
    """Do each harm in turn, so many times if it is a kill, and wait after each until the town serves."""
    first = begun = time.monotonic()
    time.sleep(_CALM_S)
    report.calm_p99_ms = p99_ms(load.calls(begun, time.monotonic()))
    for harm in plan.chosen(town):
        harmed = Harmed(harm)
        for _ in range(plan.times if harm.is_kill else 1):
            if time.monotonic() > first + plan.within_s:
                break
            time.sleep(_BETWEEN_S)
            begun = time.monotonic()
            harm.inflict()
            _until_ready(town)
            harmed.took_s.append(time.monotonic() - begun)
            harmed.drained_s.append(load.until_homes_are_full(_DRAINED_WITHIN_S))
            harmed.spans.append((begun, time.monotonic()))
            harmed.calls.append(load.calls(*harmed.spans[-1]))
            load.findings.kills[harm.name] += 1
        if harmed.calls:
            report.harmed.append(harmed)
            yield harmed
    time.sleep(_BETWEEN_S)


def _until_ready(town: Town) -> None:
    until = time.monotonic() + _BACK_WITHIN_S
    with httpx.Client(verify=False, timeout=5) as client:
        while time.monotonic() < until:
            with suppress(httpx.TransportError):
                if all(client.get(f"http://127.0.0.1:{web.port}/health/ready").is_success for web in town.webs):
                    return
            time.sleep(0.05)
    raise AssertionError("a web process is not ready again")


@contextmanager
def _listening(town: Town, token: str) -> Iterator[list[Stream]]:
    over = threading.Event()
    address = f"{town.url.replace('http', 'ws')}/api/v1/streaming?access_token={token}&stream=user"
    streams = [Stream(address, over) for _ in range(_STREAMS)]
    for each in streams:
        each.start()
    try:
        assert all(each.open.wait(20) for each in streams)
        yield streams
    finally:
        over.set()
        for each in streams:
            each.join()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do. `away_s`: how long servers are stopped and hung, if they are; `only`: words of the harms to do."""

    times: int
    away_s: float = 0.0
    only: Sequence[str] = ()
    webs: int = WEBS
    workers: int = WORKERS
    seed: int = 1
    standing: bool = False  # the servers run already
    within_s: float = math.inf  # no harm begins later than that

    def chosen(self, town: Town) -> list[Harm]:
        """The harms to do, in their order."""
        some = harms(town, away_s=self.away_s)
        return [harm for harm in some if not self.only or any(word in harm.name for word in self.only)]


def run(profile: Profile, folder: Path, plan: Plan, *, say: Callable[[str], None] = lambda _: None) -> Report:
    """The whole program on a cluster of its own."""
    report = Report(Findings())
    with cluster(profile, folder, webs=plan.webs, workers=plan.workers, standing=plan.standing, say=say) as town:

        def harm(load: Load) -> None:
            with _listening(town, load.people[0].token) as streams:
                for harmed in harm_each(town, load, report, plan):
                    say(harmed.line().strip())
                    for words, n in harmed.refusals.most_common(3):
                        say(f"  {n} x {words}")
                report.streams_away_s = [gap_s for each in streams for gap_s in each.gaps_s]

        report.findings = under_load(town, harm, seed=plan.seed)
    return report


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.cluster_faults", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each is killed")
    parser.add_argument("--away", type=float, default=60, help="for how many seconds servers are stopped and hung")
    parser.add_argument("--webs", type=int, default=WEBS, help="how many web processes there are")
    parser.add_argument("--workers", type=int, default=WORKERS, help="how many worker processes there are")
    parser.add_argument("--seed", type=int, default=1, help="another one each time servers stand")
    parser.add_argument("--standing", action="store_true", help="the servers run already, and go on behind it")
    parser.add_argument("--within", type=float, default=math.inf, help="begin no harm after so many seconds of load")
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD", help="only the harms with such a word")
    profile, options = read(parser)
    plan = Plan(
        times=options.times,
        away_s=options.away,
        only=options.only,
        webs=options.webs,
        workers=options.workers,
        seed=options.seed,
        standing=options.standing,
        within_s=options.within,
    )
    with tempfile.TemporaryDirectory(prefix="townsquare-faults-") as folder:
        found = run(profile, Path(folder), plan, say=lambda line: print(line, flush=True))
    for line in found.lines():
        print(line)
    return 1 if found.findings.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
