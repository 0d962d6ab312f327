"""Errors as pages: what happened in a sentence, and where to go from there.

Box: web.
"""

from townsquare.kit.html import tag
from townsquare.web.pages.layout import document, single
from townsquare.web.routes import Request

_TITLES = {
    400: "This cannot be read",
    403: "This is not for you to do",
    404: "Not found",
    413: "Too large",
    422: "This cannot be done",
    429: "Slow down a little",
    503: "Just a moment",
}
_WORDS = {
    404: "There is no such page here, or it is not for you to see.",
    429: "Too many requests came from you in a short time. Wait a few minutes and try again.",
}
_NOT_KNOWN = "Something went wrong"


def error_page(request: Request | None, status: int, message: str) -> bytes:
    """An error as a page. It reads nothing, so that it can be shown whatever is broken."""
    words = _WORDS.get(status) or message.removeprefix("Validation failed: ")
    body = (
        tag("p", words),
        tag("p", tag("a", "Go home", href="/", class_="button quiet")),
        tag("p", tag("small", f"Request {request.request_id}")) if request and status >= 500 else None,
    )
    title = _TITLES.get(status, _NOT_KNOWN)
    return document(request, title, single(title, body))
