"""How sums become tables, distributions, cohorts and the hours of a week.

Box: social. Statuses are looked up when they are shown: what is gone, or not for whoever asks, is left out.
"""

from bisect import bisect_right
from collections import Counter

import msgspec
from msgspec.structs import replace

from townsquare.analytics.port import MOST_ROWS
from townsquare.model.account import Visibility
from townsquare.model.facts import DAY_MS
from townsquare.model.insights import Line, Number
from townsquare.render.status import status_url
from townsquare.social.hydrate import fragments, people
from townsquare.social.insights.asking import Asking, Sheet, Want, shown
from townsquare.social.insights.charts import Cohorts, HoursOfWeek, Series, Spread, TopLabels, Where
from townsquare.social.insights.span import hour_of_week, zone_of
from townsquare.social.ports import Ports

ROWS = 20  # of a table
REACTIONS = ("reply", "boost", "favourite")
READ = ("public", "unlisted", "private")  # in a direct status, a count would tell one person that another read it
HOURS = tuple(f"{day} {hour:02d}" for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun") for hour in range(24))
SEEN = {"day": "active_day", "week": "active_week", "month": "active_month"}  # what tells who was here in a period
_CANDIDATES = 60  # statuses looked at: some are gone, or not for everybody any more
_EXCERPT = 80  # characters
_COLUMNS = (
    ("reply", "Replies"), ("boost", "Boosts"), ("favourite", "Favourites"), ("impression", "Times sent to readers")
)  # fmt: skip
_WAS_READ: Where = (("visibility", READ),)
_PUBLIC: Where = (("visibility", ("public",)),)


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Lines over labels."""

    labels: tuple[str, ...]
    lines: list[Line]
    links: tuple[str, ...] = ()


async def spread(asking: Asking, shape: Spread) -> Table:
    """How many statuses lie from each edge to the next. Cost: one request."""
    want = Want(
        kinds=shape.kinds,
        measure=shape.measure,
        by=("object",),
        where=shape.where,
        own=shape.own,
        time="range",
        spread=True,
    )
    (sheet,) = await asking.sheets([want])
    counts = [0] * len(shape.edges)
    for (n,), statuses in sheet.groups().items():
        place = bisect_right(shape.edges, int(n)) - 1
        if place >= 0:
            counts[place] += statuses
    values: list[Number | None] = list(counts)
    if asking.is_unknown(shape.kinds):
        values = [None] * len(counts)
    total = None if asking.is_unknown(shape.kinds) else sum(counts)
    return Table(labels=shape.names, lines=[Line(name="posts", title="Posts", values=tuple(values), total=total)])


# Tables ---------------------------------------------------------------------------------------------------------------


async def top_labels(asking: Asking, shape: TopLabels) -> Table:
    """The labels used most often, and by how many people. Cost: two requests."""
    want = Want(kinds=(shape.kind,), by=("label",), time="range", own="actor")
    (ranked,) = await asking.sheets([replace(want, limit=ROWS)])
    uses = {str(label): n for (label,), n in ranked.groups().items()}
    people = await _people_of(asking, want, uses)
    return Table(
        labels=tuple(uses),
        links=tuple(f"/tags/{label}" if shape.kind == "tag" else label for label in uses),
        lines=[
            Line(name="uses", title="Posts", values=tuple(uses.values()), unit="posts"),
            Line(name="people", title="People", values=tuple(people), unit="people"),
        ],
    )


async def _people_of(asking: Asking, want: Want, uses: dict[str, int]) -> list[int]:
    """By how many people each label was used: by one question where its rows are few enough, else by one for each."""
    if sum(uses.values()) < MOST_ROWS:
        (users,) = await asking.sheets([replace(want, by=("label", "actor"), where=(("label", tuple(uses)),))])
        people = Counter(str(label) for label, _ in users.groups())
        return [people[label] for label in uses]
    by_person = replace(want, by=("actor",), spread=True)
    sheets = await asking.sheets([replace(by_person, where=(("label", (label,)),)) for label in uses])
    return [sum(sheet.of_bucket(0).values()) for sheet in sheets]


async def top_statuses(asking: Asking, ports: Ports) -> Table:
    """Statuses with the most reactions, and how often each was sent to a reader. Cost: two requests, two reads."""
    where = () if asking.author else _PUBLIC
    ranking = Want(kinds=REACTIONS, by=("object",), where=where, time="range", limit=_CANDIDATES)
    wants = [ranking]
    if asking.author:  # of their own, also what was only read
        wants.append(replace(ranking, kinds=("impression",), where=_WAS_READ))
    reacted = [int(group[0]) for sheet in await asking.sheets(wants) for group in sheet.groups()]
    shown_ones = await _shown(ports, list(dict.fromkeys(reacted)), asking.author)
    ids = tuple(list(shown_ones)[:ROWS])
    chosen: Where = (("object", ids),)
    acts, reads = await asking.sheets(
        [
            replace(ranking, by=("object", "kind"), where=(*where, *chosen), limit=MOST_ROWS),
            Want(kinds=("impression",), by=("object",), where=(*_WAS_READ, *chosen), time="range"),
        ]
    )
    found = acts.groups() | {(*group, "impression"): n for group, n in reads.groups().items()}
    unread = asking.is_unknown(("impression",))
    lines = []
    for kind, title in _COLUMNS:
        hidden = {each for each in ids if kind == "impression" and (unread or shown_ones[each].direct)}
        values = tuple(None if each in hidden else found.get((each, kind), 0) for each in ids)
        lines.append(Line(name=kind, title=title, values=values, unit="times" if kind == "impression" else "acts"))
    return Table(
        labels=tuple(shown_ones[each].label for each in ids),
        links=tuple(shown_ones[each].url for each in ids),
        lines=lines,
    )


class _Shown(msgspec.Struct, frozen=True):
    label: str
    url: str
    direct: bool


async def _shown(ports: Ports, ids: list[int], author: int) -> dict[int, _Shown]:
    """Those of the statuses that may be named: an author's own; else those that are public, of people who are here."""
    kept = [each.status for each in await fragments(ports, ids) if each is not None]
    if author:
        kept = [status for status in kept if status.author == author]
    else:
        kept = [status for status in kept if status.visibility is Visibility.PUBLIC]
    authors = await people(ports, [status.author for status in kept])
    shown_ones = {}
    for status, person in zip(kept, authors, strict=True):
        if person is not None and not status.deleted and not person.account.is_gone:
            words = " ".join((status.spoiler_text or status.text).split())
            cut = words if len(words) <= _EXCERPT else words[: _EXCERPT - 1] + "…"
            url = status_url(status, person.account, ports.settings.base)
            label = cut if author else f"@{person.account.username}: {cut}"
            shown_ones[status.status_id] = _Shown(label, url, status.visibility is Visibility.DIRECT)
    return shown_ones


# Cohorts and hours ----------------------------------------------------------------------------------------------------


async def cohort_counts(asking: Asking) -> tuple[Sheet, dict[tuple[int, int], int]]:
    """How many signed up in each period; and how many of those of one were seen in another, by (period of sign-up,
    period). Cost: one request; who was here is told under the first day of a period, so the rows are few."""
    span = asking.span
    days = tuple(range(span.since_ms // DAY_MS, span.until_ms // DAY_MS))
    sizes, seen = await asking.sheets(
        [
            Want(kinds=("sign_up",)),
            Want(kinds=(SEEN[span.step],), by=("cohort",), where=(("cohort", days),)),
        ]
    )
    back: dict[tuple[int, int], int] = {}
    for index, (day,), n in seen.items():
        place = (span.index(int(day) * DAY_MS), index)
        back[place] = back.get(place, 0) + n
    return sizes, back


async def cohorts(asking: Asking, shape: Cohorts) -> Table:
    """For those who signed up in each period: how many per cent were seen in that and each later one. Cost: as
    `cohort_counts`."""
    span = asking.span
    sizes, back = await cohort_counts(asking)
    unknown, unseen = asking.gaps(("sign_up",)), asking.gaps((SEEN[span.step],))
    buckets = range(len(span.starts))
    people_in: list[int | None] = [None if gap else sizes.at(index) for index, gap in enumerate(unknown)]
    lines = [Line(name="size", title="Signed up", values=tuple(people_in), unit="people")]
    for later in buckets:
        rates: list[Number | None] = []
        for row in buckets:
            size, at = people_in[row], row + later
            rate = None if not size or at >= len(unseen) or unseen[at] else shown(100 * back.get((row, at), 0) / size)
            rates.append(rate)
        lines.append(Line(name=str(later), title=f"{span.step.capitalize()} {later}", values=tuple(rates)))
    return Table(labels=span.labels(), lines=lines)


async def hours_of_week(asking: Asking, shape: HoursOfWeek) -> Table:
    """For each hour of the week, how much comes in it on average. Cost: one request."""
    hourly = asking.over(asking.span.hours())
    zone = zone_of(hourly.span.zone)
    slots = [hour_of_week(start, zone) for start in hourly.span.starts]
    sheets = await hourly.sheets([_want(series) for series in shape.series])
    lines = []
    for series, sheet in zip(shape.series, sheets, strict=True):
        sums, hours = [0] * len(HOURS), [0] * len(HOURS)
        for index, gap in enumerate(hourly.gaps(series.plus)):
            if not gap:
                sums[slots[index]] += sheet.at(index)
                hours[slots[index]] += 1
        means = [shown(n / known) if known else None for n, known in zip(sums, hours, strict=True)]
        lines.append(Line(name=series.name, title=series.title, values=tuple(means)))
    return Table(labels=HOURS, lines=lines)


def _want(series: Series) -> Want:
    return Want(kinds=series.plus, measure=series.measure, where=series.where, own=series.own)
