"""What else can be done with a post: the list behind its last button.

Box: web.
"""

from townsquare.kit.html import Markup, tag
from townsquare.model.account import Visibility
from townsquare.render.account import acct
from townsquare.render.status import MUTED, PINNED, StatusView
from townsquare.web.pages.icons import icon


def menu(shown: StatusView, row_id: int, *, path: str) -> Markup:
    """The list, closed at first."""
    entries = [_link("Open", path), *(_own(shown) if shown.own_page else _of_another(shown)), _mute(shown)]
    return tag(
        "details",
        tag("summary", icon("more"), aria_label="More"),
        tag("ul", [tag("li", entry) for entry in entries]),
        class_="more",
        data_at=f"post-{row_id}",
    )


def _own(shown: StatusView) -> list[Markup]:
    status_id, status = shown.status.status_id, shown.status
    entries = [_link("Edit", f"/compose?edit={status_id}"), _link("Delete", f"/posts/{status_id}/delete", "danger")]
    entries.append(_link("Insights", f"/insights/posts/{status_id}"))
    if status.visibility is not Visibility.DIRECT:
        is_on = bool(shown.flags & PINNED)
        words, verb = ("Unpin from profile", "unpin") if is_on else ("Pin to profile", "pin")
        entries.append(_act(words, f"/do/posts/{status_id}/{verb}"))
    return entries


def _of_another(shown: StatusView) -> list[Markup]:
    account = shown.author.account
    return [
        _act(f"Mute @{acct(account)}", f"/do/people/{account.account_id}/mute"),
        _act(f"Block @{acct(account)}", f"/do/people/{account.account_id}/block", "danger"),
    ]


def _mute(shown: StatusView) -> Markup:
    is_on = bool(shown.flags & MUTED)
    words, verb = ("Unmute conversation", "unmute") if is_on else ("Mute conversation", "mute")
    return _act(words, f"/do/posts/{shown.status.status_id}/{verb}")


def _act(words: str, path: str, kind: str | None = None) -> Markup:
    return tag("button", words, type="submit", form="act", formaction=path, class_=kind)


def _link(words: str, path: str, kind: str | None = None) -> Markup:
    return tag("a", words, href=path, class_=kind)
