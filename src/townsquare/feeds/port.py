"""The feeds' promise: per active account, the newest ids of its home timeline. All of it can be made again.

Box: feeds. Engines: memory, ring_file, redis. Suite: tests/contract/feeds.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

RING_LENGTH = 800

Ids = npt.NDArray[np.int64]


class Reason(IntEnum):
    """Why a status is in a ring; what no longer holds at the time of reading is left out."""

    FOLLOW = 0  # its author is followed
    SELF = 1  # the account's own
    TAG = 2  # it carries a followed tag


class Page(msgspec.Struct, frozen=True):
    """A part of a ring, newest first."""

    ids: list[int]
    reasons: list[int]
    floor: int  # every status that belongs in the timeline and has an id above this is in the ring


class Feeds(Protocol):
    """Rings of (status id, reason), newest first by id. All methods raise `Unavailable`."""

    async def push(self, accounts: Ids, status_id: int, reason: Reason) -> int:
        """Add the status to the rings of those accounts that have one; how many had. An id that is among the newest 64
        of a ring is not added again. Full rings lose their oldest entries and their floor rises.

        `accounts` may be in any order and is not changed after it was given: an engine may know the array again.
        Cost: one round trip for 10,000 accounts.
        """

    async def read(
        self, account: int, *, below: int | None = None, above: int | None = None, limit: int = RING_LENGTH
    ) -> Page | None:
        """Entries with ids between `above` and `below` (both exclusive), the newest `limit` of them, newest first and
        each id once; None if the account has no ring."""

    async def fill(self, account: int, ids: Sequence[int], reasons: Sequence[int], *, floor: int) -> None:
        """Give the account a ring with these entries, keeping what was pushed to it meanwhile (merge by id).

        `ids` in any order; those not above `floor` are left out.
        """

    async def merge(self, account: int, ids: Sequence[int], reason: Reason) -> None:
        """Add older statuses above the ring's floor in their places (a new follow); nothing if there is no ring."""

    async def drop(self, accounts: Sequence[int]) -> None:
        """Take the rings away: inactive or deleted accounts."""

    async def has(self, account: int) -> bool:
        """Whether the account has a ring."""

    async def close(self) -> None:
        """Let go of files and connections."""
