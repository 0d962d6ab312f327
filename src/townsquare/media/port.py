"""The media store's promise: whole files under random names, served by URL.

Box: media. Engines: memory, disk, S3. Suite: tests/contract/media.
"""

from typing import BinaryIO, Protocol


class MediaStore(Protocol):
    """Files by key. Keys are paths of [a-z0-9/._-] without '..', made by us, unguessable. Raises `Unavailable`."""

    @property
    def origin(self) -> str | None:
        """The origin (https://HOST) that `link_of` leads to, for pages' policies; None where we serve them."""

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Keep the file; a repeat replaces it. Durable on return; never seen half written."""

    async def put_file(self, key: str, file: BinaryIO, *, content_type: str) -> None:
        """As `put`, what an open file holds from its beginning, without holding it in memory."""

    async def get(self, key: str) -> bytes | None:
        """The whole file; None if there is none."""

    async def size(self, key: str) -> int | None:
        """How many bytes the file has; None if there is none."""

    async def part(self, key: str, start: int, length: int) -> bytes | None:
        """At most `length` bytes from `start`, which lies within the file; None if there is none."""

    async def delete(self, keys: list[str]) -> None:
        """Remove the files; those that are not there are no error."""

    def path_of(self, key: str) -> str | None:
        """The file's path on this machine where there is one, for serving without a copy."""

    async def link_of(self, key: str) -> str | None:
        """Where clients fetch the file from, whether it is there or not; None where we serve it ourselves."""

    async def close(self) -> None:
        """Let go of connections."""
