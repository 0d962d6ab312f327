"""What a press of a button does, and then back to where it was pressed; for the script, what the post looks like now.

Box: web.
"""

from collections.abc import Awaitable, Callable

from townsquare.model.account import Account
from townsquare.model.errors import Invalid
from townsquare.render.status import StatusView
from townsquare.social import bookmarks, favourites, follows, notifications, polls, reblogs, relations, statuses
from townsquare.social.follows import FollowOptions
from townsquare.social.hydrate import visible
from townsquare.social.ports import Ports
from townsquare.social.viewer import viewer_of
from townsquare.web.pages.compose import user_of
from townsquare.web.pages.layout import HTML, own_path, redirect
from townsquare.web.pages.parts.post import Look, post
from townsquare.web.routes import CacheClass, Limit, Request, Response, Route

_FORM_BYTES = 1 << 16
Handler = Callable[[Request, Ports], Awaitable[Response]]


def back(request: Request) -> Response:
    """To the page that the button stands on, at the post that it belongs to."""
    path, at = request.params.get("back", "/"), request.params.get("at", "")
    to = own_path(path).partition("#")[0] if isinstance(path, str) else "/"
    number = at.removeprefix("post-") if isinstance(at, str) else ""
    return redirect(f"{to}#post-{number}" if number.isascii() and number.isdecimal() else to)


# Posts ----------------------------------------------------------------------------------------------------------------


def _after(request: Request, ports: Ports, view: StatusView) -> Response:
    if request.params.get("part") != "post":
        return back(request)
    return Response(post(view, Look(now_ms=ports.clock.now_ms())).encode("utf-8", "replace"), content_type=HTML)


async def favourite(request: Request, ports: Ports) -> Response:
    """Mark a post as a favourite."""
    view = await favourites.favourite(ports, actor=request.account, status_id=request.id())
    return _after(request, ports, view)


async def unfavourite(request: Request, ports: Ports) -> Response:
    """Take a favourite back."""
    view = await favourites.unfavourite(ports, actor=request.account, status_id=request.id())
    return _after(request, ports, view)


async def boost(request: Request, ports: Ports) -> Response:
    """Boost a post."""
    view = await reblogs.reblog(ports, actor=request.account, user=user_of(request), status_id=request.id())
    return _after(request, ports, view)


async def unboost(request: Request, ports: Ports) -> Response:
    """Take a boost back."""
    view = await reblogs.unreblog(ports, actor=request.account, status_id=request.id())
    return _after(request, ports, view)


async def bookmark(request: Request, ports: Ports) -> Response:
    """Keep a post for later."""
    view = await bookmarks.bookmark(ports, actor=request.account, status_id=request.id(), on=True)
    return _after(request, ports, view)


async def unbookmark(request: Request, ports: Ports) -> Response:
    """Keep a post no longer."""
    view = await bookmarks.bookmark(ports, actor=request.account, status_id=request.id(), on=False)
    return _after(request, ports, view)


async def pin(request: Request, ports: Ports) -> Response:
    """Pin a post of one's own to the profile."""
    await statuses.pin(ports, author=request.account, status_id=request.id())
    return back(request)


async def unpin(request: Request, ports: Ports) -> Response:
    """Take a post of one's own off the profile."""
    await statuses.unpin(ports, author=request.account, status_id=request.id())
    return back(request)


async def mute_conversation(request: Request, ports: Ports) -> Response:
    """Hear no more of a conversation."""
    await statuses.mute_conversation(ports, actor=request.account, status_id=request.id(), on=True)
    return back(request)


async def unmute_conversation(request: Request, ports: Ports) -> Response:
    """Hear of a conversation again."""
    await statuses.mute_conversation(ports, actor=request.account, status_id=request.id(), on=False)
    return back(request)


async def vote(request: Request, ports: Ports) -> Response:
    """Vote in a poll."""
    given = request.params.get(f"vote-{request.id()}", [])
    choices = [int(each) for each in given if isinstance(each, str) and each.isdecimal() and len(each) < 3]
    if not choices:
        raise Invalid("Choose an option first")
    await polls.vote(ports, actor=request.account, poll_id=request.id(), choices=choices)
    view = await visible(ports, request.id(), await viewer_of(ports, request.account_id))
    return _after(request, ports, view)


# People ---------------------------------------------------------------------------------------------------------------


async def follow(request: Request, ports: Ports) -> Response:
    """Follow somebody, or ask to."""
    await follows.follow(ports, actor=request.account, target_id=request.id(), options=FollowOptions())
    return back(request)


async def unfollow(request: Request, ports: Ports) -> Response:
    """Stop to follow somebody, or take the request back."""
    await follows.unfollow(ports, actor=request.account, target_id=request.id())
    return back(request)


async def remove_follower(request: Request, ports: Ports) -> Response:
    """Make somebody no longer follow."""
    await follows.remove_follower(ports, actor=request.account, follower_id=request.id())
    return back(request)


async def block(request: Request, ports: Ports) -> Response:
    """Block somebody."""
    await relations.block(ports, actor=request.account, target_id=request.id())
    return back(request)


async def unblock(request: Request, ports: Ports) -> Response:
    """End a block."""
    await relations.unblock(ports, actor=request.account, target_id=request.id())
    return back(request)


async def mute(request: Request, ports: Ports) -> Response:
    """Mute somebody until further notice."""
    await relations.mute(ports, actor=request.account, target_id=request.id(), notifications=True, duration_s=0)
    return back(request)


async def unmute(request: Request, ports: Ports) -> Response:
    """End a mute."""
    await relations.unmute(ports, actor=request.account, target_id=request.id())
    return back(request)


async def accept(request: Request, ports: Ports) -> Response:
    """Let somebody who asked follow."""
    return await _answer(request, ports, follows.authorize)


async def refuse(request: Request, ports: Ports) -> Response:
    """Refuse somebody who asked to follow."""
    return await _answer(request, ports, follows.reject)


async def _answer(request: Request, ports: Ports, verb: Callable[..., Awaitable[None]]) -> Response:
    actor: Account = request.account
    await verb(ports, actor=actor, follower_id=request.id())
    return back(request)


async def clear_notices(request: Request, ports: Ports) -> Response:
    """Take all notices away."""
    await notifications.clear(ports, actor=request.account)
    return back(request)


def _act(path: str, handler: Handler, *, limit: Limit = Limit.API) -> Route:
    return Route(
        "POST", f"/do/{path}", handler, limit=limit, cache=CacheClass.PAGE, html=True, body_limit_bytes=_FORM_BYTES
    )


ROUTES = [
    _act("posts/{id}/favourite", favourite),
    _act("posts/{id}/unfavourite", unfavourite),
    _act("posts/{id}/boost", boost),
    _act("posts/{id}/unboost", unboost, limit=Limit.DELETE),
    _act("posts/{id}/bookmark", bookmark),
    _act("posts/{id}/unbookmark", unbookmark),
    _act("posts/{id}/pin", pin),
    _act("posts/{id}/unpin", unpin),
    _act("posts/{id}/mute", mute_conversation),
    _act("posts/{id}/unmute", unmute_conversation),
    _act("polls/{id}/vote", vote),
    _act("people/{id}/follow", follow),
    _act("people/{id}/unfollow", unfollow),
    _act("people/{id}/remove", remove_follower),
    _act("people/{id}/block", block),
    _act("people/{id}/unblock", unblock),
    _act("people/{id}/mute", mute),
    _act("people/{id}/unmute", unmute),
    _act("requests/{id}/accept", accept),
    _act("requests/{id}/refuse", refuse),
    _act("notifications/clear", clear_notices),
]
