"""A browser's session: begun by a log-in, kept in a cookie, ended by a log-out.

Box: web.
"""

from urllib.parse import quote

from townsquare.model.account import Account
from townsquare.social.ports import Ports
from townsquare.social.tokens import issue_token
from townsquare.web.auth import SIGN_IN_PATH
from townsquare.web.cookies import PRE_SESSION, SESSION, clear_cookie, set_cookie
from townsquare.web.known_devices import remember_device
from townsquare.web.pages.layout import own_path, redirect
from townsquare.web.routes import Request, Response

SCOPES = ("read", "write", "follow", "push", "profile")
FORM_BYTES = 1 << 16  # of a form to log in, sign up and the like
_MAX_PATH = 8_000


async def begin(request: Request, ports: Ports, account: Account) -> None:
    """Give the browser a session of this account, under a new secret."""
    secret, _ = await issue_token(ports, account_id=account.account_id, app=None, scopes=SCOPES)
    set_cookie(request, SESSION, secret)
    clear_cookie(request, PRE_SESSION)
    remember_device(request, str(account.account_id))


def end(request: Request) -> None:
    """Take the session from the browser."""
    clear_cookie(request, SESSION)


def return_path(request: Request) -> str:
    """Where to go after the log-in: one of our own paths, whatever the parameter says."""
    given = request.params.get("next", "")
    return own_path(given) if isinstance(given, str) and len(given) <= _MAX_PATH else "/"


def to_sign_in(path: str, *, again: bool = False) -> Response:
    """Send the browser to the log-in and from there to `path`. `again`: also if it is signed in."""
    return redirect(f"{SIGN_IN_PATH}?next={quote(path, safe='')}{'&again=1' if again else ''}")


def typed(request: Request, name: str) -> str:
    """What was typed into a field of a form."""
    value = request.params.get(name, "")
    return value if isinstance(value, str) else ""
