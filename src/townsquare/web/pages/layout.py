"""The frame of every page: head, title, one column, and the headers that keep a page safe.

Box: web.
"""

from collections.abc import Mapping
from importlib.resources import files

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.social.ports import Ports
from townsquare.web.csrf import FIELD, csrf_token
from townsquare.web.routes import Access, CacheClass, Limit, Request, Response, Route

STYLE_PATH = "/assets/plain.css"
HTML = "text/html; charset=utf-8"


def page(
    title: str,
    body: Markup,
    *,
    request: Request,
    status: int = 200,
    form_targets: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
) -> Response:
    """A whole page. `form_targets`: origins that a form on it may end at, besides our own."""
    document = join(
        Markup("<!doctype html>"),
        tag(
            "html",
            tag(
                "head",
                tag("meta", charset="utf-8"),
                tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
                tag("meta", name="color-scheme", content="light dark"),
                tag("title", title),
                tag("link", rel="stylesheet", href=STYLE_PATH),
            ),
            tag("body", tag("main", tag("h1", title), body)),
            lang="en",
        ),
    )
    return Response(
        document.encode("utf-8", "replace"),
        status,
        content_type=HTML,
        headers=(
            ("content-security-policy", policy(form_targets)),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            *headers,
        ),
    )


def policy(form_targets: tuple[str, ...] = ()) -> str:
    """The Content-Security-Policy of pages: nothing inline, nothing from elsewhere, no frames."""
    targets = " ".join(("'self'", *form_targets))
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
        f"connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {targets}"
    )


def redirect(to: str, *, status: int = 303) -> Response:
    """Send the browser on. `to` is one of our own paths, or an address that was checked where it came from."""
    return Response(b"", status, content_type=HTML, headers=(("location", to),))


def own_path(path: str, *, otherwise: str = "/") -> str:
    """The path, if it can only lead to ourselves, else `otherwise`."""
    plain = path.isascii() and path.isprintable() and not any(char in path for char in "\\ ")
    return path if plain and path.startswith("/") and not path.startswith("//") else otherwise


def form(request: Request, *children: Child, action: str, method: str = "post", hidden: Mapping[str, str]) -> Markup:
    """A form with its token against forgery and its hidden values."""
    values = {FIELD: csrf_token(request), **hidden} if method == "post" else hidden
    fields = [tag("input", type="hidden", name=name, value=value) for name, value in values.items()]
    return tag("form", *fields, *children, method=method, action=action)


def field(label: str, name: str, *, kind: str = "text", value: str = "", hint: str = "", fill: str = "") -> Markup:
    """A labelled input that must be filled in. `fill`: what browsers may fill it with (`autocomplete`)."""
    described = f"{name}-hint" if hint else None
    return tag(
        "p",
        tag("label", label, for_=name),
        tag(
            "input", id=name, name=name, type=kind, value=value, required=True, autocomplete=fill or None,
            autocapitalize="none" if kind in ("text", "email") else None, aria_describedby=described,
        ),
        tag("small", hint, id=described) if hint else None,
    )  # fmt: skip


def button(label: str, *, name: str | None = None, value: str | None = None, quiet: bool = False) -> Markup:
    """A button that sends its form."""
    return tag("button", label, type="submit", name=name, value=value, class_="quiet" if quiet else None)


def notice(words: str, *, is_error: bool = False) -> Markup:
    """A sentence above a form."""
    return tag("p", words, class_="error" if is_error else "notice", role="alert" if is_error else "status")


async def style(request: Request, ports: Ports) -> Response:
    """The style of plain pages."""
    return Response((files(__package__) / "plain.css").read_bytes(), content_type="text/css; charset=utf-8")


ROUTES = [Route("GET", STYLE_PATH, style, access=Access.PUBLIC, limit=Limit.NONE, cache=CacheClass.INSTANCE)]
