"""Settings as pages: the profile, and how posts begin.

Box: web.
"""

from collections.abc import Sequence

import msgspec

from townsquare.kit.html import Child, Markup, tag
from townsquare.kit.languages import LANGUAGES
from townsquare.model.account import Visibility
from townsquare.model.errors import Invalid
from townsquare.render.account import avatar_url
from townsquare.social.ports import Ports
from townsquare.social.profile import (
    MAX_DESCRIPTION,
    MAX_FIELD,
    MAX_FIELDS,
    MAX_NAME,
    MAX_NOTE,
    ProfileChange,
    change_profile,
    profile_of,
)
from townsquare.social.profile_pictures import change_profile_and_pictures
from townsquare.web.pages.compose import user_of
from townsquare.web.pages.composer import ACCEPTED, AUDIENCES
from townsquare.web.pages.frame import View, show, tabs
from townsquare.web.pages.layout import form, notice, redirect
from townsquare.web.routes import CacheClass, Request, Response, Route

UPLOAD_BYTES = 34 << 20  # two pictures of 16 MiB with their wrapping
PATH = "/settings"
FORM_BYTES = 1 << 16
_KINDS = (
    ("Profile", PATH),
    ("Posting", f"{PATH}/posting"),
    ("Look", f"{PATH}/look"),
    ("Account", f"{PATH}/account"),
)


async def settings_page(
    request: Request, ports: Ports, body: Child, *, path: str = PATH, error: Invalid | None = None
) -> Response:
    words = notice(str(error).removeprefix("Validation failed: "), is_error=True) if error else None
    done = notice("Saved.") if "saved" in request.params and not error else None
    kinds = (*_KINDS, ("Insights", "/insights"))
    bar = tabs([(title, to, to == path) for title, to in kinds], label="Settings")
    inner = tag("div", words, done, body, class_="pad")
    view = View(title="Settings", body=inner, bar=bar, place="settings", status=422 if error else 200)
    return await show(request, ports, view)


def saved(path: str) -> Response:
    return redirect(f"{path}?saved=1")


# Profile --------------------------------------------------------------------------------------------------------------


class _Profile(msgspec.Struct, frozen=True, kw_only=True):
    display_name: str = ""
    note: str = ""
    names: list[str] = []
    values: list[str] = []
    avatar_description: str = ""
    header_description: str = ""
    locked: bool = False
    bot: bool = False
    discoverable: bool = False
    indexable: bool = False
    hide_collections: bool = False


_SWITCHES = {
    "locked": "Ask me before somebody can follow me",
    "discoverable": "Show my profile where people look for others",
    "indexable": "Let search engines and the search here find my public posts",
    "hide_collections": "Hide whom I follow and who follows me",
    "bot": "This account is automated",
}


async def edit_profile(request: Request, ports: Ports) -> Response:
    """The form for the profile."""
    return await _profile_page(request, ports, await _kept_profile(request, ports))


async def _kept_profile(request: Request, ports: Ports) -> _Profile:
    account = (await profile_of(ports, request.account.account_id)).account
    return _Profile(
        display_name=account.display_name,
        note=account.note,
        names=[each.name for each in account.fields],
        values=[each.value for each in account.fields],
        avatar_description=account.avatar_description,
        header_description=account.header_description,
        **{name: bool(getattr(account, name)) for name in _SWITCHES},
    )


async def save_profile(request: Request, ports: Ports) -> Response:
    """Change the profile, with its pictures."""
    typed = _read_profile(request)
    change = ProfileChange(
        display_name=typed.display_name,
        note=typed.note,
        fields=tuple(zip(typed.names, typed.values, strict=True)),
        avatar_description=typed.avatar_description,
        header_description=typed.header_description,
        **{name: getattr(typed, name) for name in _SWITCHES},
    )
    pictures = {name: file.read() for name in ("avatar", "header") if (file := request.files.get(name)) and file.size}
    try:
        await change_profile_and_pictures(ports, request.account.account_id, change, **pictures)
    except Invalid as error:
        return await _profile_page(request, ports, typed, error=error)
    return saved(PATH)


def _read_profile(request: Request) -> _Profile:
    """What was typed; the lines of the table come as `name1`, `value1` and on."""
    lines = [(typed_in(request, f"name{n}"), typed_in(request, f"value{n}")) for n in range(1, MAX_FIELDS + 1)]
    lines = [(name, value) for name, value in lines if name.strip() or value.strip()]
    typed = request.read(_Profile)
    return msgspec.structs.replace(typed, names=[name for name, _ in lines], values=[value for _, value in lines])


async def _profile_page(request: Request, ports: Ports, typed: _Profile, *, error: Invalid | None = None) -> Response:
    account = request.account
    body = form(
        request,
        _line("Name", "display_name", typed.display_name, most=MAX_NAME),
        tag("p", tag("label", "About you", for_="note"),
            tag("textarea", f"\n{typed.note}", id="note", name="note", rows=4, data_limit=MAX_NOTE, dir="auto")),
        _table(typed),
        tag("fieldset", tag("legend", "Pictures"),
            tag("div", tag("img", src=avatar_url(account, ""), alt="", width=64, height=64, class_="face"),
                tag("div", tag("label", "Profile picture", for_="avatar"),
                    tag("input", type="file", id="avatar", name="avatar", accept=ACCEPTED)), class_="row"),
            _line("Description of it", "avatar_description", typed.avatar_description, most=MAX_DESCRIPTION),
            tag("p", tag("label", "Wide picture at the top", for_="header"),
                tag("input", type="file", id="header", name="header", accept=ACCEPTED)),
            _line("Description of it", "header_description", typed.header_description, most=MAX_DESCRIPTION)),
        tag("fieldset", tag("legend", "Who may"), [
            switch(words, name, is_on=bool(getattr(typed, name))) for name, words in _SWITCHES.items()
        ]),
        tag("button", "Save", type="submit"),
        action="/do/settings/profile",
        hidden={},
    )  # fmt: skip
    body = Markup(body.replace("<form ", '<form enctype="multipart/form-data" ', 1))
    return await settings_page(request, ports, body, error=error)


def _table(typed: _Profile) -> Markup:
    rows = []
    for place in range(MAX_FIELDS):
        number = place + 1
        name = typed.names[place] if place < len(typed.names) else ""
        value = typed.values[place] if place < len(typed.values) else ""
        rows.append(
            tag(
                "div",
                tag("label", f"Name {number}", for_=f"name{number}", class_="visually-hidden"),
                tag("input", id=f"name{number}", name=f"name{number}", value=name, maxlength=MAX_FIELD,
                    placeholder="Name"),
                tag("label", f"Value {number}", for_=f"value{number}", class_="visually-hidden"),
                tag("input", id=f"value{number}", name=f"value{number}", value=value, maxlength=MAX_FIELD,
                    placeholder="Value"),
                class_="pair",
            )
        )  # fmt: skip
    return tag("fieldset", tag("legend", "Table on your profile"), rows)


def _line(words: str, name: str, value: str, *, most: int) -> Markup:
    return tag(
        "p", tag("label", words, for_=name), tag("input", id=name, name=name, value=value, maxlength=most, dir="auto")
    )


def switch(words: str, name: str, *, is_on: bool) -> Markup:
    box = tag("input", type="checkbox", name=name, value="1", checked=is_on)
    return tag("label", box, tag("span", words), class_="check")


# Posting --------------------------------------------------------------------------------------------------------------


class _Posting(msgspec.Struct, frozen=True, kw_only=True):
    privacy: str = Visibility.PUBLIC.value
    language: str = ""
    sensitive: bool = False


async def edit_posting(request: Request, ports: Ports) -> Response:
    """The form for how posts begin."""
    user = user_of(request)
    typed = _Posting(privacy=user.privacy.value, language=user.language, sensitive=user.sensitive)
    return await _posting_page(request, ports, typed)


async def save_posting(request: Request, ports: Ports) -> Response:
    """Change how posts begin."""
    typed = request.read(_Posting)
    change = ProfileChange(privacy=typed.privacy, language=typed.language, sensitive=typed.sensitive)
    try:
        await change_profile(ports, request.account.account_id, change)
    except Invalid as error:
        return await _posting_page(request, ports, typed, error=error)
    return saved(f"{PATH}/posting")


async def _posting_page(request: Request, ports: Ports, typed: _Posting, *, error: Invalid | None = None) -> Response:
    audiences = [(key.value, words) for key, words in AUDIENCES.items()]
    languages = [("", "As the pages are"), *sorted(LANGUAGES.items(), key=lambda each: each[1])]
    body = form(
        request,
        _select("New posts are for", "privacy", audiences, typed.privacy),
        _select("I mostly write in", "language", languages, typed.language),
        tag("p", switch("Hide my pictures behind a warning", "sensitive", is_on=typed.sensitive)),
        tag("button", "Save", type="submit"),
        action="/do/settings/posting",
        hidden={},
    )
    return await settings_page(request, ports, body, path=f"{PATH}/posting", error=error)


def _select(words: str, name: str, options: Sequence[tuple[str, str]], chosen: str) -> Markup:
    entries = [tag("option", title, value=value, selected=value == chosen) for value, title in options]
    return tag("p", tag("label", words, for_=name), tag("select", entries, id=name, name=name))


def typed_in(request: Request, name: str) -> str:
    value = request.params.get(name, "")
    return value if isinstance(value, str) else ""


ROUTES = [
    Route("GET", PATH, edit_profile, cache=CacheClass.PAGE, html=True),
    Route("GET", f"{PATH}/posting", edit_posting, cache=CacheClass.PAGE, html=True),
    Route(
        "POST", "/do/settings/profile", save_profile, cache=CacheClass.PAGE, html=True, body_limit_bytes=UPLOAD_BYTES
    ),
    Route("POST", "/do/settings/posting", save_posting, cache=CacheClass.PAGE, html=True, body_limit_bytes=FORM_BYTES),
]
