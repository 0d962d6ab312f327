"""`townsquare analytics ...`: what the analytics hold, and making it again from the store.

Box: cli.
"""

from datetime import UTC, datetime

import click
import msgspec

from townsquare.cli.options import Context, data_option, json_option
from townsquare.cli.progress import Progress
from townsquare.cli.session import show, with_ports
from townsquare.kit.clock import iso
from townsquare.social.ports import Ports


class Status(msgspec.Struct, kw_only=True):
    """What is there."""

    first_at: str | None
    last_at: str | None
    facts: int
    bytes: int
    rebuilding: bool
    rebuilt_facts: int = 0  # so far


class Rebuilt(msgspec.Struct, kw_only=True):
    """What a rebuild did."""

    facts: int
    since: str | None


@click.group("analytics")
def analytics() -> None:
    """See what is counted of the activity here; count it again from the store."""


@analytics.command()
@data_option
@json_option
@click.pass_obj
def status(context: Context, data: str | None, as_json: bool) -> None:
    """From when to when there are facts, how many, and how much they take."""

    async def act(ports: Ports) -> Status:
        from townsquare.social.facts_rebuild import read_progress  # noqa: PLC0415 - heavy, so that --help is quick

        found, progress = await ports.analytics.coverage(), await read_progress(ports.store)
        return Status(
            first_at=iso(found.first_ms) if found.facts else None,
            last_at=iso(found.last_ms) if found.facts else None,
            facts=found.facts,
            bytes=found.bytes,
            rebuilding=progress is not None,
            rebuilt_facts=progress.facts if progress else 0,
        )

    found = with_ports(context.settings(data=data), act)
    text = "There are no facts yet."
    if found.facts:
        size = f", {found.bytes / 1e6:,.1f} MB" if found.bytes else ""
        text = f"{found.facts:,} facts from {found.first_at} to {found.last_at}{size}."
    if found.rebuilding:
        text += (
            f"\nA rebuild is under way or was cut off at {found.rebuilt_facts:,} facts: `townsquare analytics rebuild`."
        )
    show(found, as_json=as_json, text=text)


@analytics.command()
@click.option(
    "--from",
    "since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only what happened on this day (UTC) and later, into what is there [default: all, anew].",
)
@data_option
@json_option
@click.pass_obj
def rebuild(context: Context, since: datetime | None, data: str | None, as_json: bool) -> None:
    """Count again what the store knows: posts, replies, boosts, favourites, follows, tags, links, sign-ups.

    The server may run meanwhile. What was cut off goes on where it was. What only the analytics know stays as it is.
    """
    since_ms = int(since.replace(tzinfo=UTC).timestamp() * 1000) if since else 0
    shown = Progress(quiet=as_json)

    async def act(ports: Ports) -> Rebuilt:
        from townsquare.social.facts_rebuild import rebuild as make  # noqa: PLC0415 - heavy, so that --help is quick

        done = await make(ports, since_ms=since_ms, say=shown.count)
        return Rebuilt(facts=done.facts, since=iso(since_ms) if since_ms else None)

    made = with_ports(context.settings(data=data), act)
    shown.end()
    show(made, as_json=as_json, text=f"{made.facts:,} facts were made again from the store.")
