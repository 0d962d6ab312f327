"""Who asks, and whether the route is for them: token, session cookie, scopes, the state of the user.

Box: web. Source: Mastodon API, /api/oauth-scopes/, /client/token/
"""

from collections.abc import Sequence

from townsquare.model.account import Role
from townsquare.model.errors import Forbidden, Invalid, Unauthorized
from townsquare.model.scopes import allows
from townsquare.social.ports import Ports
from townsquare.social.sessions import Session, find_session, session_key
from townsquare.social.users import UNAPPROVED, UNCONFIRMED, closed_reason
from townsquare.web.cookies import SESSION, cookie_of
from townsquare.web.routes import Access, Request, Route

SIGN_IN_PATH = "/auth/sign_in"
MAX_SECRET_LENGTH = 512
MISSING_TOKEN = "Missing access token"
REVOKED = "The access token was revoked"
OUTSIDE_SCOPES = "This action is outside the authorized scopes"
NEEDS_USER = "This method requires an authenticated user"


def token_of(request: Request) -> str:
    """The secret that a request carries: in its header, else in its query; for pages, in its cookie."""
    if request.route.html:
        return cookie_of(request, SESSION)
    header = request.headers.get("authorization")
    if header is not None:
        kind, _, secret = header.partition(" ")
        if kind.lower() == "bearer":
            return secret.strip()
    secret = request.params.pop("access_token", "")
    return secret if isinstance(secret, str) else ""


async def find_caller(ports: Ports, request: Request) -> Session | None:
    """The session behind a request; None where it carries no token (for pages: none that works).

    Raises: Unauthorized for a token that does not work.
    """
    secret = token_of(request)
    if not secret:
        return None
    try:
        return await session_of(ports, secret)
    except Unauthorized:
        if request.route.html:
            return None
        raise


async def session_of(ports: Ports, secret: str) -> Session:
    """The session of a secret.

    Raises: Unauthorized where there is none or it was revoked.
    """
    if len(secret) > MAX_SECRET_LENGTH:
        raise Unauthorized
    return _working(await find_session(ports, session_key(secret)))


async def session_of_hash(ports: Ports, token_hash: bytes) -> Session:
    """As `session_of`, by the hash of the secret.

    Raises: Unauthorized.
    """
    return _working(await find_session(ports, token_hash.hex()))


def _working(session: Session | None) -> Session:
    if session is None:
        raise Unauthorized
    token, account = session.token, session.account
    if token.revoked or (token.account_id and (account is None or session.user is None or account.deleted)):
        raise Unauthorized(REVOKED)
    return session


def admitted(route: Route, session: Session | None) -> Session | None:
    """The session with which the route may be used; see `_admitted`. Streams say Unauthorized in every case.

    Raises: Unauthorized, Forbidden, Invalid.
    """
    if route.access is not Access.STREAM:
        return _admitted(route, session)
    if session is None:
        raise Unauthorized(MISSING_TOKEN)
    try:
        return _admitted(route, session)
    except (Forbidden, Invalid) as exc:
        raise Unauthorized(str(exc)) from exc


def _admitted(route: Route, session: Session | None) -> Session | None:
    """The session with which the route may be used. A public route that no scope guards serves one whose log-in is
    closed like one who is not signed in.

    Raises: Unauthorized, Forbidden, Invalid (an app's own token where a user is needed).
    """
    if session is None:
        if route.access is Access.PUBLIC:
            return None
        raise Unauthorized
    if route.scope and not _is_granted(session.token.scopes, route.scope):
        raise Forbidden(OUTSIDE_SCOPES)
    if session.account is None or session.user is None:
        if route.access is not Access.APP and route.access is not Access.PUBLIC:
            raise Invalid(NEEDS_USER)
        return session
    reason = closed_reason(session.account, session.user)
    if reason and not (route.access is Access.PENDING and reason in (UNCONFIRMED, UNAPPROVED)):
        if route.access is Access.PUBLIC and (not route.scope or route.html):
            return None
        raise Forbidden(reason)
    if route.access is Access.STAFF and session.account.role is Role.USER:
        raise Forbidden
    return session


def _is_granted(granted: Sequence[str], wanted: Sequence[str]) -> bool:
    for scope in wanted:  # the usual cases first: the scope itself, or the whole of `read` or `write`
        if scope in granted or scope.partition(":")[0] in granted:
            return True
    return any(allows(granted, scope) for scope in wanted)
