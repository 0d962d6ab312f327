"""`townsquare search rebuild`: the search index made again from the store, while the server runs.

Box: cli.
"""

import time

import click

from townsquare.cli.options import Context, WrongUse, data_option, json_option
from townsquare.cli.progress import Progress
from townsquare.cli.session import show, with_ports
from townsquare.settings import without_secrets
from townsquare.social.ports import Ports


@click.group("search")
def search() -> None:
    """Care for the search index."""


@search.command("rebuild")
@click.option("--give-up", is_flag=True, help="Drop what a rebuild that was cut off has made.")
@data_option
@json_option
@click.pass_obj
def rebuild(context: Context, give_up: bool, data: str | None, as_json: bool) -> None:
    """Make the index again from the store, beside the old one.

    The server may run: the old index answers until the new one is whole. What was cut off goes on where it was.
    """
    now = context.settings(data=data)
    if now.search.startswith("memory:"):
        raise WrongUse("search = memory: lives in the server's own process and is made by it alone.")
    shown, begun_s = Progress(quiet=as_json), time.monotonic()

    async def act(ports: Ports) -> int:
        if give_up:
            await (await ports.search.rebuild()).give_up()
            return 0
        from townsquare.workers import reindex  # noqa: PLC0415 - only here

        return await reindex.rebuild(ports, shown.count)

    rows = with_ports(now, act)
    shown.end()
    seconds = round(time.monotonic() - begun_s, 2)
    where = without_secrets(now.search)
    text = (
        f"{where} has one index, the one in use."
        if give_up
        else f"Looked at {rows:,} rows in {seconds:.1f} s; {where} is made anew and in use."
    )
    show({"search": where, "rows": rows, "seconds": seconds, "rebuilt": not give_up}, as_json=as_json, text=text)
