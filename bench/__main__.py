"""Measures the goals of speed on this machine: `python -m bench`, or `make bench`.

CPU is user and system time of all our processes, without the load generator, which shares the cores with them.
"""

import argparse
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path

import msgspec
import uvloop

from bench.goals import Result, Run, Scenario
from bench.machine import Machine, machine
from bench.scenarios import cluster, dashboards, fan_out, home, hot_key, memory, posting, sizes, streams
from bench.server import ROOT
from townsquare.feeds.placing import sweep

SCENARIOS: tuple[tuple[str, Scenario], ...] = (
    ("S1", fan_out.fan_out),
    ("S2", fan_out.large),
    ("S3", posting.post),
    ("S5", home.home),
    ("S6", sizes.store_size),
    ("S7", sizes.follows),
    ("S9", memory.active_users),
    ("S10", home.two_processes),
    ("S11", cluster.cluster),
    ("S16", hot_key.hot_key),
    ("S17", streams.streams),
    ("facts", dashboards.facts),
    ("counted", posting.counted),
    ("rest", memory.at_rest),
    ("disk", memory.disk),
)
_SETTINGS = (
    "the defaults: embedded engines, SQLite with synchronous=FULL (bulk fillings relaxed), rate limits on; off for S3, "
    "S6, S7, S10, S11's posts and law, S16 and S17, which ask as few users for much"
)


def main() -> int:
    """Run the scenarios; 1 where a goal that must hold does not, or a scenario broke."""
    options = _options()
    chosen = [each for each in SCENARIOS if not options.only or each[0] in options.only]
    results, faults = list[Result](), list[str]()
    with tempfile.TemporaryDirectory(prefix="townsquare-bench-", dir=options.folder) as place:
        facts = machine(Path(place))
        for name, value in facts.lines:
            _say(f"{name}: {value}")
        for name, scenario in chosen:
            folder = Path(place) / name
            folder.mkdir()
            run = Run(
                folder=folder,
                cache=options.cache,
                graph=options.graph,
                quick=options.quick,
                full=options.full,
                say=_say,
            )
            begun = time.perf_counter()
            try:
                found = uvloop.run(scenario(run))
            except Exception as exc:  # noqa: BLE001 - one that breaks is told, and the others still run
                traceback.print_exc()
                faults.append(f"{name} broke: {exc}")
                continue
            for result in found:
                _say(_line(result))
            results += found
            _say(f"({name} took {time.perf_counter() - begun:.0f} s)")
    sweep(older_s=0)  # home timelines in memory, whose folders have gone
    text = table(facts, results, faults)
    print(text)
    if not options.quick:
        _write(facts, results, text, options.results)
    return 1 if faults or any(result.verdict == "FAILS" for result in results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--graph", type=Path, help="edges of a real graph to read home along; else one is generated")
    parser.add_argument(
        "--only", type=lambda text: set(text.split(",")), help=f"of {','.join(name for name, _ in SCENARIOS)}"
    )
    parser.add_argument("--quick", action="store_true", help="small and short: to see that it works, not to measure")
    parser.add_argument("--full", action="store_true", help="the largest sizes: hours")
    parser.add_argument("--folder", type=Path, help="where data is kept meanwhile; on the disk in question")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "bench", help="prepared data, used again")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="where results are written")
    return parser.parse_args()


def table(facts: Machine, results: list[Result], faults: list[str]) -> str:
    """The results as a page."""
    lines = ["# What was measured", ""]
    lines += [f"- {name}: {value}" for name, value in facts.lines]
    lines += [f"- settings: {_SETTINGS}", ""]
    lines += ["| goal | what | must | aim | measured | verdict |", "| --- | --- | --- | --- | --- | --- |"]
    for result in results:
        goal = result.goal
        value = f"{result.value:,.0f}" if abs(result.value) >= 100 else f"{result.value:.3g}"
        lines.append(
            f"| {goal.name} | {goal.what} | {goal.limit(goal.must)} | {goal.limit(goal.aim)} | {value} {goal.unit} | "
            f"{result.verdict} |"
        )
    lines += ["", "## Notes", ""]
    lines += [f"- {result.goal.name}, {result.goal.what}: {result.note}." for result in results if result.note]
    lines += [f"- {fault}" for fault in faults]
    return "\n".join(lines) + "\n"


def _line(result: Result) -> str:
    return f"{result.goal.name}: {result.goal.what}: {result.value:,.3g} {result.goal.unit} {result.verdict}"


def _write(facts: Machine, results: list[Result], text: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{facts.date[:10]}-{re.sub('[^0-9a-z-]', '', facts.commit)}"
    (folder / f"{name}.md").write_text(text)
    raw = msgspec.json.encode({"machine": facts, "results": results})
    (folder / f"{name}.json").write_bytes(msgspec.json.format(raw, indent=1))
    _say(f"written to {os.path.relpath(folder / name)}.md and .json")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
