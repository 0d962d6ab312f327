"""What one account does to another: follow, block, mute, note.

Box: web. Source: Mastodon API, /methods/accounts/#follow and below
"""

import msgspec

from townsquare.social import follows, relations
from townsquare.social.follows import FollowOptions
from townsquare.social.ports import Ports
from townsquare.web.api.accounts import relationship_response
from townsquare.web.routes import Request, Response, Route


async def follow(request: Request, ports: Ports) -> Response:
    """Follow an account, ask to, or change the options of a follow."""
    options = request.read(FollowOptions)
    await follows.follow(ports, actor=request.account, target_id=request.id(), options=options)
    return await relationship_response(request, ports, request.id())


async def unfollow(request: Request, ports: Ports) -> Response:
    """Stop to follow an account, or take the request back."""
    await follows.unfollow(ports, actor=request.account, target_id=request.id())
    return await relationship_response(request, ports, request.id())


async def remove_from_followers(request: Request, ports: Ports) -> Response:
    """Make an account no longer follow the viewer."""
    await follows.remove_follower(ports, actor=request.account, follower_id=request.id())
    return await relationship_response(request, ports, request.id())


async def block(request: Request, ports: Ports) -> Response:
    """Block an account; the follows both ways end."""
    await relations.block(ports, actor=request.account, target_id=request.id())
    return await relationship_response(request, ports, request.id())


async def unblock(request: Request, ports: Ports) -> Response:
    """End a block."""
    await relations.unblock(ports, actor=request.account, target_id=request.id())
    return await relationship_response(request, ports, request.id())


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """How far and how long (seconds; 0: until further notice) an account is muted."""

    notifications: bool = True
    duration: int = 0


async def mute(request: Request, ports: Ports) -> Response:
    """Mute an account: nothing of it shows up unasked."""
    asked = request.read(Mute)
    await relations.mute(
        ports,
        actor=request.account,
        target_id=request.id(),
        notifications=asked.notifications,
        duration_s=asked.duration,
    )
    return await relationship_response(request, ports, request.id())


async def unmute(request: Request, ports: Ports) -> Response:
    """End a mute."""
    await relations.unmute(ports, actor=request.account, target_id=request.id())
    return await relationship_response(request, ports, request.id())


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A private remark."""

    comment: str = ""


async def note(request: Request, ports: Ports) -> Response:
    """Keep a remark about an account that only the viewer sees."""
    await relations.note(ports, actor=request.account, target_id=request.id(), comment=request.read(Note).comment)
    return await relationship_response(request, ports, request.id())


_ACCOUNT = "/api/v1/accounts/{id}"
_FOLLOWS, _BLOCKS, _MUTES = ("write:follows",), ("write:blocks",), ("write:mutes",)

ROUTES = [
    Route("POST", f"{_ACCOUNT}/follow", follow, scope=_FOLLOWS),
    Route("POST", f"{_ACCOUNT}/unfollow", unfollow, scope=_FOLLOWS),
    Route("POST", f"{_ACCOUNT}/remove_from_followers", remove_from_followers, scope=_FOLLOWS),
    Route("POST", f"{_ACCOUNT}/block", block, scope=_BLOCKS),
    Route("POST", f"{_ACCOUNT}/unblock", unblock, scope=_BLOCKS),
    Route("POST", f"{_ACCOUNT}/mute", mute, scope=_MUTES),
    Route("POST", f"{_ACCOUNT}/unmute", unmute, scope=_MUTES),
    Route("POST", f"{_ACCOUNT}/note", note, scope=("write:accounts",)),
]
