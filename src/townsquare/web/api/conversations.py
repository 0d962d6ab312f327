"""Direct conversations.

Box: web. Source: Mastodon API, /methods/conversations/
"""

from townsquare.render.conversation import conversation_json
from townsquare.render.status import status_json
from townsquare.social import conversations
from townsquare.social.conversations import Conversation
from townsquare.social.ports import Ports
from townsquare.web.api.joined import joined
from townsquare.web.paging import link_header, window
from townsquare.web.routes import Request, Response, Route


def shown_json(each: Conversation) -> bytes:
    """One conversation as JSON."""
    return conversation_json(
        each.row.conversation_id,
        unread=each.row.unread,
        accounts=each.accounts,
        last_status=status_json(each.last_status) if each.last_status is not None else None,
    )


async def listed(request: Request, ports: Ports) -> Response:
    """The viewer's conversations, by their last statuses, whose ids the pages are cut by."""
    page = window(request, 20, 40)
    found = await conversations.conversations(ports, actor=request.account, window=page)
    ids = [each.row.last_status for each in found]
    headers = link_header(request, ids[0], ids[-1], len(ids), page.limit) if ids else ()
    return joined([shown_json(each) for each in found], headers)


async def read(request: Request, ports: Ports) -> Response:
    """Mark a conversation as read."""
    return await _marked(request, ports, unread=False)


async def unread(request: Request, ports: Ports) -> Response:
    """Mark a conversation as not read."""
    return await _marked(request, ports, unread=True)


async def _marked(request: Request, ports: Ports, *, unread: bool) -> Response:
    shown = await conversations.mark(ports, actor=request.account, conversation_id=request.id(), unread=unread)
    return Response(shown_json(shown))


async def remove(request: Request, ports: Ports) -> Response:
    """Take a conversation off the list, until a new status comes."""
    await conversations.remove(ports, actor=request.account, conversation_id=request.id())
    return Response(b"{}")


_WRITE = ("write:conversations",)

ROUTES = [
    Route("GET", "/api/v1/conversations", listed, scope=("read:statuses",)),
    Route("POST", "/api/v1/conversations/{id}/read", read, scope=_WRITE),
    Route("POST", "/api/v1/conversations/{id}/unread", unread, scope=_WRITE),
    Route("DELETE", "/api/v1/conversations/{id}", remove, scope=_WRITE),
]
