"""The first page of who is not signed in, and what is said about the server and about privacy.

Box: web.
"""

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.model.paging import Window
from townsquare.social import timelines
from townsquare.social.ports import Ports
from townsquare.web.pages.frame import View, empty, show
from townsquare.web.pages.parts.post import feed
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

_NEWEST = 20


async def welcome(request: Request, ports: Ports) -> Response:
    """What this place is, how to come in, and what people here wrote last."""
    settings = ports.settings
    page = await timelines.public(ports, 0, Window(limit=_NEWEST))
    enter = tag(
        "p",
        tag("a", "Sign up", href="/auth/sign_up", class_="button") if settings.sign_ups else None,
        tag("a", "Log in", href="/auth/sign_in", class_="button quiet"),
        class_="row",
    )
    closed = None if settings.sign_ups else tag("p", "Sign-ups are closed just now.", class_="meta")
    hero = tag("section", tag("p", settings.description, class_="lead"), enter, closed, _rules(ports), class_="hero",
               aria_label="Welcome")  # fmt: skip
    newest = feed(page.views, label="Newest posts", now_ms=ports.clock.now_ms())
    head = _cards(ports)
    body = join(
        hero,
        tag("h2", "Newest posts", class_="section"),
        newest if page.views else empty("Nobody has posted anything yet. You could be the first."),
        tag("p", tag("a", "More posts", href="/local", class_="button quiet"), class_="pager") if page.views else None,
    )
    return await show(request, ports, View(title=settings.title, body=body, place="home", head=head))


def _cards(ports: Ports) -> Markup:
    settings = ports.settings
    return join(
        tag("meta", name="description", content=settings.description),
        tag("meta", property="og:title", content=settings.title),
        tag("meta", property="og:description", content=settings.description),
        tag("meta", property="og:type", content="website"),
        tag("meta", property="og:url", content=f"{settings.url}/"),
        tag("link", rel="canonical", href=f"{settings.url}/"),
    )


def _rules(ports: Ports) -> Child:
    rules = ports.settings.rules
    if not rules:
        return None
    return tag(
        "details", tag("summary", "The rules here"), tag("ol", [tag("li", rule) for rule in rules]), class_="rules"
    )


async def about(request: Request, ports: Ports) -> Response:
    """What the server is, who runs it, its rules."""
    settings = ports.settings
    contact = settings.contact_email
    body = tag(
        "div",
        tag("p", settings.description, class_="lead"),
        tag("h2", "Rules"),
        tag("ol", [tag("li", rule) for rule in settings.rules]) if settings.rules else tag("p", "Be kind."),
        tag("h2", "Contact"),
        tag("p", tag("a", contact, href=f"mailto:{contact}")) if contact else tag("p", "Ask the server's owner."),
        tag("h2", "Program"),
        tag("p", "This server runs Townsquare. Any app that speaks the Mastodon API can be used with it."),
        class_="pad prose",
    )
    return await show(request, ports, View(title=f"About {settings.title}", body=body))


async def privacy(request: Request, ports: Ports) -> Response:
    """What is kept of whom, and who sees it."""
    body = tag(
        "div",
        [tag("section", tag("h2", title), [tag("p", words) for words in paragraphs]) for title, paragraphs in _PRIVACY],
        class_="pad prose",
    )
    return await show(request, ports, View(title="Privacy", body=body))


_PRIVACY: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "What is kept",
        (
            "Your name, e-mail address and a hash of your password; what you write in your profile; your posts, their "
            "pictures without the place and camera data that files can hold; whom you follow, block and mute; what "
            "you mark as a favourite or keep as a bookmark.",
        ),
    ),
    (
        "Who sees it",
        (
            "Public and quiet posts: everybody. Posts for followers: those who follow you and those you mention. "
            "Posts for people mentioned: you and they. Bookmarks, blocks, mutes and your e-mail address: you alone, "
            "and whoever runs this server.",
        ),
    ),
    (
        "What is counted",
        (
            "So that nobody can overrun the server, requests are counted by network address for at most half an hour. "
            "Addresses are not kept with what people write.",
        ),
    ),
    (
        "What is not done",
        (
            "There is no advertising, no tracking and nothing loaded from other sites. Cookies keep you signed in and "
            "remember how you want pages to look.",
        ),
    ),
    ("How to end it", ("Posts that you delete are gone at once, their pictures within a day.",)),
)


ROUTES = [
    Route("GET", "/about", about, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
    Route("GET", "/privacy-policy", privacy, access=Access.PUBLIC, cache=CacheClass.OPEN_PAGE, html=True),
]
