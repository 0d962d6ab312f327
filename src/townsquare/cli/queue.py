"""`townsquare queue ...`: what waits for the workers, and what failed too often.

Box: cli. Numbers of messages are the ids that `list` shows.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import click
import msgspec

from townsquare.cli.options import Context, WrongUse, data_option, json_option
from townsquare.cli.session import show, table, with_ports
from townsquare.kit.clock import iso
from townsquare.model.errors import NotFound
from townsquare.queue.port import LaneDepth, Parked
from townsquare.social.ports import Ports

_ALL = 1_000_000
_SHOWN = 1000


class _Named(msgspec.Struct):
    """The one thing that every task says of itself."""

    task: str


@click.group("queue")
def queue() -> None:
    """See what waits for the workers; try again or drop what failed too often."""


@queue.command("list")
@click.option("--lane", metavar="LANE", help="Only this lane.")
@click.option("--parked", "only_parked", is_flag=True, help="Only what failed too often.")
@click.option("--limit", type=click.IntRange(1, _ALL), default=_SHOWN, show_default=True, help="Parked ones at most.")
@data_option
@json_option
@click.pass_obj
def list_queue(
    context: Context, lane: str | None, only_parked: bool, limit: int, data: str | None, as_json: bool
) -> None:
    """How much waits in each lane, and the messages that failed too often, oldest first."""

    async def act(ports: Ports) -> tuple[list[LaneDepth], list[Parked], int]:
        depths = await ports.queue.depths()
        if lane is not None and lane not in (lanes := [one.lane for one in depths]):
            raise NotFound(f"There is no lane {lane} with work in it; there are {', '.join(lanes) or 'none'}.")
        depths = [one for one in depths if lane in (None, one.lane)]
        found = await _parked(ports, lane, limit) if any(one.parked for one in depths) else []
        return depths, found, ports.clock.now_ms()

    depths, parked, now_ms = with_ports(context.settings(data=data), act)
    if as_json:
        answer: dict[str, Any] = {"parked": [_facts(one) for one in parked]}
        if not only_parked:
            answer["lanes"] = [_depth_facts(one) for one in depths]
        show(answer, as_json=True, text="")
        return
    if not only_parked:
        columns = ("lane", "waiting", "oldest", "parked")
        table(columns, [(d.lane, str(d.waiting), _age(d.oldest_ms, now_ms), str(d.parked)) for d in depths])
    if not parked:
        click.echo("Nothing is parked.")
        return
    table(("lane", "id", "task", "tries", "age", "reason"), [_row(one, now_ms) for one in parked])


@queue.command()
@click.argument("lane")
@click.argument("message_id", metavar="[ID]", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="All that are parked in the lane.")
@data_option
@json_option
@click.pass_obj
def retry(context: Context, lane: str, message_id: int | None, every: bool, data: str | None, as_json: bool) -> None:
    """Have a parked message of LANE tried again, from its first try."""
    _check(message_id, every=every)

    async def act(ports: Ports) -> int:
        return await _each(ports, lane, message_id, ports.queue.redrive)

    count = with_ports(context.settings(data=data), act)
    show({"lane": lane, "retried": count}, as_json=as_json, text=f"{_messages(count)} of {lane} will be tried again.")


@queue.command()
@click.argument("lane")
@click.argument("message_id", metavar="[ID]", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="All that are parked in the lane.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@json_option
@click.pass_obj
def drop(
    context: Context, lane: str, message_id: int | None, every: bool, yes: bool, data: str | None, as_json: bool
) -> None:
    """Forget a parked message of LANE: what it was to do is never done."""
    _check(message_id, every=every)
    if not yes:
        what = "all parked messages" if every else f"the parked message {message_id}"
        click.confirm(f"Drop {what} of {lane}? What was to be done is never done", abort=True, err=True)

    async def act(ports: Ports) -> int:
        return await _each(ports, lane, message_id, ports.queue.discard)

    count = with_ports(context.settings(data=data), act)
    show({"lane": lane, "dropped": count}, as_json=as_json, text=f"{_messages(count)} of {lane} dropped.")


def _check(message_id: int | None, *, every: bool) -> None:
    if every == (message_id is not None):
        raise WrongUse("Name one message by its ID, or all of the lane by --all.")


async def _each(ports: Ports, lane: str, message_id: int | None, act: Callable[[str, int], Awaitable[bool]]) -> int:
    """Do it to one message, or all parked ones of the lane, oldest first; to how many it was done.

    Raises: NotFound where there is none.
    """
    ids = [one.message.id for one in await _parked(ports, lane, _ALL)] if message_id is None else [message_id]
    count = 0
    for each in ids:
        count += await act(lane, each)
    if message_id is not None and not count:
        raise NotFound(f"There is no parked message {message_id} in the lane {lane}; see `townsquare queue list`.")
    return count


async def _parked(ports: Ports, lane: str | None, limit: int) -> list[Parked]:
    found = await ports.queue.parked(limit=limit if lane is None else _ALL)
    return [one for one in found if lane in (None, one.message.lane)][:limit]


def _task(parked: Parked) -> str:
    try:
        return msgspec.msgpack.decode(parked.message.body, type=_Named).task
    except msgspec.MsgspecError:
        return "?"


def _row(parked: Parked, now_ms: int) -> tuple[str, ...]:
    message = parked.message
    age = _age(parked.parked_ms, now_ms)
    return message.lane, str(message.id), _task(parked), str(parked.tries), age, parked.reason


def _facts(parked: Parked) -> dict[str, Any]:
    message = parked.message
    return {
        "lane": message.lane,
        "id": str(message.id),
        "task": _task(parked),
        "tries": parked.tries,
        "reason": parked.reason,
        "parked_at": iso(parked.parked_ms),
    }


def _depth_facts(depth: LaneDepth) -> dict[str, Any]:
    oldest = None if depth.oldest_ms is None else iso(depth.oldest_ms)
    return {"lane": depth.lane, "waiting": depth.waiting, "parked": depth.parked, "oldest_at": oldest}


def _age(since_ms: int | None, now_ms: int) -> str:
    """As people say it: 12 s, 5 min, 3 h, 2 d."""
    if since_ms is None:
        return "-"
    seconds = max(0, now_ms - since_ms) // 1000
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds // length_s} {unit}"
    return f"{seconds} s"


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
