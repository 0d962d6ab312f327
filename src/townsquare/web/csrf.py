"""Forms are taken only from our own pages: a token bound to the browser's cookie, and a look at where it comes from.

Box: web.
"""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from townsquare.model.errors import Forbidden
from townsquare.social.ports import Ports
from townsquare.social.server_values import value_made_once
from townsquare.web.cookies import PRE_SESSION, SESSION, cookie_of, set_cookie
from townsquare.web.routes import Request

FIELD = "csrf"  # the form field that holds the token
_KEY_NAME = "web_secret_key"
_REFUSED = "This form is too old or comes from elsewhere. Go back, reload the page and try again."


async def server_key(ports: Ports) -> bytes:
    """The server's secret key. Cost: none where this process knows it."""
    return await value_made_once(ports, _KEY_NAME, lambda: secrets.token_bytes(32))


def csrf_token(request: Request) -> str:
    """The token for a form on the page that answers this request; who has no session gets a cookie to bind it to."""
    bound_to = _bound_to(request)
    if not bound_to:
        bound_to = secrets.token_urlsafe(16)
        set_cookie(request, PRE_SESSION, bound_to, max_age_s=None)
        request.cookies = {**request.cookies, PRE_SESSION: bound_to, f"__Host-{PRE_SESSION}": bound_to}
    return _token(request.secret_key, bound_to)


def check_csrf(request: Request) -> None:
    """Refuse a form that does not come from one of our own pages.

    Raises: Forbidden.
    """
    if not is_same_origin(request.headers.get("origin"), request.headers.get("sec-fetch-site"), request=request):
        raise Forbidden(_REFUSED)
    bound_to, given = _bound_to(request), request.params.pop(FIELD, "")
    if not (bound_to and isinstance(given, str) and given.isascii()):
        raise Forbidden(_REFUSED)
    if not hmac.compare_digest(given, _token(request.secret_key, bound_to)):
        raise Forbidden(_REFUSED)


def is_same_origin(origin: str | None, fetch_site: str | None, *, request: Request) -> bool:
    """Whether a browser says that our own page made this request; true where it says nothing."""
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        return False
    if origin is None:
        return True
    return origin == request.base_url or urlsplit(origin).netloc == request.headers.get("host") != ""


def _bound_to(request: Request) -> str:
    if request.session is not None:
        return cookie_of(request, SESSION)
    return cookie_of(request, PRE_SESSION)


def _token(key: bytes, bound_to: str) -> str:
    return hmac.new(key, b"csrf:" + bound_to.encode(), hashlib.sha256).hexdigest()
