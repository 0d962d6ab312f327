"""Cookies: their names, reading and writing them.

Box: web. Over https all have the `__Host-` prefix, so that no other host of the domain can set them.
"""

from townsquare.web.routes import Request

SESSION = "session"  # the secret of the session's token
PRE_SESSION = "presession"  # what the forms of one who is not signed in are bound to
KNOWN_DEVICE = "known"  # has signed in before

_TWO_YEARS_S = 2 * 365 * 86_400


def cookie_name(name: str, *, base_url: str) -> str:
    """The cookie's full name at this server's address."""
    return f"__Host-{name}" if base_url.startswith("https:") else name


def read_cookies(header: str) -> dict[str, str]:
    """The cookies of a Cookie header; the first of a name wins."""
    cookies: dict[str, str] = {}
    for piece in header.split(";"):
        name, found, value = piece.partition("=")
        if found:
            cookies.setdefault(name.strip(), value.strip().strip('"'))
    return cookies


def cookie_of(request: Request, name: str) -> str:
    """A cookie's value, empty if there is none."""
    return request.cookies.get(cookie_name(name, base_url=request.base_url), "")


def set_cookie(request: Request, name: str, value: str, *, max_age_s: int | None = _TWO_YEARS_S) -> None:
    """Send a cookie with the answer: for this host alone, not for scripts. `max_age_s` None: until the browser ends."""
    secure = request.base_url.startswith("https:")
    full = f"{cookie_name(name, base_url=request.base_url)}={value}; Path=/; HttpOnly; SameSite=Lax"
    age = "" if max_age_s is None else f"; Max-Age={max_age_s}"
    request.made.append(("set-cookie", f"{full}{age}{'; Secure' if secure else ''}"))


def clear_cookie(request: Request, name: str) -> None:
    """Take a cookie away with the answer."""
    set_cookie(request, name, "", max_age_s=0)
