"""Files of people in a folder.

`a/b/name.webp` lies at `<folder>/a/b/na/me/name.webp`: two levels of folders by the name's first letters, as no folder
should hold millions of files. A web server can do the same with one expression.

Box: media.
"""

import asyncio
import io
import os
import secrets
import shutil
import stat
import time
from pathlib import Path
from typing import BinaryIO

from townsquare.media.keys import checked_key
from townsquare.model.errors import Unavailable

_PASSING = ".passing"  # where files are written before they have their name; no key leads there
_OLD_S = 3600
_COPY_BYTES = 1 << 20


class DiskMedia:
    """Media store on a disk. Links in the folder lead nowhere: what lies behind one is not there."""

    origin: str | None = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept = False

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        await self.put_file(key, io.BytesIO(data), content_type=content_type)

    async def put_file(self, key: str, file: BinaryIO, *, content_type: str) -> None:
        path = self._path(key)
        try:
            await asyncio.to_thread(self._write, path, file)
        except OSError as exc:
            raise Unavailable("The file cannot be kept just now") from exc

    async def get(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            return await asyncio.to_thread(self._read, path)
        except OSError as exc:
            raise Unavailable("The file cannot be read just now") from exc

    async def size(self, key: str) -> int | None:
        path = self._path(key)
        try:
            return path.lstat().st_size if self._is_file(path) else None
        except OSError as exc:
            raise Unavailable("The file cannot be read just now") from exc

    async def part(self, key: str, start: int, length: int) -> bytes | None:
        path = self._path(key)
        try:
            return await asyncio.to_thread(self._read, path, start, length)
        except OSError as exc:
            raise Unavailable("The file cannot be read just now") from exc

    async def delete(self, keys: list[str]) -> None:
        paths = [self._path(key) for key in keys]
        try:
            await asyncio.to_thread(self._remove, paths)
        except OSError as exc:
            raise Unavailable("The files cannot be removed just now") from exc

    def path_of(self, key: str) -> str | None:
        path = self._path(key)
        return str(path) if self._is_file(path) else None

    async def link_of(self, key: str) -> str | None:
        self._path(key)
        return None

    async def close(self) -> None:
        """Nothing to let go of."""

    def _path(self, key: str) -> Path:
        parent, _, name = checked_key(key).rpartition("/")
        letters = name.partition(".")[0].ljust(4, "_")
        return self._folder / parent / letters[:2] / letters[2:4] / name

    def _is_file(self, path: Path) -> bool:
        """Whether there is a plain file, reached through plain folders alone."""
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return False
            return all(stat.S_ISDIR(os.lstat(parent).st_mode) for parent in self._between(path))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _between(self, path: Path) -> list[Path]:
        """The folders from the file's up to the one below ours. (Ours may be a link, put there by the operator.)"""
        folders = []
        while (path := path.parent) != self._folder:
            folders.append(path)
        return folders

    def _write(self, path: Path, source: BinaryIO) -> None:
        source.seek(0)
        passing = self._folder / _PASSING
        passing.mkdir(parents=True, exist_ok=True)
        self._sweep(passing)
        made = self._make(path.parent)
        temporary = passing / secrets.token_hex(16)
        try:
            with temporary.open("xb") as file:
                shutil.copyfileobj(source, file, _COPY_BYTES)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        for folder in made | {path.parent}:
            _sync(folder)

    def _make(self, folder: Path) -> set[Path]:
        """Make the folder; those whose entries changed."""
        changed: set[Path] = set()
        for part in [*reversed(self._between(folder)), folder]:
            try:
                part.mkdir()
                changed.add(part.parent)
            except FileExistsError:
                if not stat.S_ISDIR(part.lstat().st_mode):
                    raise
        return changed

    def _read(self, path: Path, start: int = 0, length: int = -1) -> bytes | None:
        if not self._is_file(path):
            return None
        with path.open("rb") as file:
            file.seek(start)
            return file.read(length)

    def _remove(self, paths: list[Path]) -> None:
        for path in paths:
            if self._is_file(path):
                path.unlink(missing_ok=True)

    def _sweep(self, passing: Path) -> None:
        """Once a process: remove what killed ones left half written."""
        if self._swept:
            return
        self._swept = True
        for path in passing.iterdir():
            if path.lstat().st_mtime < time.time() - _OLD_S:
                path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make the entries of a folder durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
