"""A post with its thread: what it answers above, what answers it below.

Box: web.
"""

from collections.abc import Sequence

from townsquare.kit.html import Markup, join, tag
from townsquare.kit.urls import files_base
from townsquare.model.account import OPEN, Account
from townsquare.model.errors import NotFound
from townsquare.model.paging import Window
from townsquare.render.account import account_url, avatar_url
from townsquare.render.status import StatusView, status_url
from townsquare.social import edits
from townsquare.social.context import context
from townsquare.social.follows import relationships
from townsquare.social.hydrate import people, visible
from townsquare.social.ports import Ports
from townsquare.social.viewer import viewer_of
from townsquare.store.reactions import reactions_page
from townsquare.web.pages.compose import answer, user_of
from townsquare.web.pages.composer import composer
from townsquare.web.pages.frame import View, empty, pager, show
from townsquare.web.pages.layout import redirect
from townsquare.web.pages.parts import person
from townsquare.web.pages.parts.post import ANCESTOR, FOCUSED, Look, path_of, post
from townsquare.web.pages.parts.when import moment
from townsquare.web.paging import window
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

_TEXT_CHARACTERS = 300
_PEOPLE = 40


async def thread(request: Request, ports: Ports) -> Response:
    """A post with its thread."""
    view = await _named(request, ports)
    if view.reblog is not None:
        return redirect(path_of(view.reblog), status=302)
    status = view.status
    above, below = await context(ports, status.status_id, await viewer_of(ports, request.account_id))
    ports.facts.show(request.account_id, (view,), "page")
    ports.facts.show(request.account_id, (*above, *below), "thread")
    now_ms = ports.clock.now_ms()
    upper = [post(each, Look(now_ms=now_ms, place=ANCESTOR)) for each in above]
    write = None
    if request.session is not None:
        write = composer(request, answer(request, view), action="/do/post", user=user_of(request), back=path_of(view))
    body = join(
        tag("div", upper, class_="ancestors") if upper else None,
        post(view, Look(now_ms=now_ms, place=FOCUSED)),
        tag("div", write, class_="answer") if write else None,
        _replies(view, below, now_ms),
    )
    name = person.name_of(view.author.account)
    page = View(
        title="Post",
        body=body,
        head=_cards(view, ports.settings.base, name),
        live=f"on=thread&id={status.status_id}" if request.session is not None else "",
        back="/" if request.session else "/local",
    )
    return await show(request, ports, page)


def _replies(focused: StatusView, below: Sequence[StatusView], now_ms: int) -> Markup:
    depths = {focused.status.status_id: 0}
    rows = []
    for each in below:
        depth = depths.get(each.status.reply_to, 0) + 1
        depths[each.status.status_id] = depth
        rows.append(post(each, Look(now_ms=now_ms, depth=depth)))
    heading = tag("h2", "Replies", class_="visually-hidden")
    return tag("section", heading, tag("div", rows, class_="replies"), aria_label="Replies")


def _cards(view: StatusView, base: str, name: str) -> Markup:
    """What other sites may show of the post: of one that is not for all, nothing."""
    status, account = view.status, view.author.account
    if status.visibility not in OPEN:
        return tag("meta", name="robots", content="noindex, noarchive")
    url = status_url(status, account, base)
    said = " ".join((status.spoiler_text or status.text).split())[:_TEXT_CHARACTERS]
    seen = [m for m in view.fragment.media if m.state == "ready" and (m.preview or m.kind == "image")]
    picture = seen[0] if seen else None
    hidden = status.sensitive or bool(status.spoiler_text)
    image = avatar_url(account, base)
    if picture is not None and not hidden:
        image = f"{files_base(base)}/media/{picture.preview or picture.original}"
    return join(
        tag("link", rel="canonical", href=url),
        tag("meta", name="description", content=said),
        tag("meta", property="og:type", content="article"),
        tag("meta", property="og:title", content=f"{name} (@{account.username})"),
        tag("meta", property="og:description", content=said),
        tag("meta", property="og:url", content=url),
        tag("meta", property="og:image", content=image),
        tag("meta", property="og:image:alt", content=picture.description) if picture and not hidden else None,
        tag("meta", name="twitter:card", content="summary_large_image" if picture and not hidden else "summary"),
        tag("meta", name="robots", content="noindex, noarchive") if not account.indexable else None,
    )


async def _named(request: Request, ports: Ports) -> StatusView:
    """The status of the path, if it is of the person in the path and for the reader.

    Raises: NotFound.
    """
    view = await visible(ports, request.id(), await viewer_of(ports, request.account_id))
    if not _is_of(view.author.account, request.path_params["name"]):
        raise NotFound
    return view


def _is_of(account: Account, name: str) -> bool:
    return account_url(account, "").lower() == f"/@{name}".lower()


async def jump(request: Request, ports: Ports) -> Response:
    """To the page of a post, by its id alone."""
    view = await visible(ports, request.id(), await viewer_of(ports, request.account_id))
    return redirect(path_of(view.reblog or view), status=302)


async def boosts(request: Request, ports: Ports) -> Response:
    """Who boosted a post."""
    return await _reacted(request, ports, kind="reblog", title="Boosted by")


async def favourites(request: Request, ports: Ports) -> Response:
    """Who marked a post as a favourite."""
    return await _reacted(request, ports, kind="favourite", title="Favourite of")


async def _reacted(request: Request, ports: Ports, *, kind: str, title: str) -> Response:
    view = await _named(request, ports)
    viewer = await viewer_of(ports, request.account_id)
    page: Window = window(request, _PEOPLE, _PEOPLE)
    rows = await reactions_page(ports.store, view.status.status_id, kind, page)
    hidden = viewer.blocking | viewer.blocked_by
    found = await people(ports, [row.account_id for row in rows if row.account_id not in hidden])
    shown = [each for each in found if each is not None and not each.account.suspended and not each.account.deleted]
    ids = [each.account.account_id for each in shown]
    known = await relationships(ports, actor=request.account, ids=ids) if request.session else []
    listed = person.rows(shown, {each.account_id: each for each in known}, viewer_id=request.account_id)
    older = rows[-1].account_id if len(rows) == page.limit else None
    body = join(listed if shown else empty("Nobody yet."), pager(request, older=older))
    return await show(request, ports, View(title=title, body=body, back=path_of(view)))


async def history(request: Request, ports: Ports) -> Response:
    """What a post said before it was edited."""
    view = await _named(request, ports)
    versions = await edits.history(ports, request.id(), await viewer_of(ports, request.account_id))
    rows = [
        tag(
            "li",
            tag("p", moment(version.at_ms), class_="meta"),
            tag("p", tag("strong", tag("bdi", version.status.spoiler_text))) if version.status.spoiler_text else None,
            tag("div", version.status.text, class_="text typed", dir="auto"),
            [
                tag("p", tag("small", f"Picture: {each.description or 'without a description'}"))
                for each in version.media
            ],
        )
        for version in reversed(versions)
    ]
    body = tag("ol", rows, class_="versions")
    return await show(request, ports, View(title="Edits", body=body, back=path_of(view)))


_ONE = "/@{name}/{id}"
ROUTES = [
    Route("GET", _ONE, thread, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", f"{_ONE}/boosts", boosts, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", f"{_ONE}/favourites", favourites, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", f"{_ONE}/history", history, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", "/posts/{id}", jump, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
]
