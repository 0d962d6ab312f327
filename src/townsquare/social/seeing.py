"""The one gate: who may see which status. API, streams, search, notices, pages and mail all ask here.

Box: social. Private and absent are the same to whoever asks. When in doubt, the answer is no.
"""

from collections.abc import Iterable

from townsquare.model.account import OPEN, Account, Visibility
from townsquare.model.status import Status
from townsquare.social.viewer import Viewer


def may_see(viewer: Viewer, status: Status, author: Account) -> bool:
    """Whether the viewer may read this status by its address. For a boost ask for the original as well."""
    if status.deleted or author.suspended or author.deleted:
        return False
    me = viewer.account_id
    if status.author == me and me:
        return True
    if status.author in viewer.blocked_by:
        return False
    if status.visibility in OPEN:
        return True
    if not me:
        return False
    if status.visibility is Visibility.PRIVATE and status.author in viewer.following:
        return True
    return any(mention.account_id == me for mention in status.mentions)


def may_list(viewer: Viewer, status: Status, author: Account) -> bool:
    """Whether it may come up in lists that the viewer did not ask for by name: also no one blocked or muted."""
    return (
        status.author not in viewer.blocking and status.author not in viewer.muting and may_see(viewer, status, author)
    )


def is_open(status: Status, author: Account) -> bool:
    """Whether both of the above let in every viewer who is at odds with none of its people."""
    return status.visibility in OPEN and not (status.deleted or author.suspended or author.deleted)


def is_at_odds(viewer: Viewer, authors: Iterable[int]) -> bool:
    """Whether the viewer blocks or mutes any of these authors, or is blocked by one."""
    if not (viewer.blocking or viewer.muting or viewer.blocked_by):
        return False
    everybody = set(authors)
    return not (
        viewer.blocking.isdisjoint(everybody)
        and viewer.muting.isdisjoint(everybody)
        and viewer.blocked_by.isdisjoint(everybody)
    )
