"""Which stretch of time a page of charts speaks of: chosen by links, or by dates and a time zone; kept in the address.

Box: web.
"""

from datetime import timedelta
from urllib.parse import urlencode

import msgspec

from townsquare.kit.html import Markup, tag
from townsquare.render.charts.numbers import moment
from townsquare.social.insights.ask import Asked
from townsquare.social.insights.span import zone_of
from townsquare.web.routes import Request

LENGTHS = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "A year"))
USUAL_DAYS, MOST_DAYS = 30, 3_660


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """What the address says."""

    days: int = 0
    since: str = ""
    until: str = ""
    zone: str = "UTC"
    step: str = ""

    @property
    def query(self) -> str:
        """The same for another address."""
        given = {"days": self.days, "since": self.since, "until": self.until, "step": self.step}
        kept = {name: value for name, value in given.items() if value}
        return urlencode({**kept, "zone": self.zone} if self.zone != "UTC" else kept)


def read_range(request: Request) -> Range:
    """The range that is asked for: dates win over a number of days; the last 30 days where nothing is said.

    Raises: Invalid.
    """
    asked = request.read(Range)
    asked = msgspec.structs.replace(asked, zone=asked.zone.strip() or "UTC")
    zone_of(asked.zone)
    if asked.since or asked.until:
        return msgspec.structs.replace(asked, days=0)
    return msgspec.structs.replace(asked, days=min(max(asked.days, 0), MOST_DAYS) or USUAL_DAYS)


def asked_of(wanted: Range, now_ms: int) -> Asked:
    """The range as the catalogue takes it: as many days, today among them."""
    since = wanted.since
    if wanted.days:
        since = f"{moment(now_ms, wanted.zone).date() - timedelta(days=wanted.days - 1)}"
    return Asked(since=since, until=wanted.until, zone=wanted.zone, step=wanted.step)


def chooser(path: str, wanted: Range) -> Markup:
    """Links for usual ranges, and a form for any other."""
    links = [
        tag(
            "a",
            words,
            href=f"{path}?{msgspec.structs.replace(wanted, days=days, since='', until='').query}",
            aria_current="true" if days == wanted.days else None,
        )
        for days, words in LENGTHS
    ]
    form = tag(
        "form",
        _field("From", "since", wanted.since, kind="date"),
        _field("To", "until", wanted.until, kind="date"),
        _field("Time zone", "zone", wanted.zone),
        tag("p", tag("button", "Show", type="submit")),
        method="get",
        action=path,
    )
    words = "Other dates" if wanted.days else f"{wanted.since or 'The beginning'} to {wanted.until or 'today'}"
    zone = f" · {wanted.zone}" if wanted.zone != "UTC" else ""
    return tag(
        "div",
        tag("nav", links, aria_label="How long"),
        tag("details", tag("summary", words + zone), form, open=not wanted.days),
        class_="ranges",
    )


def _field(words: str, name: str, value: str, *, kind: str = "text") -> Markup:
    box = tag("input", id=name, name=name, value=value, type=kind, maxlength=64 if kind == "text" else None)
    return tag("p", tag("label", words, for_=name), box)
