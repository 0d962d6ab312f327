"""Which part of a list is asked for, in our own words: below, above, limit.

Box: model. Source: Mastodon API, /api/guidelines/#pagination
"""

from typing import TypeVar

import msgspec

T = TypeVar("T")


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list that is newest first. `forward`: the oldest `limit` above `above` (the API's `min_id`), still
    answered newest first; else the newest ones between the bounds (both exclusive)."""

    below: int | None = None
    above: int | None = None
    forward: bool = False
    limit: int = 20

    def beyond(self, last: int) -> "Window":
        """What is left of it when all up to `last` was read."""
        return msgspec.structs.replace(self, **{"above" if self.forward else "below": last})

    def newest_first(self, read: list[T]) -> list[T]:
        """What was read in the order of reading (upwards where it goes forward), turned as it is answered."""
        return read[::-1] if self.forward else read
