"""One command's life: open the ports, do it, print the answer; faults become one sentence and an exit code.

Box: cli.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import msgspec

from townsquare.boot import open_ports
from townsquare.model.errors import Invalid, TownsquareError
from townsquare.settings import Settings
from townsquare.social.ports import Ports

T = TypeVar("T")


def with_ports(settings: Settings, act: Callable[[Ports], Awaitable[T]]) -> T:
    """Run `act` with the engines open. What it refuses is printed as one sentence; the exit code is then 1."""

    async def live() -> T:
        async with open_ports(settings) as ports:
            return await act(ports)

    try:
        return asyncio.run(live())
    except Invalid as exc:
        raise click.ClickException(str(exc).removeprefix("Validation failed: ")) from exc
    except (TownsquareError, ValueError) as exc:
        raise click.ClickException(str(exc)) from exc


def show(value: Any, *, as_json: bool, text: str) -> None:
    """Print the answer: for people, or as one line of JSON."""
    click.echo(msgspec.json.encode(value).decode() if as_json else text)


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows for people, as wide as the window allows."""
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415

    shown = Table(box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column)
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)
