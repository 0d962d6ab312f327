"""A post: who, when, what, and what can be done with it.

Box: web. Its text is the HTML that the renderer made for all doors; everything else is escaped here. Its buttons belong
to the page's one form (`act`), so a post that arrives later needs no token of its own.
"""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.model.account import Visibility
from townsquare.model.status import Status
from townsquare.render.status import BOOKMARKED, FAVOURITED, REBLOGGED, StatusView, status_url
from townsquare.web.pages.icons import icon, labelled
from townsquare.web.pages.parts import person
from townsquare.web.pages.parts.menu import menu
from townsquare.web.pages.parts.numbers import count_of, counted
from townsquare.web.pages.parts.pictures import card, pictures
from townsquare.web.pages.parts.poll import poll
from townsquare.web.pages.parts.when import ago, moment

FOCUSED, ANCESTOR = "focused", "ancestor"
MAX_DEPTH = 4  # levels that replies are moved in
_FOLDED_LINES = 10
_LABEL_CHARACTERS = 60
VISIBILITIES = {
    Visibility.PUBLIC: ("globe", "Public"),
    Visibility.UNLISTED: ("moon", "Quiet: public, but not in timelines of all"),
    Visibility.PRIVATE: ("lock", "Followers only"),
    Visibility.DIRECT: ("mail", "Only people mentioned"),
}


class _Body(msgspec.Struct, frozen=True):
    content: str


_BODY = msgspec.json.Decoder(_Body)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How a post is shown on a page. `place`: empty in lists, else `focused` or `ancestor`."""

    now_ms: int
    place: str = ""
    depth: int = 0  # of replies under a focused post
    pinned: bool = False


def content(view: StatusView) -> Markup:
    """The text of a status as HTML, as every door shows it."""
    return Markup(_BODY.decode(b"{%bnull}" % view.fragment.body).content)


def path_of(view: StatusView) -> str:
    """The path of the page of a status."""
    return status_url(view.status, view.author.account, "")


def feed(views: Sequence[StatusView], *, label: str, now_ms: int) -> Markup:
    """Posts in a list that can go on."""
    look = Look(now_ms=now_ms)
    return tag("div", [post(view, look) for view in views], class_="feed", role="feed", aria_label=label)


def post(view: StatusView, look: Look) -> Markup:
    """One post; of a boost, the original with who boosted it above."""
    shown = view.reblog or view
    status, row_id = shown.status, view.status.status_id
    kinds = ["post", look.place or None, f"depth-{min(look.depth, MAX_DEPTH)}" if look.depth else None]
    return tag(
        "article",
        _context(view, shown, look),
        person.avatar(shown.author.account),
        _byline(shown, look),
        tag("div", _body(shown, look), class_="body"),
        _reacted(shown) if look.place == FOCUSED else None,
        actions(shown, row_id),
        class_=" ".join(filter(None, kinds)),
        id=f"post-{row_id}",
        data_post=status.status_id,
        data_parent=status.reply_to or None,
        data_depth=look.depth or None,
        data_href=path_of(shown) if look.place != FOCUSED else None,
        aria_label=_label(shown, look),
    )


def _label(shown: StatusView, look: Look) -> str:
    start = " ".join((shown.status.spoiler_text or shown.status.text).split())[:_LABEL_CHARACTERS]
    return f"{person.name_of(shown.author.account)}: {start or 'picture'}"


def _context(view: StatusView, shown: StatusView, look: Look) -> Markup | None:
    lines: list[Markup] = []
    if view.reblog is not None:
        booster = view.author.account
        link = tag("a", tag("bdi", person.name_of(booster)), href=person.profile_path(booster))
        lines.append(tag("div", icon("boost"), tag("span", link, " boosted"), class_="context"))
    if look.pinned:
        lines.append(tag("div", icon("pin"), "Pinned", class_="context"))
    if shown.status.reply_to and not look.depth and not look.place:
        words = tag("a", _replying(shown.status), href=f"/posts/{shown.status.reply_to}")
        lines.append(tag("div", icon("reply"), words, class_="context"))
    return join(lines) if lines else None


def _replying(status: Status) -> str:
    if status.reply_to_author == status.author:
        return "Continues a thread"
    named = next((each for each in status.mentions if each.account_id == status.reply_to_author), None)
    return f"In reply to @{named.username}" if named else "In reply to a post"


def _byline(shown: StatusView, look: Look) -> Markup:
    account, status = shown.author.account, shown.status
    shape, words = VISIBILITIES[status.visibility]
    return tag(
        "div",
        person.name(account),
        person.handle(account),
        tag(
            "a",
            labelled(shape, words) if status.visibility is not Visibility.PUBLIC else None,
            " ",
            ago(status.created_ms, look.now_ms),
            tag("span", "*", title="Edited", aria_label="edited", role="img") if status.edited_ms else None,
            href=path_of(shown),
            class_="when",
        )
        if look.place != FOCUSED
        else None,
        class_="byline",
    )


def _body(shown: StatusView, look: Look) -> Child:
    status, html = shown.status, content(shown)
    is_long = not look.place and status.text.count("\n") > _FOLDED_LINES
    text = tag("div", html, class_="text folded" if is_long else "text", lang=status.language or None, dir="auto")
    more = tag("p", tag("a", "Show more", href=path_of(shown))) if is_long else None
    seen = pictures(shown.fragment.media)
    if status.spoiler_text:
        inner: Child = (text if html else None, more, seen, poll(shown, look.now_ms))
        head = tag("summary", tag("bdi", status.spoiler_text))
        return tag("details", head, inner, class_="cw", open=look.place == FOCUSED)
    if seen is not None and status.sensitive:
        seen = tag("details", tag("summary", "Sensitive pictures"), seen, class_="cw")
    link = None if seen is not None else card(shown.fragment.card)
    return (text if html else None, more, seen, poll(shown, look.now_ms), link)


def _reacted(shown: StatusView) -> Markup:
    status, counts, path = shown.status, shown.totals.counts, path_of(shown)
    shape, words = VISIBILITIES[status.visibility]
    edited = tag("a", "Edited ", moment(status.edited_ms), href=f"{path}/history") if status.edited_ms else None
    return tag(
        "div",
        tag("span", moment(status.created_ms)),
        tag("span", icon(shape), " ", words.partition(":")[0]),
        tag("span", "by ", status.app_name) if status.app_name else None,
        edited,
        tag("a", counted(counts.reblogs, "boost", "boosts"), href=f"{path}/boosts", class_="total")
        if counts.reblogs
        else None,
        tag("a", counted(counts.favourites, "favourite", "favourites"), href=f"{path}/favourites", class_="total")
        if counts.favourites
        else None,
        class_="reacted",
    )


# What can be done ----------------------------------------------------------------------------------------------------


def actions(shown: StatusView, row_id: int) -> Markup:
    """Reply, boost, favourite, bookmark, more. Who is not signed in is led to the log-in."""
    counts, status = shown.totals.counts, shown.status
    if not shown.signed_in:
        there = f"/auth/sign_in?next={quote(path_of(shown), safe='')}"
        return tag(
            "div",
            _link("reply", "Log in to reply", counts.replies, there),
            _link("boost", "Log in to boost", counts.reblogs, there),
            _link("fave", "Log in to add to favourites", counts.favourites, there),
            class_="actions",
        )
    return tag(
        "div",
        _link("reply", "Reply", counts.replies, f"/compose?reply_to={status.status_id}"),
        _switch(shown, row_id, kind="boost", bit=REBLOGGED, count=counts.reblogs)
        if _may_boost(shown)
        else tag("button", icon("lock"), type="button", disabled=True, aria_label="Cannot be boosted"),
        _switch(shown, row_id, kind="fave", bit=FAVOURITED, count=counts.favourites),
        _switch(shown, row_id, kind="bookmark", bit=BOOKMARKED),
        menu(shown, row_id, path=path_of(shown)),
        class_="actions",
    )


_ACTS = {
    "boost": ("Boost", "boost", "unboost"),
    "fave": ("Favourite", "favourite", "unfavourite"),
    "bookmark": ("Bookmark", "bookmark", "unbookmark"),
}


def _switch(shown: StatusView, row_id: int, *, kind: str, bit: int, count: int = 0) -> Markup:
    words, do, undo = _ACTS[kind]
    is_on = bool(shown.flags & bit)
    return tag(
        "button",
        icon(kind),
        count_of(count),
        type="submit",
        form="act",
        formaction=f"/do/posts/{shown.status.status_id}/{undo if is_on else do}",
        name="at",
        value=f"post-{row_id}",
        class_=kind,
        aria_pressed=str(is_on).lower(),
        aria_label=f"{words}, {count}" if count else words,
    )


def _link(shape: str, words: str, count: int, to: str) -> Markup:
    label = f"{words}, {count}" if count else words
    return tag("a", icon(shape), count_of(count), href=to, class_=shape, aria_label=label)


def _may_boost(shown: StatusView) -> bool:
    visibility = shown.status.visibility
    return visibility in (Visibility.PUBLIC, Visibility.UNLISTED) or (
        visibility is Visibility.PRIVATE and shown.own_page
    )
