"""How far a user has read: home and notifications, on all their devices.

Box: social. Source: Mastodon API, /methods/markers/
"""

from collections.abc import Mapping, Sequence

from townsquare.model.account import Account
from townsquare.model.errors import Conflict
from townsquare.social.ports import Ports
from townsquare.store.tables import MARKERS, MarkerRow

TIMELINES = ("home", "notifications")
_TRIES = 10


async def read_markers(ports: Ports, *, actor: Account, timelines: Sequence[str]) -> list[MarkerRow]:
    """The markers of these timelines, as far as there are some."""
    keys = [(actor.account_id, timeline) for timeline in timelines]
    return [row for row in await ports.store.get_many(MARKERS, keys) if row is not None]


async def move_markers(ports: Ports, *, actor: Account, to: Mapping[str, int]) -> list[MarkerRow]:
    """Set how far the actor has read.

    Raises: Conflict where another device moves the same marker without end.
    """
    return [await _move(ports, actor.account_id, timeline, last_read_id) for timeline, last_read_id in to.items()]


async def _move(ports: Ports, account_id: int, timeline: str, last_read_id: int) -> MarkerRow:
    for _ in range(_TRIES):
        old = await ports.store.get(MARKERS, (account_id, timeline))
        new = MarkerRow(
            account_id=account_id,
            timeline=timeline,
            last_read_id=last_read_id,
            version=old.version + 1 if old else 1,
            updated_ms=ports.clock.now_ms(),
        )
        if old is None:
            if await ports.store.slow_put_if_absent(MARKERS, new) is None:
                return new
        elif await ports.store.slow_compare_and_set(MARKERS, old, new):
            return new
    raise Conflict("Conflict during update, please try again")
