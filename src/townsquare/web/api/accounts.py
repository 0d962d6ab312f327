"""Accounts: look at them, and change one's own.

Box: web. Source: Mastodon API, /methods/accounts/
"""

from typing import Any

import msgspec

from townsquare.model.errors import NotFound, Unauthorized
from townsquare.render.profile import credential_account
from townsquare.render.relationship import relationship
from townsquare.social import accounts, follows, profile, search
from townsquare.social.ports import Ports
from townsquare.social.profile import Profile, ProfileChange
from townsquare.social.profile_pictures import change_profile_and_pictures
from townsquare.social.viewer import viewer_of
from townsquare.web.api.joined import account_list, joined, status_list
from townsquare.web.paging import offset_link_header, page_limit, page_offset, window
from townsquare.web.params import missing, read_id
from townsquare.web.routes import Access, Request, Response, Route, json_response

MAX_IDS = 100  # in one request
UPLOAD_BYTES = 34 << 20  # two pictures of 16 MiB with their wrapping


class Ids(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts that are asked for by id."""

    id: tuple[str, ...] = ()
    with_suspended: bool = False


def read_ids(request: Request) -> list[int]:
    """The ids asked for, each once; what is no id is left out."""
    found = (read_id(text) for text in request.read(Ids).id)
    return list(dict.fromkeys(each for each in found if each is not None))[:MAX_IDS]


async def many(request: Request, ports: Ports) -> Response:
    """Accounts by id, as many as there are."""
    return joined(await accounts.shown_jsons(ports, read_ids(request)))


async def one(request: Request, ports: Ports) -> Response:
    """One account."""
    shown = await accounts.shown(ports, request.id())
    ports.facts.view_profile(request.account_id, shown.account.account_id)
    return Response(shown.json)


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """A handle."""

    acct: str


async def lookup(request: Request, ports: Ports) -> Response:
    """The account of a handle."""
    return Response((await accounts.lookup(ports, request.read(Lookup).acct)).json)


class AccountSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Words to find accounts by."""

    q: str = ""
    resolve: bool = False  # there are no other servers yet, so nothing is asked of them
    following: bool = False


async def search_accounts(request: Request, ports: Ports) -> Response:
    """Accounts by handle, name or words of the profile."""
    asked = request.read(AccountSearch)
    if not asked.q.strip():
        raise missing("q")
    limit, offset = page_limit(request, 40, 80), page_offset(request)
    viewer = await viewer_of(ports, request.account_id)
    ids = await search.find_accounts(
        ports, asked.q, viewer=viewer, limit=limit, offset=offset, following=asked.following
    )
    return joined(await accounts.shown_jsons(ports, ids), offset_link_header(request, offset, len(ids), limit))


# One's own ------------------------------------------------------------------------------------------------------------


def credentials_response(shown: Profile, ports: Ports) -> Response:
    """A profile as its own person sees it."""
    return json_response(
        credential_account(shown.account, shown.user, shown.stats, requests=shown.requests, base=ports.settings.base)
    )


async def verify_credentials(request: Request, ports: Ports) -> Response:
    """The account that asks, with what only its person may see."""
    return credentials_response(await profile.profile_of(ports, request.account.account_id), ports)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table on a profile."""

    name: str = ""
    value: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults of new statuses."""

    privacy: str | None = None
    sensitive: bool | None = None
    language: str | None = None
    quote_policy: str | None = None


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What can be changed of oneself."""

    display_name: str | None = None
    note: str | None = None
    locked: bool | None = None
    bot: bool | None = None
    discoverable: bool | None = None
    hide_collections: bool | None = None
    indexable: bool | None = None
    show_media: bool | None = None
    show_media_replies: bool | None = None
    show_featured: bool | None = None
    attribution_domains: tuple[str, ...] | None = None
    fields_attributes: tuple[Field, ...] | None = None
    avatar_description: str | None = None
    header_description: str | None = None
    source: Source | None = None


_PLAIN = (
    "display_name", "note", "locked", "bot", "discoverable", "hide_collections", "indexable", "show_media",
    "show_media_replies", "show_featured", "attribution_domains", "avatar_description", "header_description",
)  # fmt: skip


async def changed_profile(request: Request, ports: Ports) -> Profile:
    """Change the profile of the account that asks by the request's parameters.

    Raises: Invalid with details per field.
    """
    asked = request.read(Credentials)
    given: dict[str, Any] = {name: getattr(asked, name) for name in _PLAIN}
    if asked.fields_attributes is not None:
        given["fields"] = tuple((field.name, field.value) for field in asked.fields_attributes)
    if asked.source is not None:
        given.update(msgspec.structs.asdict(asked.source))
    pictures = {name: file.read() for name in ("avatar", "header") if (file := request.files.get(name)) and file.size}
    return await change_profile_and_pictures(ports, request.account.account_id, ProfileChange(**given), **pictures)


async def update_credentials(request: Request, ports: Ports) -> Response:
    """Change one's own profile and the defaults of one's statuses."""
    return credentials_response(await changed_profile(request, ports), ports)


# What belongs to an account -------------------------------------------------------------------------------------------


class Statuses(msgspec.Struct, frozen=True, kw_only=True):
    """Which of an account's statuses are asked for."""

    only_media: bool = False
    exclude_replies: bool = False
    exclude_reblogs: bool = False
    pinned: bool = False
    tagged: str = ""


async def statuses(request: Request, ports: Ports) -> Response:
    """What an account posted and boosted, as far as the viewer may see it."""
    asked, page = request.read(Statuses), window(request, 20, 40)
    viewer = await viewer_of(ports, request.account_id)
    if asked.pinned:
        views = await accounts.pinned_statuses(ports, account_id=request.id(), viewer=viewer, limit=page.limit)
        return status_list(request, views, page, None)
    wanted = accounts.LogFilter(
        only_media=asked.only_media,
        exclude_replies=asked.exclude_replies,
        exclude_reblogs=asked.exclude_reblogs,
        tagged=asked.tagged.removeprefix("#"),
    )
    found, last = await accounts.account_statuses(
        ports, account_id=request.id(), viewer=viewer, window=page, wanted=wanted
    )
    ports.facts.show(request.account_id, found, "profile")
    return status_list(request, found, page, last)


async def followers(request: Request, ports: Ports) -> Response:
    """Who follows an account, paged by account id."""
    return await _side(request, ports, "followers")


async def following(request: Request, ports: Ports) -> Response:
    """Whom an account follows, paged by account id."""
    return await _side(request, ports, "following")


async def _side(request: Request, ports: Ports, side: str) -> Response:
    page = window(request, 40, 80)
    ids = await follows.followers_and_following(
        ports, account_id=request.id(), viewer_id=request.account_id, side=side, window=page
    )
    return await account_list(request, ports, ids, page)


async def nothing(request: Request, ports: Ports) -> Response:
    """What this server keeps none of for an account: lists it is in, featured tags, endorsements, identity proofs."""
    await accounts.standing(ports, request.id())
    return Response(b"[]")


async def no_collections(request: Request, ports: Ports) -> Response:
    """Collections of an account: this server has none."""
    await accounts.standing(ports, request.id())
    return Response(b'{"collections":[]}')


# Towards the viewer ---------------------------------------------------------------------------------------------------


async def relationships(request: Request, ports: Ports) -> Response:
    """What the viewer and each of these accounts are to each other."""
    found = await follows.relationships(
        ports,
        actor=request.account,
        ids=read_ids(request),
        with_suspended=request.read(Ids).with_suspended,
    )
    return json_response([relationship(each) for each in found])


async def familiar_followers(request: Request, ports: Ports) -> Response:
    """For each account, who of those whom the viewer follows follows it too."""
    found = await follows.familiar(ports, actor=request.account, ids=read_ids(request)[:20])
    parts = []
    for account_id, ids in found:
        people = await accounts.shown_jsons(ports, ids)
        parts.append(b'{"id":"%d","accounts":[%b]}' % (account_id, b",".join(people)))
    return joined(parts)


async def relationship_response(request: Request, ports: Ports, other: int) -> Response:
    """What the viewer and one account are to each other now.

    Raises: NotFound.
    """
    if request.session is None:
        raise Unauthorized
    found = await follows.relationships(ports, actor=request.account, ids=[other])
    if not found:
        raise NotFound
    return json_response(relationship(found[0]))


_ACCOUNT = "/api/v1/accounts/{id}"
_READ = ("read:accounts",)

ROUTES = [
    Route("GET", "/api/v1/accounts", many, access=Access.PUBLIC, scope=_READ),
    Route("GET", "/api/v1/accounts/verify_credentials", verify_credentials, scope=("profile", "read:accounts")),
    Route(
        "PATCH",
        "/api/v1/accounts/update_credentials",
        update_credentials,
        scope=("write:accounts",),
        body_limit_bytes=UPLOAD_BYTES,
    ),
    Route("GET", "/api/v1/accounts/lookup", lookup, access=Access.PUBLIC, scope=_READ),
    Route("GET", "/api/v1/accounts/search", search_accounts, scope=_READ),
    Route("GET", "/api/v1/accounts/relationships", relationships, scope=("read:follows",)),
    Route("GET", "/api/v1/accounts/familiar_followers", familiar_followers, scope=("read:follows",)),
    Route("GET", _ACCOUNT, one, access=Access.PUBLIC, scope=_READ),
    Route("GET", f"{_ACCOUNT}/statuses", statuses, access=Access.PUBLIC, scope=("read:statuses",)),
    Route("GET", f"{_ACCOUNT}/followers", followers, access=Access.PUBLIC, scope=_READ),
    Route("GET", f"{_ACCOUNT}/following", following, access=Access.PUBLIC, scope=_READ),
    Route("GET", f"{_ACCOUNT}/featured_tags", nothing, access=Access.PUBLIC, scope=_READ),
    Route("GET", f"{_ACCOUNT}/endorsements", nothing, access=Access.PUBLIC, scope=_READ),
    Route("GET", f"{_ACCOUNT}/lists", nothing, scope=("read:lists",)),
    Route("GET", f"{_ACCOUNT}/identity_proofs", nothing, scope=_READ),
    Route("GET", f"{_ACCOUNT}/collections", no_collections, access=Access.PUBLIC, scope=("read:collections",)),
]
