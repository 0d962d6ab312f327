"""What all commands share: the context and the options.

Box: cli.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from townsquare.settings import Settings, read_settings

Command = TypeVar("Command", bound=Callable[..., Any])


class WrongUse(click.ClickException):
    """What was asked for cannot be meant: one sentence, and exit code 2; what is refused otherwise ends with 1."""

    exit_code = 2


class Context:
    """What all commands share: options that stand before the command."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options

    def settings(self, **options: Any) -> Settings:
        """The settings in force; options of the command win. A setting that cannot be used ends the program."""
        try:
            return read_settings(**{**self._options, **{k: v for k, v in options.items() if v is not None}})
        except ValueError as exc:
            raise WrongUse(str(exc)) from exc


def data_option(command: Command) -> Command:
    """`--data DIR`, for commands that work on a server's data."""
    return click.option("--data", metavar="DIR", help="Folder of the server's data [default: data].")(command)


def json_option(command: Command) -> Command:
    """`--json`: the answer as one line of JSON, the last one printed."""
    return click.option("--json", "as_json", is_flag=True, help="Answer as one line of JSON.")(command)
