"""The command line: run the roles, and what an operator does beside them.

Box: cli.
"""

from typing import Any

import click

from townsquare import __version__
from townsquare.settings import Settings, read_settings


class Context:
    """What all commands share: options that stand before the command."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options

    def settings(self, **options: Any) -> Settings:
        """The settings in force; options of the command win. A setting that cannot be used ends the program."""
        try:
            return read_settings(**{**self._options, **{k: v for k, v in options.items() if v is not None}})
        except ValueError as exc:
            raise click.UsageError(str(exc)) from exc


def data_option(command: Any) -> Any:
    """`--data DIR`, for commands that work on a server's data."""
    return click.option("--data", metavar="DIR", help="Folder of the server's data [default: data].")(command)


def json_option(command: Any) -> Any:
    """`--json`: the answer as one line of JSON, the last one printed."""
    return click.option("--json", "as_json", is_flag=True, help="Answer as one line of JSON.")(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="townsquare")
@click.option("--data", metavar="DIR", help="Folder of the server's data [default: data].")
@click.pass_context
def townsquare(context: click.Context, data: str | None) -> None:
    """Townsquare: a social network server."""
    context.obj = Context({"data": data} if data else {})
