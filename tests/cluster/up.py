"""A whole cluster on this machine, for looking at: `python -m tests.cluster.up --profile cassandra`.

Starts the profile's servers, three web and two worker processes as if on five machines, and NGINX before them; fills
them with people, prints the address, and stops all of it on Ctrl-C.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.profiles import CASSANDRA, PROFILES, Profile
from tests.cluster.town import Town, town
from tests.engines import control
from tests.live import PASSWORD

WEBS, WORKERS = 3, 2


def _say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def cluster(
    profile: Profile,
    folder: Path,
    *,
    webs: int = WEBS,
    workers: int = WORKERS,
    standing: bool = False,
    say: Callable[[str], None] = _say,
) -> Iterator[Town]:
    """A town on servers that are started for it, without data, and stopped behind it; on what runs if `standing`."""
    with nullcontext() if standing else running(profile, say):
        say("starting web and worker processes ...")
        with town(folder, webs=webs, workers=workers, profile=profile) as made:
            yield made


@contextmanager
def running(profile: Profile, say: Callable[[str], None]) -> Iterator[None]:
    """The profile's servers, started without data and stopped behind it.

    Nodes of a store join one at a time, the others come up meanwhile.
    """
    names = profile.servers
    if there := [name for name in names if control.runs(name)]:
        words = " ".join(there)
        raise control.StartError(f"{', '.join(there)} run already: python3 -m tests.engines stop {words}")
    others = [name for name in names if name not in profile.store]
    if names:
        say(f"starting {', '.join(names)} ...")
    try:
        for name in [*others, *profile.store[:1]]:
            control.start(name, fresh=True)
        for name in names:
            control.start(name, fresh=True)
            say(f"{name} answers after {control.wait(name):.1f} s: {control.url(name)}")
        yield
    finally:
        say("stopping ...")
        for name in reversed(names):
            control.stop(name)


def lacking(profile: Profile) -> str:
    """What to type where servers are not installed; empty where all are."""
    names = [name for name in (*profile.servers, "nginx") if control.missing(name) is not None]
    return f'{", ".join(names)} not installed: make engines ARGS="{" ".join(names)}"' if names else ""


def read(parser: argparse.ArgumentParser) -> tuple[Profile, argparse.Namespace]:
    """The profile that the command line names, and its other options; ends where servers are not installed."""
    parser.add_argument("--profile", choices=sorted(PROFILES), default=CASSANDRA.name)
    options = parser.parse_args()
    profile = PROFILES[options.profile]
    if sentence := lacking(profile):
        parser.exit(2, f"{sentence}\n")
    return profile, options


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.up", description=__doc__)
    parser.add_argument("--people", type=int, default=50, help="how many to fill it with; 0: none")
    profile, options = read(parser)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with (
            TemporaryDirectory(prefix="townsquare-cluster-") as folder,
            cluster(profile, Path(folder)) as made,
        ):
            made.cli("accounts", "create", "owner", "--email", "owner@example.org", "--password", PASSWORD,
                     "--role", "owner", "--confirmed")  # fmt: skip
            print(f"{WEBS} web and {WORKERS} worker processes run behind NGINX", flush=True)
            if options.people:
                print(f"{options.people} people move in ...", flush=True)
                made.cli("seed", "--people", str(options.people))
            print(f"Townsquare is ready: {made.url} (owner@example.org, {PASSWORD}). Ctrl-C stops it all.", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print("stopped")
    except control.StartError as exc:
        print(exc, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
