"""Search as a page: people, posts, hashtags.

Box: web.
"""

from collections.abc import Sequence
from urllib.parse import quote

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.model.paging import Window
from townsquare.social import search as searches
from townsquare.social import trends
from townsquare.social.follows import relationships
from townsquare.social.hydrate import people
from townsquare.social.ports import Ports
from townsquare.social.search import MAX_QUERY, Found, Wanted
from townsquare.social.tags import Tag
from townsquare.social.trends import LinkTrend
from townsquare.social.viewer import viewer_of
from townsquare.web.pages.frame import View, empty, show, tabs
from townsquare.web.pages.parts import person
from townsquare.web.pages.parts.numbers import counted
from townsquare.web.pages.parts.post import feed
from townsquare.web.paging import page_offset
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

_KINDS = {"": "All", "accounts": "People", "statuses": "Posts", "hashtags": "Hashtags"}
_HELP = (
    'Narrow posts with "exact words", -word, from:name, has:media (image, video, audio, poll, link), is:reply, '
    "is:sensitive, before: after: or during:2026-01-31, language:en, in:library (yours and those that name you)."
)
_TREND_TAGS, _TREND_LINKS, _TREND_POSTS = 8, 5, 10
_ALL, _ONE = 5, 20  # results of each kind where all are shown, and of one


async def search(request: Request, ports: Ports) -> Response:
    """Find people, posts and hashtags by words, a handle or an address."""
    words, kind = _typed(request, "q"), _typed(request, "type")
    kind = kind if kind in _KINDS else ""
    parts: list[Child] = [_form(words)]
    if words:
        limit, offset = (_ONE if kind else _ALL), page_offset(request)
        viewer = await viewer_of(ports, request.account_id)
        wanted = Wanted(words=words, kind=kind, window=Window(limit=limit), offset=offset)
        found = await searches.search(ports, wanted, viewer=viewer)
        results = {"accounts": found.accounts, "statuses": found.statuses, "hashtags": found.tags}
        ports.facts.search(request.account_id, {key: len(each) for key, each in results.items() if kind in ("", key)})
        count = max(len(found.accounts), len(found.statuses), len(found.tags))
        parts += [_bar(words, kind), await _found(request, ports, found)]
        if not count:
            parts.append(_nothing(request, words))
        if kind and count == limit and request.session is not None:
            to = f"/search?q={quote(words, safe='')}&type={kind}&offset={offset + limit}"
            parts.append(
                tag("nav", tag("a", "More", href=to, class_="button quiet"), class_="pager", aria_label="Pages")
            )
    else:
        parts.append(await _trends(request, ports))
    title = f"Search: {words}" if words else "Search"
    return await show(request, ports, View(title=title, body=join(parts), place="search"))


def _typed(request: Request, name: str) -> str:
    value = request.params.get(name, "")
    return searches.cleaned(value) if isinstance(value, str) else ""


def _form(words: str) -> Markup:
    form = tag(
        "form",
        tag("label", "Search for people, posts and hashtags", for_="q", class_="visually-hidden"),
        tag("input", type="search", id="q", name="q", value=words, maxlength=MAX_QUERY,
            placeholder="Words, @name, #hashtag", autofocus=not words, aria_describedby="q-help"),
        tag("button", "Search", type="submit"),
        method="get",
        action="/search",
        role="search",
        class_="find",
    )  # fmt: skip
    return join([form, tag("p", _HELP, id="q-help", class_="meta")])


def _bar(words: str, kind: str) -> Markup:
    asked = quote(words, safe="")
    entries = [
        (title, f"/search?q={asked}&type={key}" if key else f"/search?q={asked}", key == kind)
        for key, title in _KINDS.items()
    ]
    return tabs(entries, label="Kinds")


async def _found(request: Request, ports: Ports, found: Found) -> Markup:
    parts: list[Child] = []
    if found.accounts:
        shown = [each for each in await people(ports, found.accounts) if each is not None]
        known = await relationships(ports, actor=request.account, ids=found.accounts) if request.session else []
        rows = person.rows(shown, {each.account_id: each for each in known}, viewer_id=request.account_id)
        parts.append(tag("section", tag("h2", "People", class_="section"), rows))
    if found.tags:
        parts.append(tag("section", tag("h2", "Hashtags", class_="section"), _tags(found.tags)))
    if found.statuses:
        listed = feed(found.statuses, label="Found posts", now_ms=ports.clock.now_ms())
        parts.append(tag("section", tag("h2", "Posts", class_="section"), listed))
    return join(parts)


async def _trends(request: Request, ports: Ports) -> Markup:
    """What many people take up just now, for who comes without words. Empty where there is nothing."""
    viewer = await viewer_of(ports, request.account_id)
    tags = await trends.tag_trends(ports, offset=0, limit=_TREND_TAGS)
    links = await trends.link_trends(ports, offset=0, limit=_TREND_LINKS)
    views = await trends.status_trends(ports, viewer, offset=0, limit=_TREND_POSTS)
    parts: list[Child] = []
    if tags:
        parts.append(tag("section", tag("h2", "Hashtags of the hour", class_="section"), _tags(tags)))
    if links:
        rows = tag("ul", [_link(each) for each in links], class_="feed")
        parts.append(tag("section", tag("h2", "Much shared", class_="section"), rows))
    if views:
        listed = feed(views, label="Popular posts", now_ms=ports.clock.now_ms())
        parts.append(tag("section", tag("h2", "Popular posts", class_="section"), listed))
    return join(parts)


def _link(trend: LinkTrend) -> Markup:
    sharers = sum(day.accounts for day in trend.days)
    link = tag("a", trend.card.title, href=trend.card.url, rel="nofollow noopener")
    return tag(
        "li", link, tag("small", f"{trend.card.provider_name}, {counted(sharers, 'person', 'people')}"), class_="line"
    )


def _tags(found: Sequence[Tag]) -> Markup:
    return tag("ul", [_tag(each.name, sum(day.uses for day in each.history)) for each in found], class_="feed")


def _tag(name: str, uses: int) -> Markup:
    link = tag("a", f"#{name}", href=f"/tags/{quote(name)}")
    return tag("li", link, tag("small", counted(uses, "post this week", "posts this week")), class_="line")


def _nothing(request: Request, words: str) -> Markup:
    if request.session is None:
        return empty("Nothing found. Who is logged in can search posts too.", action=("Log in", "/auth/sign_in"))
    return empty(f"Nothing found for “{words}”.")


ROUTES = [Route("GET", "/search", search, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True)]
