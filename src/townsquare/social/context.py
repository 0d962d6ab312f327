"""Context: the thread around a status.

Box: social. Source: Mastodon API, /methods/statuses/#context
"""

from townsquare.render.status import StatusView
from townsquare.social.hydrate import statuses, visible
from townsquare.social.ports import Ports
from townsquare.social.viewer import Viewer
from townsquare.store.threads import above, below

ANCESTORS, DESCENDANTS, DEPTH = 256, 1024, 1024
ANONYMOUS_ANCESTORS, ANONYMOUS_DESCENDANTS, ANONYMOUS_DEPTH = 40, 60, 20


async def context(ports: Ports, status_id: int, viewer: Viewer) -> tuple[list[StatusView], list[StatusView]]:
    """What stands above the status, from the root down, and below it, in reading order; what the viewer may not see or
    has muted or blocked is left out.

    Raises: NotFound.
    """
    view = await visible(ports, status_id, viewer)
    status = (view.reblog or view).status
    root = status.root or status.status_id
    signed_in = bool(viewer.account_id)
    upper = await above(
        ports.store, root, status.status_id, status.reply_to, limit=ANCESTORS if signed_in else ANONYMOUS_ANCESTORS
    )
    lower = await below(
        ports.store,
        root,
        status.status_id,
        limit=DESCENDANTS if signed_in else ANONYMOUS_DESCENDANTS,
        depth=DEPTH if signed_in else ANONYMOUS_DEPTH,
    )
    views = await statuses(ports, [*upper, *lower], viewer)
    edge = len([each for each in views if each.status.status_id < status.status_id])
    return views[:edge], views[edge:]
