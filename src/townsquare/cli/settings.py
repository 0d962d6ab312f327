"""`townsquare settings`.

Box: cli.
"""

import click
import msgspec

from townsquare.cli.options import Context, data_option, json_option
from townsquare.cli.session import show, table
from townsquare.settings import meanings, without_secrets


@click.group()
def settings() -> None:
    """See the settings."""


@settings.command("show")
@data_option
@json_option
@click.pass_obj
def show_settings(context: Context, data: str | None, as_json: bool) -> None:
    """All settings in force, with what they mean."""
    now = context.settings(data=data)
    values = msgspec.structs.asdict(now)
    values["cdn_secret"] = "(hidden)" if now.cdn_secret else ""
    values = {name: without_secrets(value) if isinstance(value, str) else value for name, value in values.items()}
    if as_json:
        show(values, as_json=True, text="")
        return
    about = meanings()
    table(("setting", "value", "meaning"), [(name, str(value), about[name]) for name, value in values.items()])
