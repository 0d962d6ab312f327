"""Search: accounts, statuses and hashtags by words, addresses and handles.

Box: social. Source: Mastodon API, /methods/search/
The index may be behind or know too much; what is shown is read from the rows, through the one gate.
"""

import re
import unicodedata
from collections.abc import Sequence

import msgspec

from townsquare.kit.tags import normal_tag
from townsquare.model.account import Account, Visibility
from townsquare.model.paging import Window
from townsquare.model.status import Status
from townsquare.render.status import StatusView
from townsquare.search.port import EVERYBODY, Query
from townsquare.social.accounts import find_handle, standing_people
from townsquare.social.hydrate import statuses
from townsquare.social.operators import Asked, read_operators
from townsquare.social.ports import Ports
from townsquare.social.seeing import may_list
from townsquare.social.tags import Tag, tag_rows, tags_of
from townsquare.social.viewer import Viewer

MAX_QUERY = 500  # characters; what is longer is cut
_STEPS = 5
_MOST_AUTHORS = 5  # named in one search; what lies behind is not looked at
_FOLLOWED = 1_000  # found accounts among which those followed are looked for
_ADDRESS = re.compile(r"/@(?P<name>\w{1,64})(?:/(?P<status>\d{1,19}))?/?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for. `kind`: accounts, statuses, hashtags, or empty for all.

    `words` as people type them, operators among them. One that only statuses have leaves accounts and hashtags out.
    """

    words: str
    kind: str = ""
    account_id: int = 0  # statuses of this author only
    following: bool = False
    window: Window = Window()
    offset: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, of each kind as many as the query's limit."""

    accounts: tuple[int, ...] = ()
    statuses: tuple[StatusView, ...] = ()
    tags: tuple[Tag, ...] = ()


def cleaned(words: str) -> str:
    """A query without what no index needs: control characters, half characters, too much of it."""
    return unicodedata.normalize("NFC", _CONTROL.sub(" ", words)).strip()[:MAX_QUERY].strip()


async def search(ports: Ports, wanted: Wanted, *, viewer: Viewer) -> Found:
    """All that fits what is wanted and that the viewer may find. Any string may be asked for, none is an error.

    Without a viewer only accounts and hashtags, and only the first page.
    """
    words = cleaned(wanted.words)
    if not words or (not viewer.account_id and wanted.offset):
        return Found()
    by_address = await _by_address(ports, words, viewer)
    if by_address is not None:
        return by_address
    asked = read_operators(words)
    kinds = {wanted.kind} if wanted.kind else {"accounts", "statuses", "hashtags"}
    if asked.for_statuses:
        kinds &= {"statuses"}
    limit, offset = wanted.window.limit, wanted.offset
    accounts: Sequence[int] = ()
    views: Sequence[StatusView] = ()
    tags: Sequence[Tag] = ()
    if "accounts" in kinds:
        accounts = await find_accounts(
            ports, words, viewer=viewer, limit=limit, offset=offset, following=wanted.following
        )
    if "statuses" in kinds and viewer.account_id and not words.startswith(("#", "@")):
        views = await _find_statuses(ports, asked, wanted, viewer)
    if "hashtags" in kinds and not words.startswith("@"):
        tags = await _find_tags(ports, words, limit=limit, offset=offset)
    return Found(accounts=tuple(accounts), statuses=tuple(views), tags=tuple(tags))


async def _by_address(ports: Ports, words: str, viewer: Viewer) -> Found | None:
    """The account or status whose page here this is; None where it is no address of a page here."""
    base = ports.settings.url
    match = _ADDRESS.fullmatch(words.removeprefix(base)) if words.startswith(base) else None
    if match is None:
        return None
    account = await find_handle(ports, match["name"])
    if account is None:
        return Found()
    if not match["status"]:
        return Found(accounts=(account.account_id,))
    status_id = int(match["status"])
    views = await statuses(ports, [status_id], viewer) if status_id < 1 << 63 else []
    return Found(statuses=tuple(view for view in views if view.status.author == account.account_id))


async def find_accounts(
    ports: Ports, words: str, *, viewer: Viewer, limit: int, offset: int, following: bool
) -> list[int]:
    """Accounts, the one with exactly this handle first, then the best."""
    words = cleaned(words)
    exact = await find_handle(ports, words)
    wanted = offset + limit
    most = _FOLLOWED if following else wanted + 1
    query = Query(
        kind="account", words=words.removeprefix("@"), readers=(EVERYBODY, viewer.account_id or EVERYBODY), limit=most
    )
    found = await ports.search.find(query)
    ids = list(dict.fromkeys([*([exact.account_id] if exact else []), *found]))
    if following:
        ids = [each for each in ids if each in viewer.following]
    standing = await standing_people(ports, ids[: wanted + limit])
    return [person.account.account_id for person in standing[offset:wanted]]


async def _find_statuses(ports: Ports, asked: Asked, wanted: Wanted, viewer: Viewer) -> list[StatusView]:
    """Statuses that the viewer may see, newest first; what the index knows too much of is passed over."""
    found: list[StatusView] = []
    window = wanted.window
    query = await _query_of(ports, asked, wanted, viewer)
    for _ in range(_STEPS if query is not None else 0):
        assert query is not None
        ids = await ports.search.find(query)
        views = await statuses(ports, ids, viewer, gate=may_find)
        found += views[: window.limit - len(found)]
        if len(ids) < window.limit or len(found) >= window.limit:
            break
        query = msgspec.structs.replace(query, offset=query.offset + len(ids))
    return found


async def _query_of(ports: Ports, asked: Asked, wanted: Wanted, viewer: Viewer) -> Query | None:
    """The same in the words of the index; None where nothing can fit."""
    authors = {await _author(ports, handle, viewer) for handle in asked.authors[:_MOST_AUTHORS]}
    if wanted.account_id:
        authors.add(wanted.account_id)
    if len(authors) > 1 or 0 in authors:
        return None
    unwanted = [await _author(ports, handle, viewer) for handle in asked.not_authors[:_MOST_AUTHORS]]
    asked.keep_below(wanted.window.below)
    asked.keep_above(wanted.window.above)
    readers = {"library": (viewer.account_id,), "public": (EVERYBODY,)}
    return Query(
        kind="status",
        words=" ".join(asked.words),
        phrases=tuple(asked.phrases),
        without=tuple(asked.without),
        has=tuple(asked.has),
        lacks=tuple(asked.lacks),
        author=authors.pop() if authors else None,
        not_authors=tuple(each for each in unwanted if each),
        readers=readers.get(asked.scope, (EVERYBODY, viewer.account_id)),
        below=asked.below,
        above=asked.above,
        limit=wanted.window.limit,
        offset=wanted.offset,
    )


async def _author(ports: Ports, handle: str, viewer: Viewer) -> int:
    """The account of a handle, or of whoever asks; 0 where there is none."""
    if handle.lower() == "me":
        return viewer.account_id
    account = await find_handle(ports, handle)
    return account.account_id if account else 0


def may_find(viewer: Viewer, status: Status, author: Account) -> bool:
    """Whether a search may show the status: the viewer may see it, and wrote it, is named in it, or its author lets
    everybody find it."""
    me = viewer.account_id
    allowed = (
        status.author == me
        or any(mention.account_id == me for mention in status.mentions)
        or (status.visibility is Visibility.PUBLIC and author.indexable)
    )
    return allowed and may_list(viewer, status, author)


async def _find_tags(ports: Ports, words: str, *, limit: int, offset: int) -> list[Tag]:
    """Hashtags that begin so, the one of exactly this name first if anybody used it."""
    name = normal_tag(words)
    if name is None:
        return []
    ids = await ports.search.find(Query(kind="tag", words=name, limit=limit, offset=offset))
    return await tags_of(ports, [row.name for row in await tag_rows(ports, ids)])
