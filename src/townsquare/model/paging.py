"""Which part of a list is asked for, in our own words: below, above, limit.

Box: model. Source: Mastodon API, /api/guidelines/#pagination
"""

import msgspec


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list that is newest first. `forward`: the oldest `limit` above `above` (the API's `min_id`), still
    answered newest first; else the newest ones between the bounds (both exclusive)."""

    below: int | None = None
    above: int | None = None
    forward: bool = False
    limit: int = 20
