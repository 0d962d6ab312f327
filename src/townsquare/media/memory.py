"""Files of people in this process.

Box: media.
"""

from typing import BinaryIO

from townsquare.media.keys import checked_key


class MemoryMedia:
    """Media store in a dict."""

    origin: str | None = None

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        self._files[checked_key(key)] = bytes(data)

    async def put_file(self, key: str, file: BinaryIO, *, content_type: str) -> None:
        file.seek(0)
        self._files[checked_key(key)] = file.read()

    async def get(self, key: str) -> bytes | None:
        return self._files.get(checked_key(key))

    async def size(self, key: str) -> int | None:
        data = self._files.get(checked_key(key))
        return None if data is None else len(data)

    async def part(self, key: str, start: int, length: int) -> bytes | None:
        data = self._files.get(checked_key(key))
        return None if data is None else data[start : start + length]

    async def delete(self, keys: list[str]) -> None:
        for key in [checked_key(key) for key in keys]:
            self._files.pop(key, None)

    def path_of(self, key: str) -> str | None:
        checked_key(key)
        return None

    async def link_of(self, key: str) -> str | None:
        checked_key(key)
        return None

    async def close(self) -> None:
        """Nothing to let go of."""
