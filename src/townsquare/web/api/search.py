"""Search.

Box: web. Source: Mastodon API, /methods/search/
"""

import msgspec

from townsquare.model.errors import BadRequest, Unauthorized
from townsquare.render.status import status_list_json
from townsquare.render.tag import tag as tag_json
from townsquare.social import search as searches
from townsquare.social.accounts import shown_jsons
from townsquare.social.ports import Ports
from townsquare.social.search import Wanted
from townsquare.social.viewer import viewer_of
from townsquare.web.paging import page_offset, window
from townsquare.web.params import missing, read_id
from townsquare.web.routes import Access, Request, Response, Route

_KINDS = ("", "accounts", "statuses", "hashtags")
_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for."""

    q: str = ""
    type: str = ""
    account_id: str = ""
    following: bool = False
    resolve: bool = False  # there are no other servers yet, so nothing is asked of them


async def search(request: Request, ports: Ports) -> Response:
    """Accounts, statuses and hashtags by words, a handle or an address."""
    asked = request.read(Asked)
    if not asked.q.strip():
        raise missing("q")
    if request.session is None:
        _refuse_what_needs_a_token(request, asked)
    if asked.type not in _KINDS:
        raise BadRequest("Invalid parameter: type is not one of accounts, statuses, hashtags")
    author = read_id(asked.account_id)
    wanted = Wanted(
        words=asked.q,
        kind=asked.type,
        account_id=author or 0,
        following=asked.following,
        window=window(request, 20, 40),
        offset=page_offset(request),
    )
    if asked.account_id and author is None:
        return Response(b'{"accounts":[],"statuses":[],"hashtags":[]}')
    found = await searches.search(ports, wanted, viewer=await viewer_of(ports, request.account_id))
    results = {"accounts": found.accounts, "statuses": found.statuses, "hashtags": found.tags}
    ports.facts.search(request.account_id, {key: len(each) for key, each in results.items() if asked.type in ("", key)})
    base = ports.settings.base
    tags = [tag_json(each.name, base, tag_id=each.tag_id, history=each.history) for each in found.tags]
    parts = (
        b'{"accounts":[',
        b",".join(await shown_jsons(ports, found.accounts)),
        b'],"statuses":',
        status_list_json(found.statuses),
        b',"hashtags":',
        _encode(tags),
        b"}",
    )
    return Response(b"".join(parts))


def _refuse_what_needs_a_token(request: Request, asked: Asked) -> None:
    if page_offset(request):
        raise Unauthorized("Search queries pagination is not supported without authentication")
    if asked.resolve:
        raise Unauthorized("Search queries that resolve remote resources are not supported without authentication")


ROUTES = [Route("GET", "/api/v2/search", search, access=Access.PUBLIC, scope=("read:search",))]
