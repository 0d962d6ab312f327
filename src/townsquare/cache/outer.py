"""What a server outside of the process does for the cache. Engines: redis, memcached; `LayeredCache` keeps the promise.

Box: cache.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Found(NamedTuple):
    """The values in the order of the keys, and what `keep` needs to know again."""

    values: list[bytes | None]
    lease: Any


class Keep(NamedTuple):
    """A value to be kept."""

    key: str
    value: bytes
    ttl_ms: int


class Outer(Protocol):
    """Bytes by key, with leases. What it loses is made again; it never has again what it once dropped or lost."""

    async def find(self, keys: Sequence[str]) -> Found:
        """The values; where there is none, a lease is left under the key, if nobody else has one there.

        Cost: one round trip. Raises: Unavailable.
        """

    def keep(self, lease: Any, values: Sequence[Keep]) -> None:
        """Put values in the places of the leases that still lie there. Does not wait, and may fail unheard."""

    async def drop(self, keys: Sequence[str]) -> None:
        """Take away values and leases. Raises: Unavailable, where some may have stayed."""

    async def count(self, key: str, amount: int, *, ttl_s: int) -> int:
        """Add to a counter that is gone `ttl_s` after it was last added to; the sum. Raises: Unavailable."""

    async def close(self) -> None:
        """Let go of the connection."""
