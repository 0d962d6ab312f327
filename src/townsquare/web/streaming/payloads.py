"""What one account is told of its notices and conversations, rendered as its pages show them.

Box: web.
"""

from collections.abc import Awaitable

from townsquare.model.account import Account
from townsquare.model.errors import NotFound
from townsquare.social import conversations, notifications
from townsquare.social.hydrate import people
from townsquare.social.ports import Ports
from townsquare.web.api.conversations import shown_json
from townsquare.web.api.notifications import notice_json
from townsquare.web.streaming.hub import Payloads


def payloads_of(ports: Ports) -> Payloads:
    """The renderers of a process."""

    async def notification(account_id: int, notification_id: int) -> bytes | None:
        account = await _account(ports, account_id)
        if account is None:
            return None
        return await _or_none(_notification(ports, account, notification_id))

    async def conversation(account_id: int, conversation_id: int) -> bytes | None:
        return await _or_none(_conversation(ports, account_id, conversation_id))

    return Payloads(notification=notification, conversation=conversation)


async def _account(ports: Ports, account_id: int) -> Account | None:
    (person,) = await people(ports, [account_id])
    return person.account if person else None


async def _notification(ports: Ports, account: Account, notification_id: int) -> bytes:
    return notice_json(await notifications.notice(ports, actor=account, notification_id=notification_id))


async def _conversation(ports: Ports, account_id: int, conversation_id: int) -> bytes:
    return shown_json(await conversations.conversation(ports, actor_id=account_id, conversation_id=conversation_id))


async def _or_none(rendered: Awaitable[bytes]) -> bytes | None:
    try:
        return await rendered
    except NotFound:
        return None  # taken back, or no longer for them
