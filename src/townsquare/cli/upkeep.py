"""`townsquare settings` and `doctor`.

Box: cli.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from townsquare import __version__
from townsquare.cli.options import Context, data_option, json_option
from townsquare.cli.session import show, table, with_ports
from townsquare.settings import meanings
from townsquare.social.ports import Ports


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
    if as_json:
        show(values, as_json=True, text="")
        return
    about = meanings()
    table(("setting", "value", "meaning"), [(name, str(value), about[name]) for name, value in values.items()])


@click.command()
@data_option
@json_option
@click.pass_obj
def doctor(context: Context, data: str | None, as_json: bool) -> None:
    """Look for what would not work, and say what to do. Exit code 1 if there is something."""
    now = context.settings(data=data)
    found: list[dict[str, Any]] = []

    def say(name: str, fine: bool, words: str) -> None:
        found.append({"check": name, "ok": fine, "about": words})

    import apsw  # noqa: PLC0415

    say("python", sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}")
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    say("sqlite", version >= (3, 51, 3), f"SQLite {apsw.sqlite_lib_version()}; 3.51.3 or newer is needed")
    folder = Path(now.data)
    there = next(each for each in (folder.resolve(), *folder.resolve().parents) if each.exists())
    writable = there.is_dir() and os.access(there, os.W_OK)
    say("data", writable, f"{folder.resolve()} {'can' if writable else 'cannot'} be written")
    free = shutil.disk_usage(there).free
    say("disk", free > 1 << 30, f"{free / (1 << 30):.1f} GiB free; keep 1 GiB")
    say(
        "url",
        now.url.startswith("https://") or "localhost" in now.url or "127.0.0.1" in now.url,
        f"{now.url}; for the open internet it should begin with https://",
    )
    say(
        "test mode",
        not now.test_mode,
        "test mode is off"
        if not now.test_mode
        else "test mode is on: anybody can get a token by password; unset test_mode for real people",
    )
    say(
        "durability",
        not now.relaxed_sync,
        "writes reach the disk before they are confirmed"
        if not now.relaxed_sync
        else "relaxed_sync is on: a power cut loses confirmed posts",
    )

    async def depths(ports: Ports) -> list[tuple[str, int, int]]:
        return [(lane.lane, lane.waiting, lane.parked) for lane in await ports.queue.depths()]

    try:
        lanes = with_ports(now, depths)
        parked = sum(lane[2] for lane in lanes)
        say("engines", True, "all open")
        say("parked work", parked == 0, f"{parked} tasks failed too often and wait for you")
    except click.ClickException as exc:
        say("engines", False, exc.message)
    if as_json:
        show({"version": __version__, "checks": found}, as_json=True, text="")
    else:
        for each in found:
            click.echo(f"{'ok  ' if each['ok'] else 'LOOK'}  {each['check']}: {each['about']}")
    sys.exit(0 if all(each["ok"] for each in found) else 1)
