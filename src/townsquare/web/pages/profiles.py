"""Profiles: who somebody is, what they posted, who follows them.

Box: web.
"""

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.model.account import Account, Role
from townsquare.model.errors import NotFound
from townsquare.model.paging import Window
from townsquare.render.account import account_url, acct, avatar_url, header_url
from townsquare.render.relationship import Relation
from townsquare.render.status import Person
from townsquare.social import accounts, follows
from townsquare.social.accounts import LogFilter
from townsquare.social.hydrate import people
from townsquare.social.ports import Ports
from townsquare.social.viewer import Viewer, viewer_of
from townsquare.web.pages.frame import View, empty, pager, show, tabs
from townsquare.web.pages.icons import icon
from townsquare.web.pages.parts import person
from townsquare.web.pages.parts.numbers import compact
from townsquare.web.pages.parts.post import Look, feed, post
from townsquare.web.pages.parts.when import day
from townsquare.web.paging import window
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

_PAGE, _PEOPLE, _PINNED = 20, 40, 5
_TABS = {
    "": ("Posts", LogFilter(exclude_replies=True)),
    "replies": ("Posts and replies", LogFilter()),
    "media": ("Media", LogFilter(only_media=True)),
}


async def profile(request: Request, ports: Ports) -> Response:
    """Somebody's profile and posts."""
    found = await _named(request, ports)
    account, tab = found.account, _tab(request)
    viewer = await viewer_of(ports, request.account_id)
    relation = await _relation(request, ports, account)
    page = window(request, _PAGE, _PAGE)
    views, last = await accounts.account_statuses(
        ports, account_id=account.account_id, viewer=viewer, window=page, wanted=_TABS[tab][1]
    )
    ports.facts.view_profile(request.account_id, account.account_id)
    ports.facts.show(request.account_id, views, "profile")
    newest = views[0].status.status_id if views else None
    oldest = (views[-1].status.status_id if views else None) if page.forward else last
    is_first = page.below is None and page.above is None
    now_ms = ports.clock.now_ms()
    body = join(
        _head(found, relation, request),
        _bar(account, tab),
        await _pinned(ports, account, viewer, now_ms) if is_first and not tab else None,
        feed(views, label=f"Posts of {person.name_of(account)}", now_ms=now_ms) if views else _nothing(relation),
        pager(request, older=oldest, newer=None if is_first else newest),
    )
    place = "profile" if account.account_id == request.account_id else ""
    return await show(
        request,
        ports,
        View(title=person.name_of(account), body=body, place=place, head=_cards(found, ports.settings.base)),
    )


def _tab(request: Request) -> str:
    tab = request.params.get("tab", "")
    return tab if isinstance(tab, str) and tab in _TABS else ""


def _bar(account: Account, tab: str) -> Markup:
    path = person.profile_path(account)
    entries = [(words, f"{path}?tab={key}" if key else path, key == tab) for key, (words, _) in _TABS.items()]
    return tabs(entries, label="What to see")


async def _pinned(ports: Ports, account: Account, viewer: Viewer, now_ms: int) -> Child:
    views = await accounts.pinned_statuses(ports, account_id=account.account_id, viewer=viewer, limit=_PINNED)
    if not views:
        return None
    look = Look(now_ms=now_ms, pinned=True)
    # Their ids may come up in the list below once more, so here they have none.
    rows = [Markup(post(view, look).replace(f' id="post-{view.status.status_id}"', "", 1)) for view in views]
    return tag("section", rows, aria_label="Pinned posts")


def _nothing(relation: Relation | None) -> Markup:
    blocked = relation is not None and ("blocked_by" in relation.kinds or "block" in relation.kinds)
    return empty("Posts are hidden, because one of you blocks the other." if blocked else "No posts to see here.")


def _head(found: Person, relation: Relation | None, request: Request) -> Markup:
    account, shown = found.account, person.shown(found)
    path = person.profile_path(account)
    name = f"Picture of {person.name_of(account)}"
    face = tag("img", src=avatar_url(account, ""), alt=account.avatar_description or name, width=88, height=88)
    own = account.account_id == request.account_id
    badges = [person.badge(role.name, "check") for role in shown.roles]
    if account.bot:
        badges.append(person.badge("Automated", "settings"))
    if relation is not None and relation.back is not None and relation.back.state == "on":
        badges.append(person.badge("Follows you", "person"))
    return tag(
        "section",
        tag("img", src=header_url(account, ""), alt=account.header_description, class_="cover", width=600, height=200),
        tag(
            "div",
            tag("div", face, _buttons(account, relation, request, is_own=own), class_="face"),
            tag("h2", tag("bdi", person.name_of(account)), class_="name"),
            tag("p", person.handle(account), " ", badges),
            tag("div", Markup(shown.note), class_="text", dir="auto") if shown.note else None,
            _fields(shown),
            tag("p", tag("small", "Joined ", day(account.created_ms))),
            tag(
                "p",
                tag("a", tag("strong", compact(shown.statuses_count)), " posts", href=path),
                tag("a", tag("strong", compact(shown.following_count)), " following", href=f"{path}/following"),
                tag("a", tag("strong", compact(shown.followers_count)), " followers", href=f"{path}/followers"),
                class_="totals",
            ),
            class_="profile",
        ),
        aria_label="Profile",
    )


def _fields(shown: person.Shown) -> Markup | None:
    if not shown.fields:
        return None
    rows = [
        (
            tag("dt", tag("bdi", line.name)),
            tag("dd", icon("check") if line.verified_at else None, Markup(line.value), dir="auto"),
        )
        for line in shown.fields
    ]
    return tag("dl", rows, class_="fields")


def _buttons(account: Account, relation: Relation | None, request: Request, *, is_own: bool) -> Markup:
    if is_own:
        links = (
            tag("a", "Edit profile", href="/settings", class_="button quiet"),
            tag(
                "details",
                tag("summary", icon("more"), aria_label="More pages of yours"),
                tag(
                    "ul",
                    [
                        tag("li", tag("a", words, href=to))
                        for words, to in (
                            ("Favourites", "/favourites"),
                            ("Bookmarks", "/bookmarks"),
                            ("Insights", "/insights"),
                            *([("Numbers of the server", "/admin/insights")] if account.role is not Role.USER else []),
                            ("Settings", "/settings"),
                        )
                    ],
                    tag("li", person.act("Log out", "/auth/sign_out")),
                ),
                class_="more",
            ),
        )
        return tag("div", links, class_="row acts")
    if request.session is None:
        to = f"/auth/sign_in?next={person.profile_path(account)}"
        return tag("div", tag("a", "Log in to follow", href=to, class_="button"), class_="row acts")
    follow = person.follow_button(account, relation, viewer_id=request.account_id)
    return tag("div", follow, _menu(account, relation) if relation else None, class_="row acts")


def _menu(account: Account, relation: Relation) -> Markup:
    path, handle = f"/do/people/{account.account_id}", f"@{acct(account)}"
    entries: list[Markup] = [tag("a", f"Write to {handle}", href=f"/compose?text=@{acct(account)}+")]
    entries.append(
        person.act(f"Unmute {handle}", f"{path}/unmute")
        if "mute" in relation.kinds
        else person.act(f"Mute {handle}", f"{path}/mute")
    )
    if relation.back is not None and relation.back.state == "on":
        entries.append(person.act("Remove from followers", f"{path}/remove"))
    entries.append(
        person.act(f"Unblock {handle}", f"{path}/unblock")
        if "block" in relation.kinds
        else person.act(f"Block {handle}", f"{path}/block", kind="danger")
    )
    return tag(
        "details",
        tag("summary", icon("more"), aria_label="More"),
        tag("ul", [tag("li", entry) for entry in entries]),
        class_="more",
    )


def _cards(found: Person, base: str) -> Markup:
    account, url = found.account, account_url(found.account, base)
    note = " ".join(account.note.split())[:300]
    return join(
        tag("link", rel="canonical", href=url),
        tag("meta", name="description", content=note or f"@{account.username}"),
        tag("meta", property="og:type", content="profile"),
        tag("meta", property="og:title", content=f"{person.name_of(account)} (@{account.username})"),
        tag("meta", property="og:description", content=note),
        tag("meta", property="og:url", content=url),
        tag("meta", property="og:image", content=avatar_url(account, base)),
        tag("meta", name="twitter:card", content="summary"),
        tag("meta", name="robots", content="noindex, noarchive") if not account.indexable else None,
    )


async def followers(request: Request, ports: Ports) -> Response:
    """Who follows somebody."""
    return await _side(request, ports, side="followers", title="Followers")


async def following(request: Request, ports: Ports) -> Response:
    """Whom somebody follows."""
    return await _side(request, ports, side="following", title="Following")


async def _side(request: Request, ports: Ports, *, side: str, title: str) -> Response:
    found = await _named(request, ports)
    account = found.account
    page: Window = window(request, _PEOPLE, _PEOPLE)
    ids = await follows.followers_and_following(
        ports, account_id=account.account_id, viewer_id=request.account_id, side=side, window=page
    )
    shown = [
        each for each in await people(ports, ids) if each and not each.account.suspended and not each.account.deleted
    ]
    known = await follows.relationships(ports, actor=request.account, ids=ids) if request.session and ids else []
    listed = person.rows(shown, {each.account_id: each for each in known}, viewer_id=request.account_id)
    hidden = account.hide_collections and account.account_id != request.account_id
    nothing = empty(f"{person.name_of(account)} does not show this list." if hidden else "Nobody yet.")
    older = ids[-1] if len(ids) == page.limit else None
    body = join(listed if shown else nothing, pager(request, older=older))
    heading = f"{title} · {person.name_of(account)}"
    return await show(request, ports, View(title=heading, body=body, back=person.profile_path(account)))


async def _named(request: Request, ports: Ports) -> Person:
    """The person of the path.

    Raises: NotFound, also where they are suspended.
    """
    account = await accounts.find_handle(ports, request.path_params["name"])
    if account is None:
        raise NotFound
    return await accounts.standing(ports, account.account_id)


async def _relation(request: Request, ports: Ports, account: Account) -> Relation | None:
    if request.session is None or account.account_id == request.account_id:
        return None
    found = await follows.relationships(ports, actor=request.account, ids=[account.account_id])
    return found[0] if found else None


ROUTES = [
    Route("GET", "/@{name}", profile, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", "/@{name}/followers", followers, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", "/@{name}/following", following, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
]
