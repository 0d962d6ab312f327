"""Direct conversations: list, mark, remove, and note a new status in them.

Box: social. Source: Mastodon API, /methods/conversations/
"""

from collections.abc import Sequence

import msgspec

from townsquare.model.account import Account, Visibility
from townsquare.model.errors import NotFound
from townsquare.model.events import ConversationEvent, encode_event
from townsquare.model.paging import Window
from townsquare.model.status import Status
from townsquare.render.status import StatusView
from townsquare.social.hydrate import people, statuses
from townsquare.social.ports import Ports
from townsquare.social.seeing import may_see
from townsquare.social.viewer import Viewer, viewer_of
from townsquare.store import conversations as rows
from townsquare.store.port import Put
from townsquare.store.tables import CONVERSATIONS, THREADS, ConversationRow

_LOOK_BACK = 200  # newest statuses of a thread among which one is looked for in place of one that is gone


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation with all that its page needs."""

    row: ConversationRow
    accounts: tuple[bytes, ...]
    last_status: StatusView | None


async def conversations(ports: Ports, *, actor: Account, window: Window) -> list[Conversation]:
    """The actor's conversations, by their last statuses, newest first. Cost: one read, then as a page of statuses."""
    found = await rows.conversations_page(ports.store, actor.account_id, window)
    return await _dressed(ports, found, await viewer_of(ports, actor.account_id))


async def conversation(ports: Ports, *, actor_id: int, conversation_id: int) -> Conversation:
    """One of the actor's conversations.

    Raises: NotFound.
    """
    row = await _own(ports, actor_id, conversation_id)
    return (await _dressed(ports, [row], await viewer_of(ports, actor_id)))[0]


async def _own(ports: Ports, actor_id: int, conversation_id: int) -> ConversationRow:
    row = await rows.conversation(ports.store, actor_id, conversation_id)
    if row is None:
        raise NotFound
    return row


async def _dressed(ports: Ports, found: Sequence[ConversationRow], viewer: Viewer) -> list[Conversation]:
    if not found:
        return []
    views = {
        view.status.status_id: view
        for view in await statuses(ports, [row.last_status for row in found], viewer, gate=may_see)
    }
    ids = list(dict.fromkeys(other for row in found for other in row.others))
    persons = dict(zip(ids, await people(ports, ids), strict=True)) if ids else {}
    dressed = []
    for row in found:
        last = views.get(row.last_status) or await _earlier(ports, row, viewer)
        others = [persons[other] for other in row.others]
        accounts = tuple(each.json for each in others if each is not None and not each.account.deleted)
        dressed.append(Conversation(row=row, accounts=accounts, last_status=last))
    return dressed


async def _earlier(ports: Ports, row: ConversationRow, viewer: Viewer) -> StatusView | None:
    """The newest direct status that is left where the last one is gone."""
    replies = await ports.store.range(THREADS, (row.conversation_id,), limit=_LOOK_BACK, reverse=True)
    ids = [reply.status_id for reply in replies if reply.on and reply.visibility == Visibility.DIRECT]
    views = await statuses(ports, [*ids, row.conversation_id], viewer, gate=may_see)
    return next((view for view in views if view.status.visibility is Visibility.DIRECT), None)


async def mark(ports: Ports, *, actor: Account, conversation_id: int, unread: bool) -> Conversation:
    """Mark a conversation as read or unread; a repeat changes nothing.

    Raises: NotFound.
    """
    row = await _own(ports, actor.account_id, conversation_id)
    if row.unread != unread:
        await ports.store.write([Put(CONVERSATIONS, msgspec.structs.replace(row, unread=unread))])
    return await conversation(ports, actor_id=actor.account_id, conversation_id=conversation_id)


async def remove(ports: Ports, *, actor: Account, conversation_id: int) -> None:
    """Take a conversation off the actor's list, until a new status comes.

    Raises: NotFound.
    """
    row = await _own(ports, actor.account_id, conversation_id)
    await ports.store.write([Put(CONVERSATIONS, msgspec.structs.replace(row, on=False))])


async def note_status(ports: Ports, status: Status) -> None:
    """Put a direct status at the head of the conversation of all who take part. Safe to repeat, in any order."""
    root = status.root or status.status_id
    part = list(dict.fromkeys((status.author, *(m.account_id for m in status.mentions if not m.domain))))
    everybody = list(dict.fromkeys((status.author, *(m.account_id for m in status.mentions))))
    for me in part:
        viewer = await viewer_of(ports, me)
        if status.author in viewer.blocking or status.author in viewer.blocked_by:
            continue
        old = await ports.store.get(CONVERSATIONS, (me, root))
        if old is not None and old.last_status >= status.status_id:
            continue
        row = ConversationRow(
            account_id=me,
            conversation_id=root,
            last_status=status.status_id,
            others=tuple(each for each in everybody if each != me),
            unread=me != status.author,
        )
        await ports.store.write([Put(CONVERSATIONS, row)])
        event = ConversationEvent(me, root)
        ports.streaming.publish(event.topic, encode_event(event))
