"""Statuses put together once for all who look: what shows no mark of its viewer is kept, with its JSON in pieces.

Box: social. Nobody tells these when something changed: a kept view counts only as long as it is made of the very parts
that a page has just read.
"""

from typing import NamedTuple

from cachebox import LRUCache

from townsquare.render.status import Fragment, Person, StatusView, Totals

_CAPACITY = 30_000  # views, of about 400 bytes beside their parts


class Parts(NamedTuple):
    """What a view is made of. `original` and its author: where it is a boost; `totals` are then the original's."""

    fragment: Fragment
    author: Person
    original: Fragment | None
    original_author: Person | None
    totals: Totals


class Plain(NamedTuple):
    """A view without marks. `is_open`: see seeing.py, of both where it is a boost."""

    parts: Parts
    view: StatusView
    is_open: bool


class Views:
    """The plain views of one process by status id, for those who are signed in and for those who are not."""

    def __init__(self) -> None:
        self.signed_in: LRUCache[int, Plain] = LRUCache(_CAPACITY)
        self.anonymous: LRUCache[int, Plain] = LRUCache(_CAPACITY)
