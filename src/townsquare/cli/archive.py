"""`townsquare backup` and `restore`: a server in one file.

Box: cli.
"""

import io
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import click
import msgspec

from townsquare import __version__
from townsquare.cli.options import Context, data_option, json_option
from townsquare.cli.progress import Progress
from townsquare.cli.session import check_there, refusals, show, with_ports
from townsquare.model.errors import Unavailable
from townsquare.settings import Settings
from townsquare.social.ports import Ports

_FORMAT = 1
_FACTS = "townsquare.json"
_SETTINGS = "townsquare.toml"
_NUMBERS = "facts.duckdb"
_MARGIN_MS = 120_000  # work that was begun so shortly before is done again


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself."""

    format: int
    version: str
    url: str
    redo_since_ms: int  # Unix time from which on work may not have been finished


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@json_option
@click.pass_obj
def backup(context: Context, file: Path, data: str | None, as_json: bool) -> None:
    """Save the store, the facts of the analytics and the media into one FILE, while the server runs.

    What stands in the file is one moment of the store, and the media that were there then.
    """
    now = context.settings(data=data)
    check_there(now)
    if not now.store.startswith("sqlite:") or not now.media.startswith("file:"):
        raise click.ClickException(
            "Only a server on sqlite: and file: is saved by this command; use the tools of the "
            "store and the media store that the settings name."
        )
    if file.exists():
        raise click.ClickException(f"{file} is there already; choose another name.")
    if not file.parent.is_dir():
        raise click.ClickException(f"There is no folder {file.parent}.")
    with refusals(now):
        media = _save(now, file, quiet=as_json)
    size = file.stat().st_size
    show(
        {"file": str(file), "bytes": size, "media": media},
        as_json=as_json,
        text=f"Saved {media} media files and the store into {file} ({size / 1e6:.1f} MB).",
    )


def _save(now: Settings, file: Path, *, quiet: bool) -> int:
    """Write the archive; how many media files are in it."""
    with tempfile.TemporaryDirectory(dir=file.resolve().parent, prefix=".townsquare-") as folder:
        copy, part = Path(folder) / "store.db", Path(folder) / "archive.tar"
        numbers = Path(folder) / _NUMBERS
        facts = with_ports(now, lambda ports: _copy(ports, copy, numbers))
        files = [path for path in sorted(now.path(now.media).rglob("*")) if path.is_file()]
        with tarfile.open(part, "w") as tar:
            words = msgspec.json.encode(facts)
            info = tarfile.TarInfo(_FACTS)
            info.size = len(words)
            tar.addfile(info, io.BytesIO(words))
            tar.add(copy, "store.db")
            if numbers.exists():
                tar.add(numbers, _NUMBERS)
            if (Path(now.data) / _SETTINGS).is_file():
                tar.add(Path(now.data) / _SETTINGS, _SETTINGS)
            saved = 0
            with click.progressbar(files, label="media", hidden=quiet, file=sys.stderr) as shown:
                for path in shown:
                    try:
                        tar.add(path, f"media/{path.relative_to(now.path(now.media))}", recursive=False)
                    except FileNotFoundError:
                        continue  # deleted, or a part of an upload that is whole by now
                    saved += 1
        part.chmod(0o600)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(file)
    return saved


async def _copy(ports: Ports, copy: Path, numbers: Path) -> Facts:
    """Copy the numbers first: what the store holds more is told to them again, when its tasks are done again."""
    waiting = [lane.oldest_ms for lane in await ports.queue.depths() if lane.oldest_ms is not None]
    since_ms = min([ports.clock.now_ms(), *waiting]) - _MARGIN_MS
    if ports.settings.analytics.startswith("embedded:"):
        try:
            await ports.analytics.backup(numbers)  # type: ignore[attr-defined]  # of DuckAnalytics
        except Unavailable as exc:
            click.echo(f"{exc}: they are not in the archive.", err=True)
    await ports.store.backup(copy)  # type: ignore[attr-defined]  # of SqliteStore, which `backup` has made sure of
    return Facts(format=_FORMAT, version=__version__, url=ports.settings.url, redo_since_ms=since_ms)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@json_option
@click.pass_obj
def restore(context: Context, file: Path, data: str | None, as_json: bool) -> None:
    """Bring back what `backup` saved, into an empty data folder, with a search index made anew."""
    now = context.settings(data=data)
    if not now.store.startswith("sqlite:") or not now.media.startswith("file:"):
        raise click.ClickException("Only into sqlite: and file: can be restored; see the settings store and media.")
    store, media = now.path(now.store), now.path(now.media)
    if store.exists() or (media.exists() and any(media.iterdir())):
        raise click.ClickException(f"{now.data} holds a server already; restore into an empty folder with --data DIR.")
    with refusals(now):
        Path(now.data).mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = _unpack_all(now, file, quiet=as_json)
    now = context.settings(data=data)  # with the saved ones
    if facts.url != now.url:
        click.echo(f"The saved server was {facts.url}; this one is set to {now.url}.", err=True)
    shown = Progress(quiet=as_json)

    async def remake(ports: Ports) -> tuple[int, int]:
        from townsquare.workers import reindex, remake  # noqa: PLC0415 - only here

        found = await reindex.rebuild(ports, shown.count)
        return found, await remake.redo(ports, facts.redo_since_ms, shown.count)

    documents, tasks = with_ports(now, remake)
    shown.end()
    show(
        {"data": now.data, "restored": True, "indexed": documents, "redone": tasks},
        as_json=as_json,
        text=f"Restored into {now.data}; {documents:,} entries are in the search index. "
        f"Home timelines are made when they are read, and {tasks:,} tasks wait for the server's start.",
    )


def _unpack_all(now: Settings, file: Path, *, quiet: bool) -> Facts:
    """Put the archive's files in their places. A fault leaves the folder as empty as it was."""
    store, media = now.path(now.store), now.path(now.media)
    try:
        with tarfile.open(file) as tar, tempfile.TemporaryDirectory(dir=now.data) as folder:
            facts = _facts(tar, file)
            with click.progressbar(tar.getmembers(), label="restore", hidden=quiet, file=sys.stderr) as members:
                for member in members:
                    _unpack(tar, member, Path(folder))
            if not (Path(folder) / "store.db").exists():
                raise click.ClickException(f"{file} holds no store: it is not whole.")
            if (Path(folder) / "media").exists():
                media.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(media, ignore_errors=True)
                (Path(folder) / "media").rename(media)
            if (Path(folder) / _SETTINGS).exists() and not (Path(now.data) / _SETTINGS).exists():
                (Path(folder) / _SETTINGS).rename(Path(now.data) / _SETTINGS)
            if (Path(folder) / _NUMBERS).exists() and now.analytics.startswith("embedded:"):
                numbers = now.path(now.analytics)
                Path(f"{numbers}.wal").unlink(missing_ok=True)  # of another file
                (Path(folder) / _NUMBERS).rename(numbers)
            (Path(folder) / "store.db").rename(store)  # last: without it the folder counts as empty
    except (tarfile.TarError, EOFError) as exc:
        raise click.ClickException(f"{file} cannot be read as an archive; was it made by `townsquare backup`?") from exc
    return facts


def _facts(tar: tarfile.TarFile, file: Path) -> Facts:
    found = tar.extractfile(_FACTS) if _FACTS in tar.getnames() else None
    try:
        facts = msgspec.json.decode(found.read(), type=Facts) if found else None
    except msgspec.DecodeError:
        facts = None
    if facts is None or facts.format != _FORMAT:
        raise click.ClickException(f"{file} was not made by `townsquare backup` of this version.")
    return facts


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One file of an archive, if it is a plain one that stays inside the folder."""
    target = folder / member.name
    source = tar.extractfile(member) if member.isfile() else None
    if source is None or not target.resolve().is_relative_to(folder.resolve()):
        raise click.ClickException(f"The archive holds {member.name!r}, which `townsquare backup` never writes.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        shutil.copyfileobj(source, out)
