"""Pages in the frame that all share: where one can go, the column in the middle, the panel beside it.

Box: web. Every button of a page that does something at once belongs to its one form, `act`.
"""

from dataclasses import dataclass
from urllib.parse import quote

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.model.account import Account
from townsquare.social.notifications import NoticeFilter, unread_count
from townsquare.social.ports import Ports
from townsquare.web.csrf import FIELD, csrf_token
from townsquare.web.pages.icons import icon, sprite
from townsquare.web.pages.layout import HTML, document, hidden_fields
from townsquare.web.pages.parts import person
from townsquare.web.routes import Request, Response

MOST_UNREAD = 99
LATE_MS = 3_000
_SIGN_IN, _SIGN_UP = "/auth/sign_in", "/auth/sign_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What stands in the frame. `live`: the stream that keeps the page new, as a query for `/live`."""

    title: str
    body: Child
    bar: Child = None  # under the title: tabs
    head: Child = None  # of the document
    place: str = ""  # where in the list of places this is
    live: str = ""
    back: str = ""  # a path, where the page hangs below another
    status: int = 200
    is_broad: bool = False  # takes the room of the panel beside it


async def show(request: Request, ports: Ports, view: View) -> Response:
    """The whole page."""
    unread = 0
    if request.session is not None and view.place != "notifications":
        unread = await unread_count(ports, actor=request.account, wanted=NoticeFilter(), limit=MOST_UNREAD)
    title = ports.settings.title
    whole = f"{view.title} · {title}" if view.title != title else title
    body = join(
        sprite(),
        tag("a", "Skip to content", href="#content", class_="skip"),
        tag(
            "div",
            _rail(request, view, unread),
            _column(request, ports, view),
            None if view.is_broad else _side(request, ports),
            class_="frame broad" if view.is_broad else "frame",
        ),
        _act_form(request),
    )
    return Response(document(request, whole, body, head=view.head), view.status, content_type=HTML)


def here(request: Request) -> str:
    """The path and query of this page."""
    query = f"?{request.query_string}" if request.query_string else ""
    return quote(request.path, safe="/@:~") + query


def _act_form(request: Request) -> Markup | None:
    if request.session is None:
        return None
    back = here(request) if request.method == "GET" else "/"
    fields = hidden_fields({FIELD: csrf_token(request), "back": back})
    return tag("form", fields, id="act", method="post", action="/do/nothing", hidden=True)


def _column(request: Request, ports: Ports, view: View) -> Markup:
    live = None
    if request.session is not None:
        after = ports.clock.now_ms() - LATE_MS << 16  # what is posted while this page is made is not missed
        live = f"/live?{view.live or 'on=notices'}&after={after}"
    back = tag("a", icon("back"), href=view.back, class_="back", aria_label="Back") if view.back else None
    return tag(
        "main",
        tag("div", back, tag("h1", tag("bdi", view.title)), class_="top"),
        view.bar,
        view.body,
        id="content",
        class_="column",
        tabindex=-1,
        data_live=live,
    )


def _rail(request: Request, view: View, unread: int) -> Markup:
    session = request.session
    account = session.account if session else None
    places = _places(account, unread) if account is not None else _open_places()
    entries = [
        tag(
            "li",
            tag(
                "a",
                icon(shape),
                tag("span", words, class_="label"),
                extra,
                href=path,
                aria_current="page" if key == view.place else None,
                class_="go",
                data_key=key,
            ),
            class_="wide" if wide else None,
        )
        for key, shape, words, path, wide, extra in places
    ]
    brand = tag("li", tag("a", icon("square"), tag("span", "Townsquare", class_="label"), href="/"), class_="brand")
    log_out = None
    if account is not None:
        words = tag("span", "Log out", class_="label")
        button = tag("button", icon("logout"), words, type="submit", form="act", formaction="/auth/sign_out",
                     class_="link")  # fmt: skip
        log_out = tag("li", button, class_="wide")
    return tag("nav", tag("ul", brand, entries, log_out), class_="rail", aria_label="Main")


Place = tuple[str, str, str, str, bool, Child]


def _places(account: Account, unread: int) -> list[Place]:
    return [
        ("home", "home", "Home", "/", False, None),
        ("local", "town", "Local", "/local", True, None),
        ("search", "search", "Search", "/search", False, None),
        ("compose", "write", "Write", "/compose", False, None),
        ("notifications", "bell", "Notifications", "/notifications", False, _badge(unread)),
        ("profile", "person", "Profile", person.profile_path(account), False, None),
        ("favourites", "fave", "Favourites", "/favourites", True, None),
        ("bookmarks", "bookmark", "Bookmarks", "/bookmarks", True, None),
        ("settings", "settings", "Settings", "/settings", True, None),
    ]


def _open_places() -> list[Place]:
    return [
        ("home", "home", "Welcome", "/", False, None),
        ("local", "town", "Local", "/local", False, None),
        ("search", "search", "Search", "/search", False, None),
        ("sign_in", "person", "Log in", _SIGN_IN, False, None),
    ]


def _badge(unread: int) -> Markup:
    words = f"{unread}" if unread < MOST_UNREAD else f"{MOST_UNREAD}+"
    return tag(
        "span",
        tag("span", words if unread else "", data_unread=True),
        tag("span", " new", class_="visually-hidden"),
        class_="badge",
        hidden=not unread,
    )


def _side(request: Request, ports: Ports) -> Markup:
    settings = ports.settings
    enter = None
    if request.session is None:
        enter = tag(
            "p",
            tag("a", "Sign up", href=_SIGN_UP, class_="button") if settings.sign_ups else None,
            tag("a", "Log in", href=_SIGN_IN, class_="button quiet"),
            class_="row",
        )
    find = tag(
        "form",
        tag("label", "Search", for_="side-search", class_="visually-hidden"),
        tag("input", type="search", id="side-search", name="q", placeholder="Search", maxlength=500),
        method="get",
        action="/search",
        role="search",
    )
    about = tag(
        "section",
        tag("h2", settings.title),
        tag("p", settings.description),
        enter,
        class_="panel",
        aria_label="About this server",
    )
    links = tag(
        "p",
        tag("a", "About", href="/about"), " · ", tag("a", "Privacy", href="/privacy-policy"),
        class_="meta",
    )  # fmt: skip
    return tag("aside", tag("div", find if request.session else None, about, links), class_="side",
               aria_label="Beside the page")  # fmt: skip


def tabs(entries: list[tuple[str, str, bool]], *, label: str) -> Markup:
    """Pages of one kind: (words, path, whether it is this one)."""
    links = [tag("a", words, href=path, aria_current="page" if is_here else None) for words, path, is_here in entries]
    return tag("nav", links, class_="tabs", aria_label=label)


def empty(words: str, *, action: tuple[str, str] | None = None) -> Markup:
    """Why there is nothing, and what to do about it: (words, path)."""
    return tag(
        "div",
        tag("p", words),
        tag("p", tag("a", action[0], href=action[1], class_="button quiet")) if action else None,
        class_="empty",
    )


def pager(request: Request, *, older: int | None = None, newer: int | None = None) -> Markup | None:
    """Links to the pages of older and of newer things, by the id at this page's edge."""
    path = quote(request.path, safe="/@:~")
    kept = _kept(request)
    links = [
        tag("a", words, href=f"{path}?{kept}{name}={value}", rel=rel, class_="button quiet")
        for words, name, value, rel in (("Newer", "min_id", newer, "prev"), ("Older", "max_id", older, "next"))
        if value
    ]
    return tag("nav", links, class_="pager", aria_label="Pages") if links else None


def _kept(request: Request) -> str:
    """What else the query says: the words of a search, the tab."""
    kept = [(name, request.params[name]) for name in ("q", "type", "tab") if request.params.get(name)]
    return "".join(f"{name}={quote(value, safe='')}&" for name, value in kept if isinstance(value, str))
