"""The form to write a post with: text, warning, pictures with descriptions, poll, who it is for, language.

Box: web. It works without JavaScript; what was typed and uploaded stays when something is wrong.
"""

import secrets
from urllib.parse import quote

import msgspec

from townsquare.kit.html import Child, Markup, tag
from townsquare.kit.languages import LANGUAGES
from townsquare.model.account import User, Visibility
from townsquare.model.status import Media
from townsquare.social.drafts import MAX_CHARACTERS, MAX_MEDIA, MAX_OPTION_CHARACTERS, MAX_OPTIONS
from townsquare.social.media import MAX_DESCRIPTION
from townsquare.web.csrf import FIELD, csrf_token
from townsquare.web.pages.icons import icon
from townsquare.web.pages.layout import hidden_fields, notice
from townsquare.web.pages.parts import person
from townsquare.web.routes import Request

ACCEPTED = "image/jpeg,image/png,image/gif,image/webp,image/avif,image/heic,video/*,audio/*"
DURATIONS_S = {
    300: "5 minutes",
    3_600: "1 hour",
    21_600: "6 hours",
    86_400: "1 day",
    259_200: "3 days",
    604_800: "7 days",
}
# Those that many write in; another one is offered to those who chose it in their settings.
_LANGUAGES = (
    "ar", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "en", "eo", "es", "et", "eu", "fa", "fi", "fr", "ga", "gl",
    "he", "hi", "hr", "hu", "id", "is", "it", "ja", "ko", "lt", "lv", "ms", "nb", "nl", "nn", "pl", "pt", "ro", "ru",
    "sk", "sl", "sq", "sr", "sv", "ta", "th", "tl", "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
AUDIENCES = {
    Visibility.PUBLIC: "Public",
    Visibility.UNLISTED: "Quiet public",
    Visibility.PRIVATE: "Followers",
    Visibility.DIRECT: "Mentioned people",
}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the form. `reply_to`, `edits`: ids of statuses, 0 for none."""

    text: str = ""
    spoiler_text: str = ""
    visibility: str = ""
    language: str = ""
    sensitive: bool = False
    reply_to: int = 0
    edits: int = 0
    media: tuple[Media, ...] = ()
    options: tuple[str, ...] = ()
    expires_in: int = 86_400
    multiple: bool = False
    error: str = ""
    has_focus: bool = False


def composer(request: Request, entry: Entry, *, action: str, user: User, back: str = "") -> Markup:
    """The form. `back`: the path to go to afterwards, this page's where it is empty."""
    query = f"?{request.query_string}" if request.query_string else ""
    hidden = {
        FIELD: csrf_token(request),
        "back": back or quote(request.path, safe="/@:~") + query,
        "key": secrets.token_urlsafe(12),
        "reply_to": str(entry.reply_to or ""),
    }
    words = "Save" if entry.edits else "Reply" if entry.reply_to else "Post"
    return tag(
        "form",
        hidden_fields(hidden),
        person.avatar(request.account),
        tag(
            "div",
            notice(entry.error, is_error=True) if entry.error else None,
            _text(entry),
            _kept(entry.media),
            tag("div", _warning(entry), _files(entry), _poll(entry), class_="extras"),
            tag(
                "div",
                _audience(entry, user) if not entry.edits else None,
                _language(entry, user),
                tag("span", "", class_="counter", data_counter=True, role="status"),
                tag("button", words, type="submit"),
                class_="row",
            ),
        ),
        method="post",
        action=action,
        enctype="multipart/form-data",
        class_="composer",
        aria_label="Write a post",
    )


def _text(entry: Entry) -> Markup:
    words = "Your reply" if entry.reply_to else "What is on your mind?"
    area = tag(
        "textarea", f"\n{entry.text}", id="text", name="status", rows=3, placeholder=words, data_limit=MAX_CHARACTERS,
        autofocus=entry.has_focus, dir="auto",
    )  # fmt: skip
    return tag("div", tag("label", words, for_="text", class_="visually-hidden"), area)


def _kept(media: tuple[Media, ...]) -> Child:
    """Pictures that are uploaded already: keep them, and say what they show."""
    rows = []
    for each in media:
        name = f"said-{each.media_id}"
        shown = each.preview or (each.original if each.kind == "image" else "")
        thumb = tag("img", src=f"/media/{shown}", alt="", width=64, height=64) if shown else icon("image")
        keep = tag("input", type="checkbox", name="media_ids[]", value=each.media_id, checked=True)
        said = tag("input", id=name, name=name, value=each.description, maxlength=MAX_DESCRIPTION)
        rows.append(
            tag(
                "div",
                thumb,
                tag("div", tag("label", "Description", for_=name), said),
                tag("label", keep, "Keep", class_="check"),
                class_="kept",
            )
        )
    return rows or None


def _warning(entry: Entry) -> Markup:
    return _part(
        "warning",
        "Warning",
        tag("p", tag("label", "Content warning", for_="spoiler"),
            tag("input", id="spoiler", name="spoiler_text", value=entry.spoiler_text, maxlength=MAX_CHARACTERS)),
        tag("label", tag("input", type="checkbox", name="sensitive", value="1", checked=entry.sensitive),
            "Hide the pictures behind it", class_="check"),
        is_open=bool(entry.spoiler_text or entry.sensitive),
    )  # fmt: skip


def _files(entry: Entry) -> Child:
    rows = []
    for place in range(1, MAX_MEDIA - len(entry.media) + 1):
        file, said = f"file{place}", f"description{place}"
        rows.append(
            tag(
                "div",
                tag("label", f"Picture or video {place}", for_=file),
                tag("input", type="file", id=file, name=file, accept=ACCEPTED),
                tag("label", "Description", for_=said),
                tag("textarea", "", id=said, name=said, rows=2, maxlength=MAX_DESCRIPTION,
                    placeholder="What can be seen, for those who cannot"),
                class_="upload",
            )
        )  # fmt: skip
    return _part("image", "Media", *rows) if rows else None


def _poll(entry: Entry) -> Child:
    if entry.edits:
        return None
    options = []
    for place in range(MAX_OPTIONS):
        name = f"option{place + 1}"
        value = entry.options[place] if place < len(entry.options) else ""
        options.append(
            tag("p", tag("label", f"Option {place + 1}", for_=name),
                tag("input", id=name, name="options[]", value=value, maxlength=MAX_OPTION_CHARACTERS))
        )  # fmt: skip
    runs = [
        tag("option", words, value=seconds, selected=seconds == entry.expires_in)
        for seconds, words in DURATIONS_S.items()
    ]
    return _part(
        "poll",
        "Poll",
        options,
        tag("p", tag("label", "Runs for", for_="expires"), tag("select", runs, id="expires", name="expires_in")),
        tag("label", tag("input", type="checkbox", name="multiple", value="1", checked=entry.multiple),
            "People may choose several", class_="check"),
        is_open=any(entry.options),
    )  # fmt: skip


def _part(shape: str, words: str, *inner: Child, is_open: bool = False) -> Markup:
    return tag("details", tag("summary", icon(shape), words), tag("div", inner, class_="inner"), open=is_open)


def _audience(entry: Entry, user: User) -> Child:
    chosen = entry.visibility or user.privacy.value
    options = [tag("option", words, value=key.value, selected=key == chosen) for key, words in AUDIENCES.items()]
    return (
        tag("label", "Who sees it", for_="visibility", class_="visually-hidden"),
        tag("select", options, id="visibility", name="visibility"),
    )


def _language(entry: Entry, user: User) -> Child:
    chosen = entry.language or user.language or user.locale
    codes = dict.fromkeys((chosen, *sorted(_LANGUAGES, key=LANGUAGES.__getitem__)))
    options = [tag("option", LANGUAGES.get(code, code), value=code, selected=code == chosen) for code in codes if code]
    return (
        tag("label", "Language", for_="language", class_="visually-hidden"),
        tag("select", options, id="language", name="language"),
    )
