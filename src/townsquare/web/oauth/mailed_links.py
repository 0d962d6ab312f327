"""What links in mails lead to: confirm an address, choose a new password; and the forms that ask for such a mail.

Box: web. An asker never learns whether an address is known here.
"""

from townsquare.kit.html import join, tag
from townsquare.model.errors import Invalid
from townsquare.social import links
from townsquare.social.ports import Ports
from townsquare.web.auth import SIGN_IN_PATH
from townsquare.web.oauth.browser import FORM_BYTES, typed
from townsquare.web.pages.layout import button, field, form, notice, page, redirect
from townsquare.web.routes import Access, CacheClass, Limit, Request, Response, Route

_CONFIRMATION = "/auth/confirmation"
_CONFIRM = "/auth/confirmation/confirm"
_PASSWORD = "/auth/password"
_NEW_PASSWORD = "/auth/password/new"
_EDIT_PASSWORD = "/auth/password/edit"
_SENT = "If this address belongs to an account here, a mail is on its way to it."


async def confirmation(request: Request, ports: Ports) -> Response:
    """The button that confirms an address, since programs that scan mails open links; without a secret, the form that
    asks for the mail again."""
    secret = typed(request, "confirmation_token")
    if not secret:
        return _ask(request, "Send the link again", _CONFIRMATION)
    row = await links.look_at(ports, kind=links.CONFIRM, secret=secret)
    body = join(
        tag("p", "Is ", tag("strong", row.email), " your address?"),
        form(request, button("Confirm"), action=_CONFIRM, hidden={"confirmation_token": secret}),
    )
    return page("Confirm your e-mail address", body, request=request)


async def confirm(request: Request, ports: Ports) -> Response:
    """Confirm an address by the link's secret."""
    await links.confirm_email(ports, secret=typed(request, "confirmation_token"))
    return redirect(f"{SIGN_IN_PATH}?confirmed=1")


async def resend_confirmation(request: Request, ports: Ports) -> Response:
    """Send the mail with the confirmation link again."""
    await links.ask_for_mail(ports, kind=links.CONFIRM, email=typed(request, "email"))
    return page("Check your mail", notice(_SENT), request=request)


async def forgot(request: Request, ports: Ports) -> Response:
    """The form for those who forgot their password."""
    return _ask(request, "Forgot your password?", _PASSWORD)


async def send_reset(request: Request, ports: Ports) -> Response:
    """Send a link to choose a new password with."""
    await links.ask_for_mail(ports, kind=links.RESET, email=typed(request, "email"))
    return page("Check your mail", notice(_SENT), request=request)


async def choose(request: Request, ports: Ports) -> Response:
    """The form for the new password."""
    await links.look_at(ports, kind=links.RESET, secret=typed(request, "token"))
    return _choose_page(request)


async def set_new(request: Request, ports: Ports) -> Response:
    """Set the new password. All sessions and tokens of the account end."""
    try:
        await links.reset_password(ports, secret=typed(request, "token"), password=typed(request, "password"))
    except Invalid as error:
        return _choose_page(request, error=str(error).removeprefix("Validation failed: "), status=422)
    done = join(
        notice("Your password is changed. All other sessions were logged out."),
        tag("p", tag("a", "Log in", href=SIGN_IN_PATH)),
    )
    return page("Password changed", done, request=request)


def _ask(request: Request, title: str, action: str) -> Response:
    entry = field("E-mail address", "email", kind="email", fill="email")
    body = form(request, entry, button("Send the mail"), action=action, hidden={})
    return page(title, body, request=request)


def _choose_page(request: Request, *, error: str = "", status: int = 200) -> Response:
    body = join(
        notice(error, is_error=True) if error else None,
        form(
            request,
            field("New password", "password", kind="password", fill="new-password", hint="At least 8 characters"),
            button("Set the password"),
            action=_EDIT_PASSWORD,
            hidden={"token": typed(request, "token")},
        ),
    )
    return page("Choose a new password", body, request=request, status=status)


ROUTES = [
    Route("GET", _CONFIRMATION, confirmation, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
    Route(
        "POST", _CONFIRMATION, resend_confirmation, access=Access.PUBLIC, limit=Limit.SIGN_UP, html=True,
        cache=CacheClass.PAGE, body_limit_bytes=FORM_BYTES,
    ),
    Route(
        "POST", _CONFIRM, confirm, access=Access.PUBLIC, limit=Limit.LOG_IN, html=True,
        cache=CacheClass.PAGE, body_limit_bytes=FORM_BYTES,
    ),
    Route("GET", _NEW_PASSWORD, forgot, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
    Route(
        "POST", _PASSWORD, send_reset, access=Access.PUBLIC, limit=Limit.SIGN_UP, html=True,
        cache=CacheClass.PAGE, body_limit_bytes=FORM_BYTES,
    ),
    Route("GET", _EDIT_PASSWORD, choose, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
    Route(
        "POST", _EDIT_PASSWORD, set_new, access=Access.PUBLIC, limit=Limit.LOG_IN, html=True,
        cache=CacheClass.PAGE, body_limit_bytes=FORM_BYTES,
    ),
]  # fmt: skip
