"""A mark that a browser keeps after a log-in: it has a bucket of its own when others guess at the account's password.

Box: web. Source: OWASP, slow down online guessing attacks with device cookies
"""

import hashlib
import hmac

from townsquare.web.cookies import KNOWN_DEVICE, cookie_of, set_cookie
from townsquare.web.routes import Request


def is_known_device(request: Request, name: str) -> bool:
    """Whether this browser has signed in to the account `name` before."""
    mark = cookie_of(request, KNOWN_DEVICE)
    return bool(mark and request.secret_key) and hmac.compare_digest(mark.encode(), _mark(request, name).encode())


def remember_device(request: Request, name: str) -> None:
    """Let the browser know that it signed in to the account `name`."""
    if request.secret_key:
        set_cookie(request, KNOWN_DEVICE, _mark(request, name))


def _mark(request: Request, name: str) -> str:
    return hmac.new(request.secret_key, f"known device:{name}".encode(), hashlib.sha256).hexdigest()[:32]
