"""People in pages: picture, name, a row of a list, the button that follows.

Box: web.
"""

from collections.abc import Sequence

import msgspec

from townsquare.kit.html import Child, Markup, join, tag
from townsquare.model.account import Account
from townsquare.render.account import account_url, acct, avatar_url
from townsquare.render.relationship import Relation
from townsquare.render.status import Person
from townsquare.web.pages.icons import icon, labelled


class Line(msgspec.Struct, frozen=True):
    """A line of the table on a profile, its value as HTML."""

    name: str
    value: str
    verified_at: str | None = None


class RoleName(msgspec.Struct, frozen=True):
    """A role that everybody may see."""

    name: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile shows of the Account entity; texts are HTML that the renderer made."""

    note: str
    fields: list[Line]
    statuses_count: int
    followers_count: int
    following_count: int
    roles: list[RoleName]


_SHOWN = msgspec.json.Decoder(Shown)


def shown(person: Person) -> Shown:
    """The Account entity of a person, as far as pages show it."""
    return _SHOWN.decode(person.json)


def name_of(account: Account) -> str:
    """The name that stands first."""
    return account.display_name or account.username


def profile_path(account: Account) -> str:
    """The path of the profile's page."""
    return account_url(account, "")


def name(account: Account) -> Markup:
    """The name as a link. Its direction cannot turn what stands around it."""
    return tag("a", tag("bdi", name_of(account)), href=profile_path(account), class_="name")


def handle(account: Account) -> Markup:
    """The handle."""
    lock = labelled("lock", "asks who wants to follow") if account.locked else None
    return tag("span", f"@{acct(account)}", lock and join(" ", lock), class_="handle", translate="no")


def picture(account: Account, *, size: int = 44) -> Markup:
    """The account's picture. The name stands beside it, so it is silent."""
    return tag(
        "img",
        src=avatar_url(account, "", still=True),
        alt="",
        width=size,
        height=size,
        loading="lazy",
        decoding="async",
    )


def avatar(account: Account, *, size: int = 44) -> Markup:
    """The picture as a link for those who point; by key the name beside it is enough."""
    link = tag("a", picture(account, size=size), href=profile_path(account), tabindex=-1, aria_hidden="true")
    return tag("div", link, class_="avatar")


def row(person: Person, *, beside: Child = None) -> Markup:
    """A line of a list of people. `beside`: what can be done."""
    account = person.account
    note = shown(person).note
    return tag(
        "li",
        avatar(account),
        tag(
            "div",
            tag("div", name(account), class_="byline"),
            tag("div", handle(account)),
            tag("div", Markup(note), class_="text excerpt") if note else None,
        ),
        tag("div", beside) if beside else None,
        class_="person",
    )


def rows(persons: Sequence[Person], relations: dict[int, Relation], *, viewer_id: int) -> Markup:
    """A list of people, each with the button that follows where somebody is signed in."""
    return tag(
        "ul",
        [
            row(each, beside=follow_button(each.account, relations.get(each.account.account_id), viewer_id=viewer_id))
            for each in persons
        ],
        class_="feed",
    )


def follow_button(account: Account, relation: Relation | None, *, viewer_id: int) -> Markup | None:
    """The button that follows, or stops to; None where there is none to press."""
    if relation is None or account.account_id == viewer_id or "blocked_by" in relation.kinds:
        return None
    path = f"/do/people/{account.account_id}"
    who = name_of(account)
    if "block" in relation.kinds:
        return act("Unblock", f"{path}/unblock", label=f"Unblock {who}", kind="quiet")
    state = relation.to.state if relation.to is not None else "off"
    if state == "on":
        return act("Following", f"{path}/unfollow", label=f"Following {who}", kind="quiet", pressed=True)
    if state == "requested":
        return act(
            "Requested",
            f"{path}/unfollow",
            label=f"Requested: take the request to {who} back",
            kind="quiet",
            pressed=True,
        )
    words = "Ask to follow" if account.locked else "Follow"
    return act(words, f"{path}/follow", label=f"{words} {who}", pressed=False)


def act(
    words: Child, path: str, *, label: str | None = None, kind: str | None = None, pressed: bool | None = None
) -> Markup:
    """A button that does one thing, by the page's one form."""
    return tag(
        "button",
        words,
        type="submit",
        form="act",
        formaction=path,
        class_=kind,
        aria_label=label,
        aria_pressed=None if pressed is None else str(pressed).lower(),
    )


def faces(accounts: Sequence[Account], *, most: int = 8) -> Markup:
    """Pictures of several people in a row."""
    return tag("div", [avatar(account, size=32) for account in accounts[:most]], class_="faces")


def badge(words: str, shape: str) -> Markup:
    """A small mark beside a name."""
    return tag("span", icon(shape), words, class_="tag")
