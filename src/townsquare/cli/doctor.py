"""`townsquare doctor`: what would not work, and what to do about it.

Box: cli. Exit code 0: all is well; 1: there are warnings; 2: something must be mended.
"""

import asyncio
import sys
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from townsquare import __version__
from townsquare.cli.doctor_machine import of_machine
from townsquare.cli.options import Context, data_option, json_option
from townsquare.cli.session import check_there, show
from townsquare.model.errors import CannotStart, TownsquareError
from townsquare.model.findings import Examines, Finding, Level, fine, warning, wrong
from townsquare.settings import Settings, without_secrets

_BOXES = ("store", "queue", "cache", "feeds", "streaming", "search", "analytics", "media", "mail")
_WITHIN_S = 15.0  # for one engine
_MARKS = {Level.OK: "ok   ", Level.WARNING: "LOOK ", Level.WRONG: "WRONG"}
_EXIT = {Level.OK: 0, Level.WARNING: 1, Level.WRONG: 2}


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as it is printed by --json."""

    check: str
    ok: bool
    level: Level
    about: str


@click.command()
@data_option
@json_option
@click.pass_obj
def doctor(context: Context, data: str | None, as_json: bool) -> None:
    """Look for what would not work, and say what to do.

    Exit code 0: all is well. 1: it works, with something to look at. 2: something must be mended.
    """
    now = context.settings(data=data)
    found = of_machine(now)
    try:
        check_there(now)
    except click.ClickException as exc:
        found.append(wrong("engines", exc.message))
    else:
        found += asyncio.run(_of_engines(now))
    if as_json:
        show({"version": __version__, "checks": [_shown(each) for each in found]}, as_json=True, text="")
    else:
        for each in found:
            click.echo(f"{_MARKS[each.level]}  {each.check}: {each.about}")
    sys.exit(max(_EXIT[each.level] for each in found))


def _shown(each: Finding) -> Shown:
    return Shown(check=each.check, ok=each.level is Level.OK, level=each.level, about=each.about)


async def _of_engines(now: Settings) -> list[Finding]:
    """What each engine says. A server that several boxes name is looked at once."""
    found, looked = list[Finding](), set[str]()
    for box in _BOXES:
        try:
            async with asyncio.timeout(_WITHIN_S):
                found += await _of_engine(now, box, looked)
        except (CannotStart, TownsquareError) as exc:
            found.append(wrong(box, str(exc)))
        except TimeoutError:
            found.append(wrong(box, f"{without_secrets(getattr(now, box))} does not answer within {_WITHIN_S:.0f} s"))
    if not any(each.level is Level.WRONG for each in found):
        found.append(fine("engines", "all open"))
    return found


async def _of_engine(now: Settings, box: str, looked: set[str]) -> list[Finding]:
    from townsquare.boot import open_engine  # noqa: PLC0415 - heavy, so that --help is quick

    url: str = getattr(now, box)
    scheme, at = url.split(":", 1)[0], urlsplit(url).netloc
    server = f"{scheme}://{at}" if at else url  # a file is a box's own
    found: list[Finding] = []
    async with open_engine(now, box) as engine:
        if isinstance(engine, Examines) and (box in ("store", "queue") or server not in looked):
            looked.add(server)
            found += [msgspec.structs.replace(each, check=f"{box}: {each.check}") for each in await engine.examine()]
        if box == "store":
            found.append(await _version(engine))
        if box == "queue":
            found += await _work(engine)
    return found


async def _version(store: Any) -> Finding:
    from townsquare.store.copying import check_copied  # noqa: PLC0415
    from townsquare.store.versions import VERSION, WrongVersion, check_version  # noqa: PLC0415

    try:
        await check_version(store)
        await check_copied(store)
    except WrongVersion as exc:
        return wrong("store: schema version", str(exc))
    return fine("store: schema version", f"{VERSION}, as this version of Townsquare writes it")


async def _work(queue: Any) -> list[Finding]:
    depths = await queue.depths()
    parked = sum(lane.parked for lane in depths)
    waiting = sum(lane.waiting for lane in depths)
    return [
        warning("parked work", f"{parked} tasks failed too often and wait for you: townsquare queue list")
        if parked
        else fine("parked work", "0 tasks failed too often"),
        fine("waiting work", f"{waiting} tasks wait"),
    ]
