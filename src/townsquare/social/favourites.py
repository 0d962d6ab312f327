"""Favourites: make, take back, list, and who made them.

Box: social. Source: Mastodon API, /methods/statuses/#favourite and /methods/favourites/
"""

from townsquare.model.account import Account
from townsquare.render.status import StatusView
from townsquare.social import marks
from townsquare.social.ports import Ports

KIND = "favourite"


async def favourite(ports: Ports, *, actor: Account, status_id: int) -> StatusView:
    """Mark a status as a favourite, and what the actor sees then; a repeat changes nothing.

    Raises: NotFound where the actor may not see it; Forbidden where the actor blocks its author.
    """
    target = await marks.target_of(ports, actor=actor, status_id=status_id)
    return await _switch(ports, actor, status_id, target.status_id, on=True)


async def unfavourite(ports: Ports, *, actor: Account, status_id: int) -> StatusView:
    """Take a favourite back; a repeat changes nothing.

    Raises: NotFound.
    """
    target = await marks.shown_target(ports, actor=actor, status_id=status_id)
    return await _switch(ports, actor, status_id, target.status_id, on=False)


async def _switch(ports: Ports, actor: Account, status_id: int, target: int, *, on: bool) -> StatusView:
    await marks.switch(ports, actor_id=actor.account_id, status_id=target, kind=KIND, on=on)
    return await marks.seen_by_actor(ports, actor=actor, status_id=status_id, kind=KIND)
