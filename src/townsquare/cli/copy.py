"""`townsquare copy`: a server's rows and files into other stores, first while it runs, then for good.

Box: cli.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import msgspec

from townsquare.cli.lock import in_use
from townsquare.cli.options import Context, WrongUse, data_option, json_option
from townsquare.cli.progress import Progress
from townsquare.cli.session import check_there, refusals, show
from townsquare.settings import Settings, without_secrets

_FEW = 1_000  # rows that a pass still had to write: the rest is quick enough for the final one
_MOST_PASSES = 5


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed."""

    source: str
    target: str
    media_source: str
    media_target: str
    final: bool
    queue_stays: bool


class Outcome(msgspec.Struct, kw_only=True):
    """What was done."""

    passes: int = 0
    rows: int = 0  # written by this call
    files: int = 0
    whole: bool = False
    tables: list[dict[str, Any]] = []
    seconds: float = 0.0


@click.command("copy")
@click.option("--from", "source", metavar="URL", help="The store as it is [default: the setting store].")
@click.option("--to", "target", metavar="URL", required=True, help="An empty store, or one with a copy to go on with.")
@click.option("--media-from", "media_source", metavar="URL", default="", help="Files too: the media store as it is.")
@click.option("--media-to", "media_target", metavar="URL", default="", help="Where the files go.")
@click.option("--final", is_flag=True, help="The server is stopped: copy the rest, compare both sides, and be done.")
@click.option("--queue-stays", is_flag=True, help="Work still waits in a queue that the new settings name as well.")
@data_option
@json_option
@click.pass_obj
def copy(context: Context, /, data: str | None, as_json: bool, **typed: Any) -> None:
    """Copy a server's rows into another store.

    Type it while the server runs, as often as you like; then stop the server and type it once more with --final.
    What was cut off goes on where it was. Exit code 1: the two sides differ.
    """
    now = context.settings(data=data)
    wanted = Wanted(**{**typed, "source": typed["source"] or now.store})
    if bool(wanted.media_source) != bool(wanted.media_target):
        raise WrongUse("Give both --media-from and --media-to, or neither.")
    of_source = msgspec.structs.replace(now, store=wanted.source)
    if now.path(wanted.source) == now.path(wanted.target):
        raise WrongUse("--from and --to are the same store.")
    check_there(of_source)
    shown = Progress(quiet=as_json)
    with refusals(now):
        outcome = asyncio.run(_copy(now, wanted, shown))
    shown.end()
    show(outcome, as_json=as_json, text=_sentence(outcome, wanted))
    sys.exit(0 if outcome.whole or not wanted.final else 1)


def _sentence(outcome: Outcome, wanted: Wanted) -> str:
    files = f" and {outcome.files:,} files" if wanted.media_target else ""
    done = f"Copied {outcome.rows:,} rows{files} in {outcome.seconds:.1f} s"
    if outcome.whole:
        rows = sum(table["rows"] for table in outcome.tables)
        return (
            f"{done}; both sides hold the same {rows:,} rows in {len(outcome.tables)} tables. "
            f"Set store to {without_secrets(wanted.target)} and start the server."
        )
    differing = [table["table"] for table in outcome.tables if not table["equal"]]
    if differing:
        return f"{done}, but these tables differ: {', '.join(differing)}. Is the server stopped? Then type it again."
    return f"{done}. Type it again whenever you like; for the rest, stop the server and add --final."


async def _copy(now: Settings, wanted: Wanted, shown: Progress) -> Outcome:
    from townsquare.boot import open_engine  # noqa: PLC0415 - heavy, so that --help is quick
    from townsquare.kit.clock import SystemClock  # noqa: PLC0415
    from townsquare.social.media_copying import copy_media  # noqa: PLC0415
    from townsquare.store.copying import Copy, NotEmpty  # noqa: PLC0415
    from townsquare.store.tables import TABLES  # noqa: PLC0415
    from townsquare.store.versions import WrongVersion, check_version  # noqa: PLC0415

    begun, outcome = time.monotonic(), Outcome()
    async with AsyncExitStack() as stack:

        async def engine(box: str, url: str) -> Any:
            return await stack.enter_async_context(open_engine(msgspec.structs.replace(now, **{box: url}), box))

        source, target = await engine("store", wanted.source), await engine("store", wanted.target)
        copying = Copy(source, target, TABLES, clock=SystemClock(), say=shown.count)
        try:
            await check_version(source)
            await check_version(target)
            await copying.begin(_name(now, wanted.source))
        except NotEmpty as exc:
            url = without_secrets(wanted.target)
            raise WrongUse(f"{url} cannot take a copy: {exc}. Name an empty store with --to.") from exc
        except WrongVersion as exc:
            raise WrongUse(str(exc)) from exc
        if wanted.final:
            await _check_rest(now, wanted, source)
        for _ in range(1 if wanted.final else _MOST_PASSES):
            written = await copying.run_pass()
            outcome.rows += written
            outcome.passes = copying.progress.passes
            if written <= _FEW:
                break
        if wanted.media_target:
            files = await engine("media", wanted.media_source), await engine("media", wanted.media_target)
            outcome.files = await copy_media(source, *files, say=shown.count)
        if wanted.final:
            looked = await copying.verify()
            outcome.tables = [{**msgspec.structs.asdict(each), "equal": each.equal} for each in looked]
            outcome.whole = all(each.equal for each in looked)
            if outcome.whole:
                await copying.finish()
    outcome.seconds = round(time.monotonic() - begun, 2)
    return outcome


def _name(now: Settings, url: str) -> str:
    """The same for the same store, wherever the command is typed."""
    return f"sqlite:{now.path(url).resolve()}" if url.startswith("sqlite:") else without_secrets(url)


async def _check_rest(now: Settings, wanted: Wanted, source: Any) -> None:
    """Refuse a last copy while a process uses the source, or work waits for one. Raises: click.ClickException."""
    from townsquare.boot import open_engine  # noqa: PLC0415
    from townsquare.store.numbers import holders  # noqa: PLC0415

    users = await holders(source, now_ms=time.time_ns() // 1_000_000)
    if wanted.source.startswith("sqlite:") and in_use(Path(now.data)):
        users.append(f"a process of {now.data}")
    if users:
        raise click.ClickException(f"Still in use by {_some(users)}: stop the server, then type it again.")
    if wanted.queue_stays or wanted.source != now.store:
        return
    async with open_engine(now, "queue") as queue:
        waiting = [f"{lane.waiting} in {lane.lane}" for lane in await queue.depths() if lane.waiting]
    if waiting:
        raise click.ClickException(
            f"Work waits in the queue ({_some(waiting)}): do it by `townsquare workers --once`, or say "
            "--queue-stays if the new settings name the same queue."
        )


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:5]) + (f" and {len(words) - 5} more" if len(words) > 5 else "")
