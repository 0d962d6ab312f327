"""A poll: its question's options to choose from, or how they stand.

Box: web.
"""

import msgspec

from townsquare.kit.html import Markup, join, tag
from townsquare.model.status import Poll
from townsquare.render.status import StatusView
from townsquare.web.pages.parts.numbers import counted
from townsquare.web.pages.parts.when import left


class Option(msgspec.Struct, frozen=True):
    """One option; the count is None where it is hidden until the end."""

    title: str
    votes_count: int | None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of the Poll entity."""

    id: str
    expired: bool
    multiple: bool
    votes_count: int
    voters_count: int | None
    options: list[Option]
    voted: bool = False
    own_votes: list[int] = []


_DECODER = msgspec.json.Decoder(Shown)


def poll(view: StatusView, now_ms: int) -> Markup | None:
    """The poll of a status, None where it has none."""
    kept = view.status.poll
    if view.poll is None or kept is None:
        return None
    shown = _DECODER.decode(view.poll)
    may_vote = view.signed_in and not shown.voted and not shown.expired
    rows = _choices(shown) if may_vote else _results(shown)
    vote = tag(
        "button", "Vote", type="submit", form="act", formaction=f"/do/polls/{shown.id}/vote", class_="quiet", name="at",
        value=f"post-{view.status.status_id}",
    )  # fmt: skip
    return tag(
        "div",
        rows,
        tag("p", vote if may_vote else None, tag("small", _state(shown, kept, now_ms)), class_="row"),
        class_="poll",
    )


def _choices(shown: Shown) -> Markup:
    kind = "checkbox" if shown.multiple else "radio"
    options = [
        tag(
            "label",
            tag("input", type=kind, name=f"vote-{shown.id}[]", value=place, form="act"),
            tag("bdi", option.title),
            class_="check",
        )
        for place, option in enumerate(shown.options)
    ]
    return tag("fieldset", tag("legend", "Choose one or more" if shown.multiple else "Choose one"), options)


def _results(shown: Shown) -> Markup:
    total = max(1, shown.voters_count or shown.votes_count)
    rows = []
    for place, option in enumerate(shown.options):
        count = option.votes_count
        per_cent = round(100 * count / total) if count is not None else None
        own = place in shown.own_votes
        rows.append(
            tag(
                "li",
                tag("span", tag("bdi", option.title), tag("em", " your vote") if own else None),
                tag("span", f"{per_cent}%" if per_cent is not None else "", class_="share"),
                tag("progress", max=100, value=per_cent or 0, aria_label=option.title),
                class_="bar",
            )
        )
    return tag("ul", rows)


def _state(shown: Shown, kept: Poll, now_ms: int) -> Markup:
    people = shown.voters_count if shown.voters_count is not None else shown.votes_count
    votes = tag("span", counted(people, "person voted", "people voted"), class_="total")
    if shown.expired:
        return join(votes, " · ended")
    if kept.expires_ms is None:
        return votes
    return join(votes, f" · {left(kept.expires_ms, now_ms)} left")
