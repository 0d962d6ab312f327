"""`python -m tests.engines install|start|wait|stop|kill|status [NAME...]`: without names, all servers.

`install` knows the tools too.
"""

import argparse
import sys
import time

from tests.engines import control
from tests.engines.known import SERVERS
from tests.engines.places import places
from tests.engines.server import InstallError
from tests.engines.tools import TOOLS


def install(name: str) -> str:
    """Have the server or the tool on this machine."""
    wanted = SERVERS.get(name) or TOOLS[name]
    if wanted.missing(places()) is None:
        return "is there"
    began = time.monotonic()
    wanted.install(places())
    if (lacking := wanted.missing(places())) is not None:
        raise InstallError(f"{name}: {lacking} is still missing")
    return f"installed in {time.monotonic() - began:.0f} s"


def start(name: str) -> str:
    """Start it, without waiting."""
    return f"{'started' if control.start(name) else 'runs already'}: {control.url(name)}"


def wait(name: str) -> str:
    """Wait until it answers."""
    return f"answers after {control.wait(name):.1f} s: {control.url(name)}"


def stop(name: str) -> str:
    """Stop it."""
    control.stop(name)
    return "stopped"


def kill(name: str) -> str:
    """kill -9."""
    control.kill(name)
    return "killed"


VERBS = {"install": install, "start": start, "wait": wait, "stop": stop, "kill": kill, "status": control.status}


def main() -> int:
    """Do one thing to some servers, with a line for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SERVERS)}")
    given = parser.parse_args()
    known = {**SERVERS, **TOOLS} if given.verb == "install" else SERVERS
    if unknown := set(given.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    failed = 0
    for name in given.names or known:
        print(f"{name}: ", end="", flush=True)
        try:
            print(VERBS[given.verb](name))
        except (InstallError, control.StartError) as exc:
            print(exc)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
