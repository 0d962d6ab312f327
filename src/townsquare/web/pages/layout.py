"""The outermost frame of every page, and of small ones that hold one form: head, title, what keeps a page safe.

Box: web.
"""

from collections.abc import Mapping

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.kit.urls import Base, with_files
from townsquare.web.cookies import cookie_of
from townsquare.web.csrf import FIELD, csrf_token
from townsquare.web.pages.assets import FAVICON, SCRIPT, STYLE, THEME_COLOURS, address
from townsquare.web.policy import page_policy
from townsquare.web.routes import Request, Response

HTML = "text/html; charset=utf-8"
THEME, COUNTS, KEYS = "theme", "counts", "keys"  # cookies: how the pages shall look
THEMES = ("auto", "light", "dark")


def document(request: Request | None, title: str, body: Child, *, head: Child = None) -> bytes:
    """A whole page. `head`: what else stands in its head."""
    light, dark = THEME_COLOURS
    theme = cookie_of(request, THEME) if request else ""
    whole = join(
        Markup("<!doctype html>"),
        tag(
            "html",
            tag(
                "head",
                tag("meta", charset="utf-8"),
                tag("meta", name="viewport", content="width=device-width, initial-scale=1, viewport-fit=cover"),
                tag("title", title),
                tag("meta", name="theme-color", content=light, media="(prefers-color-scheme: light)"),
                tag("meta", name="theme-color", content=dark, media="(prefers-color-scheme: dark)"),
                tag("link", rel="stylesheet", href=address(STYLE)),
                tag("link", rel="icon", href=address(FAVICON), type="image/svg+xml"),
                tag("link", rel="manifest", href="/manifest.json"),
                tag("script", src=address(SCRIPT), type="module"),
                head,
            ),
            tag("body", body),
            lang="en",
            data_theme=theme if theme in THEMES else None,
            data_counts="off" if request and cookie_of(request, COUNTS) == "off" else None,
            data_keys="off" if request and cookie_of(request, KEYS) == "off" else None,
        ),
    )
    return with_files(whole, request.base_url if request else "").encode("utf-8", "replace")


def page(
    title: str,
    body: Markup,
    *,
    request: Request,
    status: int = 200,
    form_targets: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
) -> Response:
    """A small page with one thing to do. `form_targets`: origins that a form on it may end at, besides our own."""
    return Response(
        document(request, title, single(title, body)),
        status,
        content_type=HTML,
        headers=(
            ("content-security-policy", page_policy(form_targets, files=_files(request))),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            *headers,
        ),
    )


def _files(request: Request) -> tuple[str, ...]:
    base = request.base_url
    return (base.elsewhere,) if isinstance(base, Base) and base.elsewhere else ()


def single(title: str, body: Child) -> Markup:
    """The body of a small page: one panel in the middle."""
    logo = tag("img", src=address(FAVICON), alt="", width=24, height=24)
    return join(
        tag("header", tag("a", logo, "Townsquare", href="/"), class_="masthead"),
        tag("main", tag("h1", title), body, class_="single"),
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
    return tag("form", hidden_fields(values), *children, method=method, action=action)


def hidden_fields(values: Mapping[str, str]) -> Markup:
    """Hidden inputs."""
    return join([tag("input", type="hidden", name=name, value=value) for name, value in values.items()])


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
