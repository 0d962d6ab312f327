"""Settings of the account itself, and how pages look in this browser.

Box: web.
"""

from townsquare.kit.html import Markup, join, tag
from townsquare.model.account import User
from townsquare.model.errors import Invalid
from townsquare.social import users
from townsquare.social.ports import Ports
from townsquare.web.cookies import clear_cookie, cookie_of, set_cookie
from townsquare.web.pages.compose import user_of
from townsquare.web.pages.layout import COUNTS, KEYS, THEME, THEMES, form
from townsquare.web.pages.settings import FORM_BYTES, PATH, saved, settings_page, switch, typed_in
from townsquare.web.routes import CacheClass, Limit, Request, Response, Route

# Look -----------------------------------------------------------------------------------------------------------------


async def edit_look(request: Request, ports: Ports) -> Response:
    """The form for how pages look in this browser."""
    theme = cookie_of(request, THEME) or THEMES[0]
    titles = {"auto": "As the device has it", "light": "Light", "dark": "Dark"}
    choices = [
        tag("label", tag("input", type="radio", name="theme", value=key, checked=key == theme), titles[key],
            class_="check")
        for key in THEMES
    ]  # fmt: skip
    body = form(
        request,
        tag("fieldset", tag("legend", "Colours"), choices),
        tag("fieldset", tag("legend", "More"),
            switch("Hide counts of replies, boosts and favourites", "hide_counts",
                   is_on=cookie_of(request, COUNTS) == "off"),
            switch("No keys of one letter (j and k move, f, b, d and r act, n writes)", "no_keys",
                   is_on=cookie_of(request, KEYS) == "off")),
        tag("button", "Save", type="submit"),
        action="/do/settings/look",
        hidden={},
    )  # fmt: skip
    return await settings_page(request, ports, body, path=f"{PATH}/look")


async def save_look(request: Request, ports: Ports) -> Response:
    """Keep in this browser how pages shall look."""
    theme = typed_in(request, "theme")
    if theme in THEMES[1:]:
        set_cookie(request, THEME, theme)
    else:
        clear_cookie(request, THEME)
    for name, is_off in ((COUNTS, typed_in(request, "hide_counts")), (KEYS, typed_in(request, "no_keys"))):
        if is_off:
            set_cookie(request, name, "off")
        else:
            clear_cookie(request, name)
    return saved(f"{PATH}/look")


# Account --------------------------------------------------------------------------------------------------------------


async def edit_account(request: Request, ports: Ports) -> Response:
    """The forms for the address and the password."""
    return await _account_page(request, ports)


async def _account_page(request: Request, ports: Ports, *, error: Invalid | None = None) -> Response:
    user: User = user_of(request)
    known = "current-password"
    address = form(
        request,
        tag("h2", "E-mail address"),
        tag("p", tag("label", "Address", for_="email"),
            tag("input", type="email", id="email", name="email", value=user.email, required=True,
                autocomplete="email")),
        _secret("Your password", "email-password", known),
        tag("button", "Change the address", type="submit"),
        action="/do/settings/email",
        hidden={},
    )  # fmt: skip
    password = form(
        request,
        tag("h2", "Password"),
        _secret("Your present password", "password", known),
        _secret("Your new password", "new-password", "new-password", hint="At least 8 characters"),
        tag("p", tag("small", "All other sessions and apps are logged out.")),
        tag("button", "Change the password", type="submit"),
        action="/do/settings/password",
        hidden={},
    )
    return await settings_page(request, ports, join(address, tag("hr"), password), path=f"{PATH}/account", error=error)


def _secret(words: str, name: str, fill: str, *, hint: str = "") -> Markup:
    return tag(
        "p",
        tag("label", words, for_=name),
        tag("input", type="password", id=name, name=name, required=True, autocomplete=fill),
        tag("small", hint) if hint else None,
    )


async def save_email(request: Request, ports: Ports) -> Response:
    """Change the e-mail address; it must be confirmed anew where the server asks for that."""
    user = user_of(request)
    try:
        await users.check_password(ports, user, typed_in(request, "email-password"))
        await users.change_email(ports, user.account_id, typed_in(request, "email"))
    except Invalid as error:
        return await _account_page(request, ports, error=error)
    return saved(f"{PATH}/account")


async def save_password(request: Request, ports: Ports) -> Response:
    """Change the password; everything else that is logged in is logged out."""
    user = user_of(request)
    try:
        await users.check_password(ports, user, typed_in(request, "password"))
        keep = request.session.token.token_hash if request.session else b""
        await users.set_password(ports, user.account_id, typed_in(request, "new-password"), keep_hash=keep)
    except Invalid as error:
        return await _account_page(request, ports, error=error)
    return saved(f"{PATH}/account")


ROUTES = [
    Route("GET", f"{PATH}/look", edit_look, cache=CacheClass.PAGE, html=True),
    Route("GET", f"{PATH}/account", edit_account, cache=CacheClass.PAGE, html=True),
    Route("POST", "/do/settings/look", save_look, cache=CacheClass.PAGE, html=True, body_limit_bytes=FORM_BYTES),
    Route(
        "POST", "/do/settings/email", save_email, limit=Limit.LOG_IN, cache=CacheClass.PAGE, html=True,
        body_limit_bytes=FORM_BYTES,
    ),
    Route(
        "POST", "/do/settings/password", save_password, limit=Limit.LOG_IN, cache=CacheClass.PAGE, html=True,
        body_limit_bytes=FORM_BYTES,
    ),
]  # fmt: skip
