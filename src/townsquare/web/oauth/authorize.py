"""A person allows a program to act for them, or not.

Box: web. Source: Mastodon API, /methods/oauth/#authorize; RFC 6749, 4.1.1
"""

import re
from urllib.parse import urlencode, urlsplit

from townsquare.kit.html import Markup, join, tag
from townsquare.model.account import Account
from townsquare.render.account import acct
from townsquare.social import apps, grants
from townsquare.social.apps import OUT_OF_BAND
from townsquare.social.grants import Consent
from townsquare.social.ports import Ports
from townsquare.web.oauth.answers import OAuthError, text_param
from townsquare.web.oauth.browser import to_sign_in
from townsquare.web.oauth.token import asked_scopes
from townsquare.web.pages.layout import button, form, notice, page, redirect
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

_PATH = "/oauth/authorize"
_NATIVE = "/oauth/authorize/native"
_STATE_CHARACTERS = 4096
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9.\[\]:-]+")
_FALSE = frozenset({"", "0", "f", "F", "false", "False", "FALSE", "off", "OFF"})
_MEANINGS = {
    "profile": "see who you are",
    "read": "read all that you can read here",
    "write": "post, follow and change things in your name",
    "follow": "change whom you follow, mute and block",
    "push": "receive your notifications",
    "admin:read": "read all that the server's staff can read",
    "admin:write": "do all that the server's staff can do",
}


async def show(request: Request, ports: Ports) -> Response:
    """Ask the person, who must be signed in, whether a program may act for them."""
    try:
        consent = await _read(request, ports)
    except OAuthError as error:
        return _error_page(request, error)
    again = text_param(request, "force_login") not in _FALSE
    if request.session is None or request.session.account is None or again:
        return to_sign_in(f"{_PATH}?{urlencode(_hidden(consent))}", again=again)
    return _page(request, consent, request.session.account)


async def decide(request: Request, ports: Ports) -> Response:
    """The person's answer: the program gets a code, or is told that it was denied."""
    try:
        consent = await _read(request, ports)
    except OAuthError as error:
        return _error_page(request, error)
    if request.session is None or request.session.account is None:
        return to_sign_in(f"{_PATH}?{urlencode(_hidden(consent))}")
    if text_param(request, "decision") == "deny":
        return await deny(request, ports)
    code = await grants.allow(ports, actor=request.session.account, consent=consent)
    if consent.redirect_uri == OUT_OF_BAND:
        return redirect(f"{_NATIVE}?{urlencode({'code': code})}")
    return redirect(_with_query(consent.redirect_uri, {"code": code, "state": consent.state}))


async def deny(request: Request, ports: Ports) -> Response:
    """The person denies what the program asks for."""
    try:
        consent = await _read(request, ports)
    except OAuthError as error:
        return _error_page(request, error)
    denied = OAuthError("access_denied")
    if consent.redirect_uri == OUT_OF_BAND:
        return _error_page(request, denied)
    query = {"error": denied.code, "error_description": denied.description, "state": consent.state}
    return redirect(_with_query(consent.redirect_uri, query))


async def native(request: Request, ports: Ports) -> Response:
    """Show a code, for programs that it must be copied into."""
    code = request.params.get("code", "")
    body = join(
        tag("p", "Copy this code and paste it into the application."),
        tag("code", code if isinstance(code, str) else "", id="code"),
    )
    return page("Authorization code", body, request=request)


async def _read(request: Request, ports: Ports) -> Consent:
    """What is asked for, if it may be.

    Raises: OAuthError, which is shown and never sent to the given address.
    """
    app = await apps.find_app(ports, text_param(request, "client_id"))
    if app is None:
        raise OAuthError("invalid_client", status=401)
    redirect_uri = text_param(request, "redirect_uri")
    if not apps.may_redirect(app, redirect_uri):
        raise OAuthError("invalid_redirect_uri")
    if text_param(request, "response_type") != "code":
        raise OAuthError("unsupported_response_type")
    state, challenge = text_param(request, "state"), text_param(request, "code_challenge")
    if len(state) > _STATE_CHARACTERS:
        raise OAuthError("invalid_request")
    method = text_param(request, "code_challenge_method")
    if (challenge or method) and (method != "S256" or not grants.is_challenge(challenge)):
        raise OAuthError("invalid_code_challenge_method")
    scopes = asked_scopes(app, text_param(request, "scope"))
    return Consent(app=app, redirect_uri=redirect_uri, scopes=scopes, state=state, challenge=challenge)


def _hidden(consent: Consent) -> dict[str, str]:
    """The checked request again, as parameters."""
    values = {
        "response_type": "code",
        "client_id": consent.app.client_id,
        "redirect_uri": consent.redirect_uri,
        "scope": " ".join(consent.scopes),
        "state": consent.state,
        "code_challenge": consent.challenge,
        "code_challenge_method": "S256" if consent.challenge else "",
    }
    return {name: value for name, value in values.items() if value}


def _with_query(uri: str, values: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in values.items() if value})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"


def _page(request: Request, consent: Consent, account: Account) -> Response:
    app = consent.app
    body = join(
        tag("p", tag("strong", app.name), " asks to act for ", tag("strong", f"@{acct(account)}"), ". It could:"),
        tag("ul", [tag("li", _meaning(scope)) for scope in consent.scopes]),
        tag("p", "Its page: ", tag("a", app.website, href=app.website, rel="nofollow noreferrer")) if app.website
        else None,
        form(
            request,
            button("Authorize", name="decision", value="allow"),
            " ",
            button("Deny", name="decision", value="deny", quiet=True),
            action=_PATH,
            hidden=_hidden(consent),
        ),
    )  # fmt: skip
    return page("Authorization required", body, request=request, form_targets=_targets(consent.redirect_uri))


def _meaning(scope: str) -> Markup:
    words = _MEANINGS.get(scope) or scope.replace(":", " ").replace("_", " ")
    return join(words, " (", tag("em", scope), ")")


def _targets(redirect_uri: str) -> tuple[str, ...]:
    """What the consent form may lead to: browsers check the policy after the redirect, too."""
    parts = urlsplit(redirect_uri)
    if parts.scheme in ("http", "https"):
        origin = f"{parts.scheme}://{parts.netloc}"
        return (origin,) if _ORIGIN.fullmatch(origin) else ()
    return () if redirect_uri == OUT_OF_BAND else (f"{parts.scheme}:",)


def _error_page(request: Request, error: OAuthError) -> Response:
    return page("Authorization failed", notice(error.description, is_error=True), request=request, status=error.status)


ROUTES = [
    Route("GET", _PATH, show, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
    Route("POST", _PATH, decide, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
    Route("DELETE", _PATH, deny, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
    Route("GET", _NATIVE, native, access=Access.PUBLIC, cache=CacheClass.PAGE, html=True),
]
