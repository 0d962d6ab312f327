"""`townsquare settings`, `doctor`, `backup`, `restore`.

Box: cli.
"""

import io
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import click
import msgspec

from townsquare import __version__
from townsquare.cli.options import Context, data_option, json_option
from townsquare.cli.session import show, table, with_ports
from townsquare.settings import Settings
from townsquare.social.ports import Ports

_FORMAT = 1
_FACTS = "townsquare.json"


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
    if as_json:
        show(values, as_json=True, text="")
        return
    hints = get_type_hints(Settings, include_extras=True)
    about = {
        name: next((m.description for m in get_args(hint)[1:] if isinstance(m, msgspec.Meta)), "")
        for name, hint in hints.items()
        if hasattr(hint, "__metadata__") or Annotated
    }
    table(
        ("setting", "value", "meaning"), [(name, str(value), about.get(name) or "") for name, value in values.items()]
    )


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
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    say("data", os.access(folder, os.W_OK), f"{folder.resolve()} can be written")
    free = shutil.disk_usage(folder).free
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


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@json_option
@click.pass_obj
def backup(context: Context, file: Path, data: str | None, as_json: bool) -> None:
    """Save the store and the media into one FILE, while the server runs.

    What stands in the file is one moment of the store; media files that belong to it are never younger.
    """
    now = context.settings(data=data)
    if not now.store.startswith("sqlite:") or not now.media.startswith("file:"):
        raise click.ClickException(
            "Only a server on sqlite: and file: is saved by this command; use the tools of the "
            "store and the media store that the settings name."
        )
    if file.exists():
        raise click.ClickException(f"{file} is there already; choose another name.")
    part = file.with_name(file.name + ".part")
    with tempfile.TemporaryDirectory(dir=file.resolve().parent) as folder:
        copy = Path(folder) / "store.db"
        with_ports(now, lambda ports: ports.store.backup(copy))  # type: ignore[attr-defined]  # sqlite, checked above
        media = [path for path in sorted(now.path(now.media).rglob("*")) if path.is_file()]
        with tarfile.open(part, "w") as tar:
            facts = msgspec.json.encode({"format": _FORMAT, "version": __version__, "url": now.url})
            info = tarfile.TarInfo(_FACTS)
            info.size = len(facts)
            tar.addfile(info, io.BytesIO(facts))
            tar.add(copy, "store.db")
            with click.progressbar(media, label="media", hidden=as_json, file=sys.stderr) as shown:
                for path in shown:
                    tar.add(path, f"media/{path.relative_to(now.path(now.media))}", recursive=False)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.rename(file)
    size = file.stat().st_size
    show(
        {"file": str(file), "bytes": size, "media": len(media)},
        as_json=as_json,
        text=f"Saved {len(media)} media files and the store into {file} ({size / 1e6:.1f} MB).",
    )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@json_option
@click.pass_obj
def restore(context: Context, file: Path, data: str | None, as_json: bool) -> None:
    """Bring back what `backup` saved, into an empty data folder. The server must not run."""
    now = context.settings(data=data)
    store, media = now.path(now.store), now.path(now.media)
    if store.exists() or (media.exists() and any(media.iterdir())):
        raise click.ClickException(f"{now.data} holds a server already; restore into an empty folder with --data DIR.")
    Path(now.data).mkdir(mode=0o700, parents=True, exist_ok=True)
    with tarfile.open(file) as tar:
        facts = tar.extractfile(_FACTS) if _FACTS in tar.getnames() else None
        if facts is None or msgspec.json.decode(facts.read()).get("format") != _FORMAT:
            raise click.ClickException(f"{file} was not made by `townsquare backup` of this version.")
        with tempfile.TemporaryDirectory(dir=now.data) as folder:
            with click.progressbar(tar.getmembers(), label="restore", hidden=as_json, file=sys.stderr) as members:
                for member in members:
                    _unpack(tar, member, Path(folder))
            if (Path(folder) / "media").exists():
                media.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(media, ignore_errors=True)
                (Path(folder) / "media").rename(media)
            (Path(folder) / "store.db").rename(store)  # last: without it the folder counts as empty
    show(
        {"data": now.data, "restored": True},
        as_json=as_json,
        text=f"Restored into {now.data}. Home timelines and the search index are made again when the server runs.",
    )


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One file of an archive, if it is a plain one that stays inside the folder."""
    target = folder / member.name
    source = tar.extractfile(member) if member.isfile() else None
    if source is None or not target.resolve().is_relative_to(folder.resolve()):
        raise click.ClickException(f"The archive holds {member.name!r}, which `townsquare backup` never writes.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        shutil.copyfileobj(source, out)
