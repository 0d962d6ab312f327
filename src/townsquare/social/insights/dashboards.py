"""Measures, dimensions and retention of the server, as Mastodon's dashboards ask for them: whole days of UTC.

Box: social. Source: Mastodon API, /methods/admin/measures/, /methods/admin/dimensions/, /methods/admin/retention/

This server knows no others yet: what is asked about other servers is 0, or an empty list.
"""

import platform
from collections.abc import Sequence

from msgspec.structs import replace

from townsquare import __version__
from townsquare.analytics.port import MOST_ROWS, Question
from townsquare.kit.languages import LANGUAGES
from townsquare.model.errors import NotFound
from townsquare.model.facts import DAY_MS
from townsquare.model.insights import Cohort, Measure, Part, Step
from townsquare.social.insights.ask import known_now
from townsquare.social.insights.asking import Asking, Want
from townsquare.social.insights.charts import Where
from townsquare.social.insights.span import HOUR_MS, Span, span_of
from townsquare.social.insights.tables import cohort_counts
from townsquare.social.ports import Ports
from townsquare.social.tags import tag_rows

MOST_DAYS = 400
MOST_COHORTS: dict[Step, int] = {"day": 92, "month": 37}  # each with all later periods
_STORAGE_WITHIN_MS = 3 * HOUR_MS  # what is stored is taken each hour
_SPACES = {"store": "Store", "media": "Media storage", "facts": "Facts"}
_SUMS: dict[str, Want] = {
    "new_users": Want(kinds=("sign_up",)),
    "interactions": Want(kinds=("favourite", "boost", "reply")),
    "opened_reports": Want(kinds=("report",)),
    "resolved_reports": Want(kinds=("moderation",), where=(("label", ("resolve",)),)),
}
_OF_TAGS = ("tag_accounts", "tag_uses", "tag_servers")
_OF_SERVERS = (
    "instance_accounts",
    "instance_media_attachments",
    "instance_reports",
    "instance_statuses",
    "instance_follows",
    "instance_followers",
)
MEASURES = ("active_users", *_SUMS, *_OF_TAGS, *_OF_SERVERS)
DIMENSIONS = (
    "languages", "sources", "servers", "space_usage", "software_versions", "tag_servers", "tag_languages",
    "instance_accounts", "instance_languages",
)  # fmt: skip


def days_of(start_ms: int, end_ms: int) -> Span:
    """The days from that of the one to that of the other.

    Raises: Invalid.
    """
    return span_of(start_ms, end_ms // DAY_MS * DAY_MS + DAY_MS, zone="UTC", step="day", most=MOST_DAYS)


# Measures -------------------------------------------------------------------------------------------------------------


async def measure(ports: Ports, keys: Sequence[str], span: Span, *, tags: dict[str, int]) -> list[Measure]:
    """The measures with these keys; unknown ones are left out. `tags`: by key, the number of the tag that is meant.

    Raises: NotFound where there is no such tag, Unavailable.
    """
    known = await known_now(ports)
    asking = Asking(ports.analytics, span, known)
    # The period before, as the API says it: both ends moved back by the time between them.
    back_ms = max(span.starts[-1] - span.since_ms, DAY_MS)
    before = asking.over(days_of(span.since_ms - back_ms, span.starts[-1] - back_ms))
    measures = []
    for key in keys:
        if key in _OF_SERVERS:
            days = tuple((start, 0) for start in span.starts)
            measures.append(Measure(key=key, total=0, previous_total=None, days=days))
        elif key in MEASURES:
            tag = await _tag_name(ports, tags.get(key, 0)) if key in _OF_TAGS else ""
            (total, values), (previous, _) = await _numbers(asking, key, tag), await _numbers(before, key, tag)
            days = tuple(zip(span.starts, values, strict=True))
            measures.append(Measure(key=key, total=total, previous_total=previous, days=days))
    return measures


async def _numbers(asking: Asking, key: str, tag: str) -> tuple[int, list[int]]:
    """The number over the whole range, and for each day."""
    days = range(len(asking.span.starts))
    if key == "active_users":
        (seen,) = await asking.sheets([Want(kinds=("active_day",))])
        values = [seen.at(day) for day in days]
        return max(*values, await _active_over(asking, "week"), await _active_over(asking, "month")), values
    if key in _SUMS:
        (sheet,) = await asking.sheets([_SUMS[key]])
        values = [sheet.at(day) for day in days]
        return sum(values), values
    uses = Want(kinds=("tag",), where=(("label", (tag,)),))
    if key == "tag_accounts":  # people: not the sum of those of the days
        people = replace(uses, by=("actor",), spread=True)
        daily, together = await asking.sheets([people, replace(people, time="range")])
        return sum(together.groups().values()), [sum(daily.of_bucket(day).values()) for day in days]
    (sheet,) = await asking.sheets([uses])
    values = [sheet.at(day) for day in days]
    if key == "tag_servers":
        values = [min(1, value) for value in values]
        return max(values), values
    return sum(values), values


async def _active_over(asking: Asking, step: Step) -> int:
    """The most people in a week or month that lies in the range as far as it has come. Nobody can be followed from one
    period to the next, so of the people of a range only this is known: at least so many."""
    span, now_ms = asking.span, asking.known.now_ms
    periods = span_of(span.since_ms, span.until_ms, zone="UTC", step=step)
    (sheet,) = await asking.over(periods).sheets([Want(kinds=("active_week" if step == "week" else "active_month",))])
    inside = [
        sheet.at(index)
        for index, start in enumerate(periods.starts)
        if start >= span.since_ms and (periods.bucket(index)[1] <= span.until_ms or now_ms < span.until_ms)
    ]
    return max(inside, default=0)


async def _tag_name(ports: Ports, number: int) -> str:
    rows = await tag_rows(ports, [number]) if number else []
    if not rows:
        raise NotFound
    return rows[0].name


# Dimensions -----------------------------------------------------------------------------------------------------------


async def dimension(
    ports: Ports, key: str, span: Span, *, limit: int, tag_id: int = 0
) -> list[Part] | None:  # fmt: skip
    """The rows of a dimension, the greatest first; None for an unknown key.

    Raises: NotFound where there is no such tag, Unavailable.
    """
    if key not in DIMENSIONS:
        return None
    asking = Asking(ports.analytics, span, await known_now(ports))
    match key:
        case "languages":
            return await _languages(asking, Want(kinds=("post", "reply")), limit)
        case "sources":
            apps = await _ranked(asking, Want(kinds=("post", "reply"), by=("app",)), limit)
            return [Part(key=app or "web", name=app or "Website", value=n) for app, n in apps]
        case "servers":
            return await _ours(ports, asking, Want(kinds=("post", "reply", "boost")))
        case "space_usage":
            return await _space(ports, asking.known.last_ms)
        case "software_versions":
            return [
                Part(key="townsquare", name="Townsquare", value=__version__),
                Part(key="python", name="Python", value=platform.python_version()),
            ]
        case "tag_servers" | "tag_languages":
            where: Where = (("label", (await _tag_name(ports, tag_id),)),)
            want = Want(kinds=("tag",), where=where)
            return await (_ours(ports, asking, want) if key == "tag_servers" else _languages(asking, want, limit))
        case _:
            return []


async def _ranked(asking: Asking, want: Want, limit: int) -> list[tuple[str, int]]:
    (sheet,) = await asking.sheets([replace(want, time="range", limit=min(limit, MOST_ROWS - 1))])
    return [(str(value), n) for (value,), n in sheet.groups().items()]


async def _languages(asking: Asking, want: Want, limit: int) -> list[Part]:
    found = await _ranked(asking, replace(want, by=("language",)), limit)
    return [Part(key=code or "und", name=LANGUAGES.get(code, code or "und"), value=n) for code, n in found]


async def _ours(ports: Ports, asking: Asking, want: Want) -> list[Part]:
    """The one server there is, if anything happened on it."""
    (sheet,) = await asking.sheets([replace(want, time="range")])
    host = ports.settings.base.partition("://")[2]
    return [Part(key=host, name=host, value=sheet.at(0))] if sheet.at(0) else []


async def _space(ports: Ports, last_ms: int) -> list[Part]:
    """What is stored, as it was last taken."""
    question = Question(
        kinds=("storage",),
        since_ms=last_ms - _STORAGE_WITHIN_MS,
        until_ms=last_ms + 1,
        measure="greatest",
        step_s=3_600,
        by=("label",),
    )
    (rows,) = await ports.analytics.ask([question])
    newest = {str(row.by[0]): row.n for row in rows}  # rows are in the order of time
    return [
        Part(key=key, name=name, value=newest[key], is_bytes=True) for key, name in _SPACES.items() if key in newest
    ]


# Retention ------------------------------------------------------------------------------------------------------------


async def retention(ports: Ports, start_ms: int, end_ms: int, frequency: Step) -> list[Cohort]:
    """For each day or month of sign-up: who was seen in it and in each later one.

    Raises: Invalid, Unavailable.
    """
    span = span_of(start_ms, end_ms + 1, zone="UTC", step=frequency, most=MOST_COHORTS[frequency])
    sizes, back = await cohort_counts(Asking(ports.analytics, span, await known_now(ports)))
    return [
        Cohort(
            period_ms=start,
            cells=tuple(
                (span.starts[at], back.get((row, at), 0), _rate(back.get((row, at), 0), sizes.at(row)))
                for at in range(row, len(span.starts))
            ),
        )
        for row, start in enumerate(span.starts)
    ]


def _rate(people: int, size: int) -> float:
    return round(people / size, 4) if size else 0.0
