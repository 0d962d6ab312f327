"""What `townsquare doctor` sees of this machine and of the settings, with no engine open.

Box: cli.
"""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from townsquare.model.findings import Finding, fine, warning, wrong
from townsquare.settings import Settings

_GIB = 1 << 30
_LEAST_FREE_GIB = 1
_DRIVERS = {
    "cassandra": "acsylla",
    "mongodb": "pymongo",
    "redis": "hiredis",
    "rediss": "hiredis",
    "memcached": "hiredis",
    "kafka": "confluent-kafka",
    "amqp": "pamqp",
    "amqps": "pamqp",
    "s3": "obstore",
}
_ENGINE_BOXES = ("store", "cache", "feeds", "queue", "streaming", "search", "analytics", "media", "mail")
_ONE_MACHINE = ("sqlite", "file", "local", "embedded", "memory")
_SHARED_ENGINES = {  # what machines share that share the store, by box
    "queue": "kafka: or amqp:",
    "streaming": "redis:",
    "cache": "redis: or memcached:",
    "feeds": "redis:",
    "media": "s3:",
    "search": "elasticsearch:",
    "analytics": "elasticsearch: or questdb:",
}
_SECRET_FILES = ("townsquare.toml", "townsquare.db", "queue.db", "facts.duckdb")


def of_machine(now: Settings) -> list[Finding]:
    """Look at the machine and the settings."""
    return [
        *_programs(),
        *_drivers(now),
        *_folder(now),
        _address(now),
        *_modes(now),
        *_boxes(now),
    ]


def _programs() -> Iterator[Finding]:
    import apsw  # noqa: PLC0415

    about = f"Python {sys.version.split()[0]}"
    yield fine("python", about) if sys.version_info >= (3, 11) else wrong("python", f"{about}; 3.11 or newer is needed")
    sqlite = apsw.sqlite_lib_version()
    about = f"SQLite {sqlite}"
    enough = tuple(int(part) for part in sqlite.split(".")) >= (3, 51, 3)
    yield fine("sqlite", about) if enough else wrong("sqlite", f"{about}; 3.51.3 or newer is needed: update apsw")
    tools = [tool for tool in ("ffmpeg", "ffprobe") if shutil.which(tool) is None]
    yield (
        warning(
            "video", f"{' and '.join(tools)} not found: uploads of video are refused; on Debian: apt install ffmpeg"
        )
        if tools
        else fine("video", "ffmpeg and ffprobe are there")
    )


def _drivers(now: Settings) -> Iterator[Finding]:
    wanted = {_DRIVERS[scheme] for box in _ENGINE_BOXES if (scheme := getattr(now, box).split(":", 1)[0]) in _DRIVERS}
    for name in sorted(wanted):
        try:
            yield fine(f"driver {name}", f"{name} {version(name)}")
        except PackageNotFoundError:
            yield wrong(f"driver {name}", f"{name} is not installed: pip install 'townsquare[cluster]'")


def _folder(now: Settings) -> Iterator[Finding]:
    folder = Path(now.data)
    there = next(each for each in (folder.resolve(), *folder.resolve().parents) if each.exists())
    writable = there.is_dir() and os.access(there, os.W_OK)
    yield (fine if writable else wrong)("data", f"{folder.resolve()} {'can' if writable else 'cannot'} be written")
    free = shutil.disk_usage(there).free / _GIB
    about = f"{free:.1f} GiB free; keep {_LEAST_FREE_GIB} GiB"
    yield fine("disk", about) if free > _LEAST_FREE_GIB else wrong("disk", about)
    opened = [name for name in _SECRET_FILES if _others_may_read(folder / name)]
    if folder.is_dir() and _others_may_read(folder) and opened:
        yield warning("rights", f"others on this machine may read {', '.join(opened)} in {folder}: chmod o-rwx")
    else:
        yield fine("rights", "others on this machine cannot read what is kept")


def _others_may_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _address(now: Settings) -> Finding:
    host = urlsplit(now.url).hostname or ""
    if host in ("localhost", "127.0.0.1", "::1"):
        return fine("url", f"{now.url}, for this machine alone")
    if not now.url.startswith("https://"):
        return warning("url", f"{now.url}: for the open internet it should begin with https://")
    if not now.trusted_proxies:
        return warning(
            "url", f"{now.url}: name the web server in front in trusted_proxies, or rate limits count it as one person"
        )
    return fine("url", now.url)


def _modes(now: Settings) -> Iterator[Finding]:
    yield (
        warning("test mode", "test mode is on: anybody can get a token by password; unset test_mode for real people")
        if now.test_mode
        else fine("test mode", "test mode is off")
    )
    yield (
        warning("durability", "relaxed_sync is on: a power cut loses confirmed posts")
        if now.relaxed_sync
        else fine("durability", "writes reach the disk before they are confirmed")
    )
    if now.mail.startswith("log:") and now.url.startswith("https://"):
        yield warning("mail", "mail only goes to a folder: nobody can confirm an address or reset a password")


def _boxes(now: Settings) -> Iterator[Finding]:
    if now.store.split(":", 1)[0] in _ONE_MACHINE:
        return
    alone = [box for box in _SHARED_ENGINES if getattr(now, box).split(":", 1)[0] in _ONE_MACHINE]
    if alone:
        named = ", ".join(f"{box} ({_SHARED_ENGINES[box]})" for box in alone)
        yield warning("machines", f"on this machine alone; set them to a server before a second one runs: {named}")
    else:
        yield fine("machines", "all boxes can be shared by many machines")
