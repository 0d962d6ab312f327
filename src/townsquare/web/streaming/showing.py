"""What a stream's viewer is shown of a status: rendered once for all who look at it alike, allowed one by one.

Box: web. Who may see it is decided by social/seeing.py, for each viewer anew.
"""

from townsquare.model.account import Account
from townsquare.model.events import StatusEvent
from townsquare.model.status import Status
from townsquare.render.status import MUTED
from townsquare.social.hydrate import flags_of, fragments, people, status_jsons
from townsquare.social.ports import Ports
from townsquare.social.seeing import may_list
from townsquare.social.viewer import Viewer
from townsquare.web.streaming.envelopes import Envelope

_PLAIN = Viewer(-1)  # somebody who is signed in and has done nothing with any status


def _anyone(viewer: Viewer, status: Status, author: Account) -> bool:
    return True


class Showing:
    """One status on its way to many viewers."""

    def __init__(self, ports: Ports, event: StatusEvent, pairs: list[tuple[Status, Account]], plain: Envelope) -> None:
        self._ports, self._event, self._pairs, self._plain = ports, event, pairs, plain
        self._status, self._target = pairs[0][0], pairs[-1][0]
        # A new status that answers nothing has no flags yet.
        self._flagged = bool(event.boost_of or event.reply_to_author or event.change != "update")

    @property
    def language(self) -> str:
        """The language of the status, empty if it is not said."""
        return self._target.language

    def may_list(self, viewer: Viewer) -> bool:
        """Whether it is for the viewer at all."""
        return all(may_list(viewer, status, author) for status, author in self._pairs)

    def plain_for(self, viewer: Viewer) -> Envelope | None:
        """The event where it is certain that this viewer sees what all see; else ask `own_for`."""
        return None if self._flagged or viewer.account_id == self._status.author else self._plain

    async def own_for(self, viewer: Viewer) -> Envelope | None:
        """The event as the viewer gets it, None where it is not for them. Cost: none for what is kept."""
        if viewer.account_id != self._status.author and not await self._has_flags(viewer.account_id):
            return self._plain
        own = await status_jsons(self._ports, [self._status.status_id], viewer)
        return Envelope(self._event.change, own[0]) if own else None

    async def _has_flags(self, account_id: int) -> bool:
        target, root = self._target.status_id, self._target.root
        flags = await flags_of(self._ports, account_id, [target, root] if root and root != target else [target])
        return bool(flags.get(target) or flags.get(root, 0) & MUTED)


async def showing(ports: Ports, event: StatusEvent) -> Showing | None:
    """The status of an event, ready to be shown; None where it is gone. Cost: that of a page with one status."""
    ids = [event.status_id, *([event.boost_of] if event.boost_of else ())]
    found = [each.status for each in await fragments(ports, ids) if each is not None]
    authors = [person.account for person in await people(ports, [each.author for each in found]) if person]
    plain = await status_jsons(ports, [event.status_id], _PLAIN, gate=_anyone)
    if not plain or len(found) != len(ids) or len(authors) != len(ids):
        return None
    return Showing(ports, event, list(zip(found, authors, strict=True)), Envelope(event.change, plain[0]))


def belongs_home(viewer: Viewer, event: StatusEvent, language: str) -> bool:
    """Whether a status that the viewer may see also belongs into their home timeline."""
    me, author = viewer.account_id, event.author
    if author == me:
        return True
    if author not in viewer.following:
        return False
    if event.visibility == "direct":
        return me in event.mentions
    if event.boost_of and author in viewer.no_reblogs:
        return False
    if event.reply_to_author not in (0, author, me) and event.reply_to_author not in viewer.following:
        return False
    languages = viewer.languages.get(author)
    return not languages or not language or language in languages
