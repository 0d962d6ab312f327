"""What clients ask for at their start and this server has none of: answered truthfully, with nothing.

Box: web. Source: Mastodon API; the methods of each page are there when their nouns are.
"""

from functools import partial

from townsquare.model.errors import NotFound
from townsquare.social.ports import Ports
from townsquare.web.routes import Access, CacheClass, Handler, Request, Response, Route, json_response

_SUGGESTIONS_DEPRECATED = (("deprecation", "@1621123200"),)


async def _empty(request: Request, ports: Ports) -> Response:
    return json_response([])


def _none_of(what: str) -> Handler:
    """A handler that answers that there are none."""

    async def handler(request: Request, ports: Ports) -> Response:
        return await _empty(request, ports)

    handler.__doc__ = f"{what}: there are none."
    return handler


async def suggestions_v1(request: Request, ports: Ports) -> Response:
    """Accounts to follow: there are no suggestions."""
    return json_response([], headers=_SUGGESTIONS_DEPRECATED)


async def push_subscription(request: Request, ports: Ports) -> Response:
    """The token's subscription to Web Push: there is none."""
    raise NotFound("Not Found")


_user = partial(Route, "GET")
_public = partial(Route, "GET", access=Access.PUBLIC)

ROUTES = [
    _user("/api/v1/announcements", _none_of("Announcements")),
    _user("/api/v1/lists", _none_of("Lists"), scope=("read:lists",)),
    _user("/api/v1/filters", _none_of("Filters"), scope=("read:filters",)),
    _user("/api/v2/filters", _none_of("Filters"), scope=("read:filters",)),
    _user("/api/v1/followed_tags", _none_of("Followed hashtags"), scope=("read:follows", "follow")),
    _user("/api/v1/domain_blocks", _none_of("Blocked servers"), scope=("read:blocks", "follow")),
    _user("/api/v1/endorsements", _none_of("Featured accounts"), scope=("read:accounts",)),
    _user("/api/v1/featured_tags", _none_of("Featured hashtags"), scope=("read:accounts",)),
    _user("/api/v1/featured_tags/suggestions", _none_of("Hashtags to feature"), scope=("read:accounts",)),
    _user("/api/v1/scheduled_statuses", _none_of("Scheduled statuses"), scope=("read:statuses",)),
    _user("/api/v1/suggestions", suggestions_v1, scope=("read",)),
    _user("/api/v2/suggestions", _none_of("Accounts to follow"), scope=("read",)),
    _user("/api/v1/push/subscription", push_subscription, scope=("push",)),
    _public("/api/v1/custom_emojis", _none_of("Custom emoji"), cache=CacheClass.INSTANCE),
]
