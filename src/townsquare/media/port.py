"""The media store's promise: whole files under random names, served by URL.

Box: media. Engines: memory, disk. Suite: tests/contract/media.
"""

from typing import Protocol


class MediaStore(Protocol):
    """Files by key. Keys are paths of [a-z0-9/._-] without '..', made by us, unguessable. Raises `Unavailable`."""

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """Keep the file; a repeat replaces it. Durable on return; never seen half written."""

    async def get(self, key: str) -> bytes | None:
        """The whole file; None if there is none."""

    async def delete(self, keys: list[str]) -> None:
        """Remove the files; those that are not there are no error."""

    def path_of(self, key: str) -> str | None:
        """The file's path on this machine where there is one, for serving without a copy."""

    async def close(self) -> None:
        """Let go of connections."""
