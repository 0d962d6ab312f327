"""Polls: look, vote.

Box: web. Source: Mastodon API, /methods/polls/
"""

import msgspec

from townsquare.social import polls
from townsquare.social.ports import Ports
from townsquare.social.viewer import viewer_of
from townsquare.web.routes import Access, Request, Response, Route


class _Vote(msgspec.Struct, frozen=True):
    choices: list[int]


async def get(request: Request, ports: Ports) -> Response:
    """A poll as it stands."""
    return Response(await polls.poll_entity(ports, request.id(), await viewer_of(ports, request.account_id)))


async def vote(request: Request, ports: Ports) -> Response:
    """Vote in a poll, once."""
    await polls.vote(ports, actor=request.account, poll_id=request.id(), choices=request.read(_Vote).choices)
    return await get(request, ports)


ROUTES = [
    Route("GET", "/api/v1/polls/{id}", get, access=Access.PUBLIC, scope=("read:statuses",)),
    Route("POST", "/api/v1/polls/{id}/votes", vote, scope=("write:statuses",)),
]
