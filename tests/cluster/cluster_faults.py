"""A cluster whose servers and processes are killed in turn while people act; then nothing acknowledged may be missing.

`python -m tests.cluster.cluster_faults --profile cassandra --times 5` (`make faults`) prints what it did and found.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from tests.cluster.faults import Findings, under_load
from tests.cluster.profiles import Profile
from tests.cluster.town import Role, Town
from tests.cluster.up import cluster, read
from tests.engines import control

_DOWN_S = 1.0  # how long a killed server is away
_BETWEEN_S = 2.0
_BACK_WITHIN_S = 60.0

Harm = Callable[[], None]


def harms(town: Town) -> dict[str, Harm]:
    """What can be done to a town, by the victim's name; each gives back what it took."""
    found: dict[str, Harm] = {}
    profile = town.profile
    for name in dict.fromkeys([*profile.store[-1:], profile.cache, profile.queue, profile.near]):
        if name:
            found[name] = lambda name=name: _kill_server(name)  # type: ignore[misc]  # its default is its value
    found["web"] = lambda: _kill_role(town.webs[-1])
    found["worker"] = lambda: _kill_role(town.workers[-1])
    found["nginx reload"] = lambda: town.nginx.reload(whole=False)
    return found


def _kill_server(name: str) -> None:
    control.kill(name)
    time.sleep(_DOWN_S)
    control.start(name)
    control.wait(name)


def _kill_role(role: Role) -> None:
    role.kill()
    role.start()
    if role.port:
        role.wait_ready()


def harm_each(town: Town, findings: Findings, *, times: int, between_s: float = _BETWEEN_S) -> None:
    """Kill each in turn, so many times, and wait after each until the town serves."""
    for name, harm in harms(town).items():
        for _ in range(times):
            time.sleep(between_s)
            begun = time.monotonic()
            harm()
            findings.kills[name] += 1
            _until_ready(town)
            findings.back_s.append(time.monotonic() - begun)
    time.sleep(between_s)


def _until_ready(town: Town) -> None:
    until = time.monotonic() + _BACK_WITHIN_S
    while time.monotonic() < until:
        with suppress(httpx.TransportError):
            if all(httpx.get(f"http://127.0.0.1:{web.port}/health/ready", timeout=5).is_success for web in town.webs):
                return
        time.sleep(0.05)
    raise AssertionError("a web process is not ready again")


def run(
    profile: Profile,
    folder: Path,
    *,
    times: int,
    webs: int = 3,
    workers: int = 2,
    say: Callable[[str], None] = lambda _: None,
) -> Findings:
    """The whole program on a cluster of its own."""
    with cluster(profile, folder, webs=webs, workers=workers, say=say) as town:
        return under_load(town, lambda findings: harm_each(town, findings, times=times))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.cluster_faults", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each is killed")
    profile, options = read(parser)
    with tempfile.TemporaryDirectory(prefix="townsquare-faults-") as folder:
        found = run(profile, Path(folder), times=options.times, say=lambda line: print(line, flush=True))
    print(f"acknowledged: {found.acts}; the slowest after {found.longest_s:.1f} s")
    print(f"killed: {dict(found.kills)}; all ready again after at most {max(found.back_s):.1f} s, one after another")
    print("G1, G3: none lost or doubled" if not found.faults else "FAULTS:")
    for fault in found.faults:
        print(f"  {fault}")
    if not found.faults:
        print(f"G4: homes, notices and counts equal a recount {found.quiet_s:.1f} s after the load stopped")
    return 1 if found.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
