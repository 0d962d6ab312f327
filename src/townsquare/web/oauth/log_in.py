"""Log in and out, by forms.

Box: web.
"""

from townsquare.kit.emails import email_hash, parse_email
from townsquare.kit.html import join, tag
from townsquare.model.errors import Forbidden, Invalid
from townsquare.social import users
from townsquare.social.ports import Ports
from townsquare.social.tokens import revoke_token
from townsquare.web.auth import SIGN_IN_PATH
from townsquare.web.limits import count_log_in
from townsquare.web.oauth import browser
from townsquare.web.oauth.browser import FORM_BYTES, return_path, typed
from townsquare.web.pages.layout import button, field, form, notice, page, redirect
from townsquare.web.routes import Access, CacheClass, Limit, Request, Response, Route


async def show(request: Request, ports: Ports) -> Response:
    """The log-in form."""
    if request.session is not None and "again" not in request.params:
        return redirect(return_path(request))
    return _page(request, words="Your e-mail address is confirmed. Log in to begin." if _is_fresh(request) else "")


async def submit(request: Request, ports: Ports) -> Response:
    """Log in, if name and password are right."""
    login, password = typed(request, "login"), typed(request, "password")
    await count_log_in(ports, request, await _bucket(ports, login))
    try:
        account, _ = await users.authenticate(ports, login=login, password=password)
    except Invalid as error:
        return _page(request, error=str(error), login=login, status=422)
    except Forbidden as error:
        return _page(request, error=str(error), login=login, status=403)
    await browser.begin(request, ports, account)
    return redirect(return_path(request))


async def _bucket(ports: Ports, login: str) -> str:
    """The name under which tries are counted: one account, one name, however it is typed."""
    account_id = await users.find_login(ports, login)
    address = parse_email(login)
    return str(account_id) if account_id else email_hash(address).hex()[:32] if address else login.lower()[:64]


async def sign_out(request: Request, ports: Ports) -> Response:
    """Log out: the session's token ends, the cookie goes."""
    if request.session is not None:
        await revoke_token(ports, request.session.token)
    browser.end(request)
    return redirect("/")


def _is_fresh(request: Request) -> bool:
    return "confirmed" in request.params


def _page(request: Request, *, words: str = "", error: str = "", login: str = "", status: int = 200) -> Response:
    unconfirmed = tag("p", tag("a", "Send the link again", href="/auth/confirmation"))
    body = join(
        notice(words) if words else None,
        notice(error, is_error=True) if error else None,
        unconfirmed if error == users.UNCONFIRMED else None,
        form(
            request,
            field("E-mail address or username", "login", value=login[:254], fill="username"),
            field("Password", "password", kind="password", fill="current-password"),
            button("Log in"),
            action=SIGN_IN_PATH,
            hidden={"next": return_path(request)},
        ),
        tag("p", tag("a", "Forgot your password?", href="/auth/password/new")),
        tag("p", "No account yet? ", tag("a", "Sign up", href="/auth/sign_up")),
    )
    return page("Log in", body, request=request, status=status)


ROUTES = [
    Route("GET", SIGN_IN_PATH, show, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
    Route(
        "POST", SIGN_IN_PATH, submit, access=Access.PUBLIC, limit=Limit.LOG_IN, cache=CacheClass.PAGE, html=True,
        body_limit_bytes=FORM_BYTES,
    ),
    Route(
        "POST", "/auth/sign_out", sign_out, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True,
        body_limit_bytes=FORM_BYTES,
    ),
]  # fmt: skip
