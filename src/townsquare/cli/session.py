"""One command's life: open the ports, do it, print the answer; faults become one sentence and an exit code.

Box: cli.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import msgspec

from townsquare.boot import open_ports
from townsquare.cli.options import WrongUse
from townsquare.model.errors import CannotStart, Invalid, TownsquareError
from townsquare.settings import Settings
from townsquare.social.ports import Ports

T = TypeVar("T")


def with_ports(settings: Settings, act: Callable[[Ports], Awaitable[T]], *, new: bool = False) -> T:
    """Run `act` with the engines open. What it refuses is printed as one sentence; the exit code is then 1, and 2
    where the settings or the engines that they name keep it from beginning.

    `new`: where there is no server in the data folder yet, one is made; else that is refused.
    """

    async def live() -> T:
        async with open_ports(settings) as ports:
            return await act(ports)

    if not new:
        check_there(settings)
    with refusals(settings):
        return asyncio.run(live())


def check_there(settings: Settings) -> None:
    """Refuse a data folder that holds no server: the name may be mistyped.

    Raises: click.ClickException.
    """
    if settings.store.startswith("sqlite:") and not settings.path(settings.store).exists():
        raise WrongUse(
            f"There is no server in the folder {settings.data}. Name another with --data DIR, or start one there: "
            f"townsquare run --data {settings.data}"
        )


@contextmanager
def refusals(settings: Settings) -> Iterator[None]:
    """Turn what goes wrong inside into one sentence and an exit code."""
    try:
        yield
    except CannotStart as exc:
        raise WrongUse(str(exc)) from exc
    except Invalid as exc:
        raise click.ClickException(str(exc).removeprefix("Validation failed: ")) from exc
    except OSError as exc:
        raise WrongUse(f"The folder {settings.data} cannot be used: {exc.strerror or exc}.") from exc
    except (TownsquareError, ValueError) as exc:
        raise click.ClickException(str(exc)) from exc


def show(value: Any, *, as_json: bool, text: str) -> None:
    """Print the answer: for people, or as one line of JSON."""
    click.echo(msgspec.json.encode(value).decode() if as_json else text)


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows for people, as wide as the window allows."""
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    shown = Table(box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column)
    for row in rows:
        shown.add_row(*map(escape, row))  # brackets are brackets
    Console(markup=False).print(shown)  # what is shown may hold brackets
