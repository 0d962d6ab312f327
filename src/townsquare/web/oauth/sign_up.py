"""Sign up by a form, and become the owner by a link.

Box: web.
"""

from townsquare.kit.html import Markup, join, tag
from townsquare.model.errors import Forbidden, Invalid
from townsquare.social import links, users
from townsquare.social.ports import Ports
from townsquare.web.auth import SIGN_IN_PATH
from townsquare.web.oauth import browser
from townsquare.web.oauth.browser import FORM_BYTES, typed
from townsquare.web.pages.layout import button, field, form, notice, page, redirect
from townsquare.web.routes import Access, CacheClass, Limit, Request, Response, Route

_PATH = "/auth/sign_up"


async def show(request: Request, ports: Ports) -> Response:
    """The sign-up form."""
    if not ports.settings.sign_ups:
        return page("Sign up", notice("Sign-ups are closed on this server."), request=request, status=403)
    return _page(request, ports)


async def submit(request: Request, ports: Ports) -> Response:
    """Sign up. Where addresses are confirmed, the answer does not tell whether the address was known already."""
    if not ports.settings.sign_ups:
        raise Forbidden("Sign-ups are closed on this server")
    try:
        account, user = await users.sign_up(
            ports,
            username=typed(request, "username"),
            email=typed(request, "email"),
            password=typed(request, "password"),
            agreed=bool(typed(request, "agreement")),
        )
    except Invalid as error:
        if not await _is_only_known_address(ports, request, error):
            return _page(request, ports, error=error, status=422)
        await links.ask_for_mail(ports, kind="taken", email=typed(request, "email"))
        return _check_your_mail(request)
    if not user.confirmed:
        return _check_your_mail(request)
    await browser.begin(request, ports, account)
    return redirect("/")


async def _is_only_known_address(ports: Ports, request: Request, error: Invalid) -> bool:
    """Whether the address is taken, nothing else is wrong, and the asker must not learn it."""
    if ports.settings.test_mode or not ports.settings.confirm_email:
        return False
    codes = {name: faults[0][0] for name, faults in (error.details or {}).items()}
    return codes == {"email": "ERR_TAKEN"} and not await users.find_login(ports, typed(request, "username"))


def _check_your_mail(request: Request) -> Response:
    words = "We have sent you a mail. Open the link in it to confirm your address; then you can log in."
    again = tag("p", "Nothing came? ", tag("a", "Send the link again", href="/auth/confirmation"))
    return page("Check your mail", join(notice(words), again), request=request)


async def show_owner(request: Request, ports: Ports) -> Response:
    """The form that the link of the first start leads to."""
    await links.check_no_owner(ports)
    await links.look_at(ports, kind=links.OWNER, secret=request.path_params["secret"])
    return _owner_page(request)


async def submit_owner(request: Request, ports: Ports) -> Response:
    """Sign up as the server's owner."""
    try:
        account, _ = await links.become_owner(
            ports,
            secret=request.path_params["secret"],
            username=typed(request, "username"),
            email=typed(request, "email"),
            password=typed(request, "password"),
            agreed=bool(typed(request, "agreement")),
        )
    except Invalid as error:
        return _owner_page(request, error=error, status=422)
    await browser.begin(request, ports, account)
    return redirect("/")


def _page(request: Request, ports: Ports, *, error: Invalid | None = None, status: int = 200) -> Response:
    rules = ports.settings.rules
    body = join(
        tag("p", "The rules here:") if rules else None,
        tag("ul", [tag("li", rule) for rule in rules]) if rules else None,
        _form(request, _PATH, error),
        tag("p", "Have an account? ", tag("a", "Log in", href=SIGN_IN_PATH)),
    )
    return page("Sign up", body, request=request, status=status)


def _owner_page(request: Request, *, error: Invalid | None = None, status: int = 200) -> Response:
    words = tag("p", "This server has no owner yet. Whoever signs up here becomes it.")
    return page("Become the owner", join(words, _form(request, request.path, error)), request=request, status=status)


def _form(request: Request, action: str, error: Invalid | None) -> Markup:
    return join(
        notice(str(error).removeprefix("Validation failed: "), is_error=True) if error else None,
        form(
            request,
            field("Username", "username", value=typed(request, "username")[:30], fill="username",
                  hint="Letters, digits and underscores, at most 30"),
            field("E-mail address", "email", kind="email", value=typed(request, "email")[:254], fill="email"),
            field("Password", "password", kind="password", fill="new-password", hint="At least 8 characters"),
            tag("p", tag("label", tag("input", type="checkbox", name="agreement", value="1", required=True),
                         tag("span", "I agree to the rules of this server"), class_="check")),
            button("Sign up"),
            action=action,
            hidden={},
        ),
    )  # fmt: skip


ROUTES = [
    Route("GET", _PATH, show, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
    Route(
        "POST", _PATH, submit, access=Access.PUBLIC, limit=Limit.SIGN_UP, cache=CacheClass.PAGE, html=True,
        body_limit_bytes=FORM_BYTES,
    ),
    Route("GET", "/owner/{secret}", show_owner, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
    Route(
        "POST", "/owner/{secret}", submit_owner, access=Access.PUBLIC, limit=Limit.SIGN_UP, cache=CacheClass.PAGE,
        html=True, body_limit_bytes=FORM_BYTES,
    ),
]  # fmt: skip
