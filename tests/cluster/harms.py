"""What can be done to a town while people act: servers killed, stopped, hung or wiped, processes killed or replaced.

Each harm says of which goal of reliability it is, and gives back what it took.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tests.cluster.town import Role, Town
from tests.engines import control
from tests.engines.server import ask

_DOWN_S = 1.0  # how long what is killed is away
_OUT_S = 2.2  # how long NGINX leaves a web process alone that failed
_FLUSH = {"redis": b"FLUSHALL\r\n", "memcached": b"flush_all\r\n"}


@dataclass(frozen=True, slots=True)
class Harm:
    """One. `inflict` returns when all is given back."""

    name: str
    goal: str
    inflict: Callable[[], object]
    is_kill: bool = True  # else it is a long one, done once


def harms(town: Town, *, away_s: float) -> list[Harm]:
    """All that can be done to a town; without the long ones if `away_s` is 0."""
    found = [*_to_servers(town, away_s), *_to_roles(town)]
    return [harm for harm in found if harm.is_kill or away_s]


def _to_servers(town: Town, away_s: float) -> Iterator[Harm]:
    profile = town.profile
    if store := profile.store[-1:]:
        yield Harm(f"kill {store[0]}", "G9", partial(_kill, store))
        yield Harm(f"stop {store[0]}", "G9", partial(_stop, store, away_s), is_kill=False)
        yield Harm(f"hang {store[0]}", "G9", partial(_hang, store[0], away_s), is_kill=False)
    if len(profile.store) > 2:
        two = profile.store[1:3]
        yield Harm(f"kill {' and '.join(two)}", "G9", partial(_kill, two, away_s), is_kill=False)
    for name in dict.fromkeys([profile.cache, profile.near]):
        if name:
            yield Harm(f"kill {name}", "G7", partial(_kill, [name]))
            yield Harm(f"wipe {name}", "G7", partial(_wipe, name))
            yield Harm(f"stop {name}", "G7", partial(_stop, [name], away_s), is_kill=False)
            yield Harm(f"hang {name}", "G7", partial(_hang, name, away_s), is_kill=False)
    if profile.queue:
        yield Harm(f"kill {profile.queue}", "G8", partial(_kill, [profile.queue]))
        yield Harm(f"stop {profile.queue}", "G8", partial(_stop, [profile.queue], away_s), is_kill=False)


def _to_roles(town: Town) -> Iterator[Harm]:
    yield Harm("kill a web process", "G5", partial(_kill_role, town.webs[-1]))
    yield Harm("kill a worker", "G3", partial(_kill_role, town.workers[-1]))
    yield Harm("reload NGINX", "G6", partial(town.nginx.reload, whole=False))
    yield Harm("replace all processes", "G6", partial(_replace, town.roles), is_kill=False)


def _kill(names: Sequence[str], away_s: float = _DOWN_S) -> None:
    for name in names:
        control.kill(name)
    _bring_back(names, away_s)


def _stop(names: Sequence[str], away_s: float) -> None:
    for name in names:
        control.stop(name)
    _bring_back(names, away_s)


def _bring_back(names: Sequence[str], away_s: float) -> None:
    time.sleep(away_s)
    for name in names:
        control.start(name)
    for name in names:
        control.wait(name)


def _hang(name: str, away_s: float) -> None:
    control.hang(name)
    try:
        time.sleep(away_s)
    finally:
        control.go_on(name)
    control.wait(name)


def _wipe(name: str) -> None:
    host, _, port = control.url(name).partition("://")[2].partition("/")[0].partition(":")
    ask((host, int(port)), _FLUSH[name], enough=2)


def _kill_role(role: Role) -> None:
    role.kill()
    role.start()
    if role.port:
        role.wait_ready()


def _replace(roles: Sequence[Role]) -> None:
    for role in roles:
        code = role.stop()
        assert code == 0, f"{role.words[0]} ended with {code}"
        role.start()
        if role.port:
            role.wait_ready()
            time.sleep(_OUT_S)
