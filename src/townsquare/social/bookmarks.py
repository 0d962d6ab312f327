"""Bookmarks: make, take back; only the account itself knows of them.

Box: social. Source: Mastodon API, /methods/statuses/#bookmark and /methods/bookmarks/
"""

from townsquare.model.account import Account
from townsquare.render.status import StatusView
from townsquare.social import marks
from townsquare.social.hydrate import visible
from townsquare.social.ports import Ports
from townsquare.social.viewer import viewer_of

KIND = "bookmark"


async def bookmark(ports: Ports, *, actor: Account, status_id: int, on: bool) -> StatusView:
    """Keep a status for later, or no longer; a repeat changes nothing.

    Raises: NotFound where the actor may not see it.
    """
    target = await marks.shown_target(ports, actor=actor, status_id=status_id)
    await marks.switch(ports, actor_id=actor.account_id, status_id=target.status_id, kind=KIND, on=on)
    return await visible(ports, status_id, await viewer_of(ports, actor.account_id))
