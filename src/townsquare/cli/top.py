"""`townsquare top`: what the server does just now, in a terminal.

Box: cli.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from townsquare.cli.options import Context, data_option, json_option
from townsquare.cli.session import show, with_ports
from townsquare.social.ports import Ports

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from townsquare.cli.standing import Standing

_BLOCKS = "▁▂▃▄▅▆▇█"
_OLD_S = 60.0  # what waits longer than this is marked


@click.command()
@click.option("--every", metavar="SECONDS", type=click.FloatRange(0.5, 3600), default=2.0, show_default=True)
@click.option("--once", is_flag=True, help="Look once, print it and end.")
@data_option
@json_option
@click.pass_obj
def top(context: Context, every: float, once: bool, data: str | None, as_json: bool) -> None:
    """Watch requests, the queue, people, posts and faults, until Ctrl-C.

    Requests a second come from the metrics where the setting names an address for them, else from the facts of the last
    two minutes. --json prints one line for each look.
    """
    settings = context.settings(data=data)

    async def act(ports: Ports) -> None:
        await _watch(ports, every=every, once=once or not (as_json or sys.stdout.isatty()), as_json=as_json)

    try:
        with_ports(settings, act)
    except KeyboardInterrupt:
        click.echo("", err=True)


async def _watch(ports: Ports, *, every: float, once: bool, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.live import Live  # noqa: PLC0415

    from townsquare.cli.standing import Watcher  # noqa: PLC0415

    watcher = Watcher(ports)
    if as_json or once:
        while True:
            found = await watcher.look()
            if as_json:
                show(found, as_json=True, text="")
            else:
                Console(markup=False).print(drawn(found))
            if once:
                return
            await asyncio.sleep(every)
    with Live(drawn(await watcher.look()), screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(every)
            live.update(drawn(await watcher.look()), refresh=True)


def drawn(found: "Standing") -> "RenderableType":
    """All of it, as wide as the window."""
    from rich.columns import Columns  # noqa: PLC0415
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    head = Text.assemble(
        ("Townsquare", "bold"), f"  {found.at[:19].replace('T', ' ')} UTC  ", (_complete(found), "dim")
    )
    return Group(head, Text(), _people(found), Text(), Columns([_requests(found), _lanes(found), _faults(found)],
                                                               padding=(0, 4)))  # fmt: skip


def _complete(found: "Standing") -> str:
    if found.complete_to is None:
        return "no facts yet"
    return f"facts up to {found.complete_to[11:19]}"


def _people(found: "Standing") -> "RenderableType":
    from rich.text import Text  # noqa: PLC0415

    active = "–" if found.active_today is None else f"{found.active_today:,}"
    posts = "–" if found.posts_per_minute is None else f"{found.posts_per_minute:g}"
    words: list[str | tuple[str, str]] = [
        ("active today ", "dim"), (active, "bold"), ("   posts/min ", "dim"), (posts, "bold"), "  ",
        (bars(found.posts), "cyan"),
    ]  # fmt: skip
    if found.streams is not None:
        words += [("   open streams ", "dim"), (f"{found.streams:,}", "bold")]
    return Text.assemble(*words)


def bars(values: Sequence[int | None]) -> str:
    """Values as blocks from zero to the greatest; a dot where nothing is known."""
    most = max((value for value in values if value is not None), default=0) or 1
    scale = len(_BLOCKS) - 1
    return "".join("·" if value is None else _BLOCKS[-(-value * scale // most)] for value in values)


def _table(title: str, *columns: str) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    made.add_column(columns[0])
    for column in columns[1:]:
        made.add_column(column, justify="right")
    return made


def _requests(found: "Standing") -> "RenderableType":
    origin = f" (by {found.requests_from})" if found.requests_from else ""
    made = _table(f"Requests{origin}", "class", "/s", "failed/s")
    for each in found.requests or ():
        failed = f"{each.failed_per_second:g}" if each.failed_per_second else "-"
        made.add_row(each.name, f"{each.per_second:g}", failed, style="red" if each.failed_per_second else None)
    if found.requests is None:
        made.add_row("not known", "", "")
    return made


def _lanes(found: "Standing") -> "RenderableType":
    made = _table("Queue", "lane", "waiting", "oldest", "parked")
    for lane in found.lanes or ():
        oldest = f"{lane.oldest_s:,.1f} s" if lane.oldest_s else "-"
        style = "yellow" if lane.oldest_s > _OLD_S or lane.parked else None
        made.add_row(lane.name, f"{lane.waiting:,}", oldest, f"{lane.parked:,}" if lane.parked else "-", style=style)
    if found.lanes is None:
        made.add_row("does not answer", "", "", "", style="red")
    elif not found.lanes:
        made.add_row("empty", "", "", "")
    return made


def _faults(found: "Standing") -> "RenderableType":
    made = _table("Faults (1 h)", "where", "count")
    for each in found.faults:
        made.add_row(each.name, f"{each.count:,}", style="red")
    if not found.faults:
        made.add_row("none", "")
    return made
