"""Trends: tags, links and statuses that many people take up just now, and what the staff says of them.

Box: web. Source: Mastodon API, /methods/trends/ and /methods/admin/trends/
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from townsquare.model.errors import NotFound
from townsquare.render.card import card_json
from townsquare.render.status import status_list_json
from townsquare.render.tag import history_json
from townsquare.render.tag import tag as tag_json
from townsquare.social import trends
from townsquare.social.hydrate import statuses
from townsquare.social.ports import Ports
from townsquare.social.tags import Tag, tag_rows, tags_of
from townsquare.social.trends import LinkTrend, Noun
from townsquare.social.viewer import viewer_of
from townsquare.web.api.joined import joined
from townsquare.web.paging import offset_link_header, page_limit, page_offset
from townsquare.web.routes import Access, Request, Response, Route, json_response

_TAGS, _LINKS, _STATUSES = (10, 20), (10, 20), (20, 40)  # by default and at most
_STAFF_PAGE = (100, 100)


def _window(request: Request, limits: tuple[int, int]) -> tuple[int, int]:
    return page_offset(request), page_limit(request, *limits)


async def tags(request: Request, ports: Ports) -> Response:
    """Hashtags much used just now."""
    offset, limit = _window(request, _TAGS)
    found = await trends.tag_trends(ports, offset=offset, limit=limit)
    return json_response(
        [_tag(ports, tag) for tag in found], headers=offset_link_header(request, offset, len(found), limit)
    )


async def links(request: Request, ports: Ports) -> Response:
    """Links much shared just now."""
    offset, limit = _window(request, _LINKS)
    found = await trends.link_trends(ports, offset=offset, limit=limit)
    parts = [_link(ports, link) for link in found]
    return joined(parts, offset_link_header(request, offset, len(found), limit))


async def popular_statuses(request: Request, ports: Ports) -> Response:
    """Statuses much liked just now, as far as the viewer may see them."""
    offset, limit = _window(request, _STATUSES)
    viewer = await viewer_of(ports, request.account_id)
    views = await trends.status_trends(ports, viewer, offset=offset, limit=limit)
    return Response(status_list_json(views), headers=offset_link_header(request, offset, len(views), limit))


def _tag(ports: Ports, tag: Tag) -> dict[str, Any]:
    return tag_json(tag.name, ports.settings.base, tag_id=tag.tag_id, history=tag.history)


def _link(ports: Ports, link: LinkTrend, **more: Any) -> bytes:
    card = card_json(link.card, ports.settings.base)
    return card[:-1] + b"," + msgspec.json.encode({"history": history_json(link.days), **more})[1:]


# The staff ------------------------------------------------------------------------------------------------------------


async def admin_tags(request: Request, ports: Ports) -> Response:
    """All hashtags that might be shown as trends, with what the staff said."""
    offset, limit = _window(request, _STAFF_PAGE)
    keys = [trend.key for trend in (await trends.trends_of(ports, "tags"))[offset : offset + limit]]
    return json_response(await _admin_tags(ports, await tags_of(ports, keys)))


async def _admin_tags(ports: Ports, found: Sequence[Tag]) -> list[dict[str, Any]]:
    reviews = await trends.reviews_of(ports, "tags", [tag.name.lower() for tag in found])
    return [
        _tag(ports, tag)
        | {"trendable": said.shown, "usable": True, "listable": True, "requires_review": said.approved is None}
        for tag, said in zip(found, reviews, strict=True)
    ]


async def admin_links(request: Request, ports: Ports) -> Response:
    """All links that might be shown as trends, with what the staff said."""
    offset, limit = _window(request, _STAFF_PAGE)
    found = await trends.link_trends(ports, offset=offset, limit=limit, all_of_them=True)
    return joined(await _admin_links(ports, found))


async def _admin_links(ports: Ports, found: Sequence[LinkTrend]) -> list[bytes]:
    reviews = await trends.reviews_of(ports, "links", [link.card.url for link in found])
    return [
        _link(ports, link, id=str(trends.card_id(link.card.url)), requires_review=said.approved is None)
        for link, said in zip(found, reviews, strict=True)
    ]


async def admin_statuses(request: Request, ports: Ports) -> Response:
    """All statuses that might be shown as trends."""
    offset, limit = _window(request, _STATUSES)
    viewer = await viewer_of(ports, request.account_id)
    views = await trends.status_trends(ports, viewer, offset=offset, limit=limit, all_of_them=True)
    return Response(status_list_json(views))


async def _say_tag(request: Request, ports: Ports, *, approved: bool) -> Response:
    rows = await tag_rows(ports, [request.id()])
    if not rows:
        raise NotFound
    key = rows[0].shown.lower()
    await trends.review(ports, "tags", key, approved=approved, by=request.account_id)
    (tag,) = await _admin_tags(ports, await tags_of(ports, [key]))
    return json_response(tag)


async def _say_link(request: Request, ports: Ports, *, approved: bool) -> Response:
    link = await trends.link_by_id(ports, request.id())
    if link is None:
        raise NotFound
    await trends.review(ports, "links", link.card.url, approved=approved, by=request.account_id)
    (part,) = await _admin_links(ports, [link])
    return Response(part)


async def _say_status(request: Request, ports: Ports, *, approved: bool) -> Response:
    viewer = await viewer_of(ports, request.account_id)
    views = await statuses(ports, [request.id()], viewer)
    if not views:
        raise NotFound
    await trends.review(ports, "statuses", str(views[0].status.status_id), approved=approved, by=request.account_id)
    return Response(status_list_json(views)[1:-1])


def _says(noun: Noun, handler: Callable[..., Awaitable[Response]], *, approved: bool) -> Route:
    async def say(request: Request, ports: Ports) -> Response:
        return await handler(request, ports, approved=approved)

    one = {"tags": "hashtag", "links": "link", "statuses": "status"}[noun]
    say.__doc__ = f"Let a {one} be shown as a trend." if approved else f"Never show a {one} as a trend."
    path = f"/api/v1/admin/trends/{noun}/{{id}}/{'approve' if approved else 'reject'}"
    return Route("POST", path, say, access=Access.STAFF, scope=("admin:write",))


_public = partial(Route, "GET", access=Access.PUBLIC)
_staff = partial(Route, "GET", access=Access.STAFF, scope=("admin:read",))
_REVIEWED: tuple[tuple[Noun, Callable[..., Awaitable[Response]]], ...] = (
    ("tags", _say_tag),
    ("links", _say_link),
    ("statuses", _say_status),
)

ROUTES = [
    _public("/api/v1/trends", tags),
    _public("/api/v1/trends/tags", tags),
    _public("/api/v1/trends/links", links),
    _public("/api/v1/trends/statuses", popular_statuses),
    _staff("/api/v1/admin/trends/tags", admin_tags),
    _staff("/api/v1/admin/trends/links", admin_links),
    _staff("/api/v1/admin/trends/statuses", admin_statuses),
    *(_says(noun, handler, approved=approved) for noun, handler in _REVIEWED for approved in (True, False)),
]
