"""Asking for a chart: who may, for which range, and the answer.

Box: social.
"""

from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from townsquare.analytics.port import Coverage, Question
from townsquare.cache.port import Kind
from townsquare.model.account import Account, Role, Visibility
from townsquare.model.errors import Forbidden, Invalid, NotFound
from townsquare.model.facts import DAY_MS, KINDS
from townsquare.model.insights import Answer, Line, Step
from townsquare.social.insights import lines, tables
from townsquare.social.insights.asking import Asking, Known
from townsquare.social.insights.authors import AUTHOR_CHARTS
from townsquare.social.insights.charts import (
    Active,
    Chart,
    Cohorts,
    HoursOfWeek,
    Percentiles,
    Split,
    Spread,
    Stickiness,
    Sums,
    TopLabels,
    TopStatuses,
    Where,
)
from townsquare.social.insights.operators import OPERATOR_CHARTS
from townsquare.social.insights.span import Span, read_time, span_of
from townsquare.social.insights.tables import Table
from townsquare.social.ports import Ports
from townsquare.social.statuses import own_status

CHARTS: dict[str, Chart] = {chart.name: chart for chart in (*OPERATOR_CHARTS, *AUTHOR_CHARTS)}
LATE_MS = 5 * 60_000  # a server that is well tells facts each minute
_FEW = 120  # points that are easily read: a finer step is not chosen by itself
_ALWAYS_TOLD = ("storage",)  # each hour, by every server
_TOLD_EARLY = ("active_week", "active_month")  # under the beginning of their period, when there were no facts yet

ANSWERS: Kind[Answer] = Kind(
    name="in",
    encode=msgspec.msgpack.Encoder().encode,
    decode=msgspec.msgpack.Decoder(Answer).decode,
    ttl_s=15,
    capacity=500,
)
KNOWN: Kind[Known] = Kind(
    name="ik",
    encode=msgspec.msgpack.Encoder().encode,
    decode=msgspec.msgpack.Decoder(Known).decode,
    ttl_s=10,
    capacity=2,
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A range as it is asked for. Empty: chosen for the chart."""

    since: Annotated[
        str,
        msgspec.Meta(description="Begin: a date (2026-11-01), or with a time, of the zone unless it says its offset."),
    ] = ""
    until: Annotated[str, msgspec.Meta(description="End, as since; a date means all of that day.")] = ""
    zone: Annotated[str, msgspec.Meta(description="Time zone by its IANA name, such as Europe/Lisbon.")] = "UTC"
    step: Annotated[str, msgspec.Meta(description="Width of a bucket: hour, day, week or month.")] = ""


def is_operator(account: Account) -> bool:
    """Whether they may see the server's numbers: its moderators and above."""
    return account.role is not Role.USER


def charts_for(account: Account) -> list[Chart]:
    """The charts that an account may ask for: everybody those of authors, operators also the server's."""
    return [*(OPERATOR_CHARTS if is_operator(account) else ()), *AUTHOR_CHARTS]


async def ask(ports: Ports, name: str, asked: Asked, *, account: Account) -> Answer:
    """The answer to a chart, as the account may see it: charts for authors speak of the account's own statuses.

    Raises: NotFound where there is no such chart, Forbidden where it is for operators and they are none, Invalid,
    Unavailable.
    """
    chart = CHARTS.get(name)
    if chart is None:
        raise NotFound
    if chart.audience == "operator":
        if not is_operator(account):
            raise Forbidden
        span = _span(ports, chart, asked)

        async def load(keys: Any) -> list[Answer | None]:
            return [await _answer(ports, chart, span)]

        key = f"{name}:{span.since_ms}:{span.until_ms}:{span.step}:{span.zone}"
        (kept,) = await ports.cache.get_many(ANSWERS, [key], load)
        assert kept is not None
        return kept
    return await _answer(ports, chart, _span(ports, chart, asked), author=account.account_id)


async def ask_status(ports: Ports, status_id: int, asked: Asked, *, account: Account) -> list[Answer]:
    """What is known of one status of the account's own, since it was posted: each chart that can be asked about one;
    of a direct one nothing.

    Raises: NotFound, Invalid, Unavailable.
    """
    status = await own_status(ports, author=account, status_id=status_id)
    if status.visibility is Visibility.DIRECT:
        return []  # a count would tell one person that another read it
    where: Where = (("object", (status_id,)),)
    answers = []
    for chart in AUTHOR_CHARTS:
        if chart.per_status:
            span = _span(ports, chart, asked, since_ms=status.created_ms)
            answers.append(await _answer(ports, replace(chart, compared=False), span, account.account_id, where))
    return answers


async def _answer(
    ports: Ports, chart: Chart, span: Span, author: int = 0, where: Where = ()
) -> Answer:  # fmt: skip
    known = await known_now(ports)
    asking = Asking(ports.analytics, span, known, where=where, author=author)
    found = await _found(asking, chart, ports)
    is_table = isinstance(found, Table)
    has_times = not is_table or chart.kind == "cohorts"
    made = found.lines if isinstance(found, Table) else found
    return Answer(
        chart=chart.name,
        title=chart.title.format(step=span.step),
        kind=chart.kind,
        unit=chart.unit,
        zone=span.zone,
        step=span.step,
        since_ms=span.since_ms,
        until_ms=span.until_ms,
        at=span.starts if has_times else (),
        labels=found.labels if isinstance(found, Table) else span.labels(),
        links=found.links if isinstance(found, Table) else (),
        lines=tuple(made),
        unfinished=span.unfinished(known.now_ms) if has_times else None,
        known_from_ms=known.first_ms,
        complete_to_ms=known.last_ms,
        catching_up=bool(known.last_ms) and known.now_ms - known.last_ms > LATE_MS,
    )


async def _found(asking: Asking, chart: Chart, ports: Ports) -> list[Line] | Table:
    match chart.shape:
        case Sums() as shape:
            now = await lines.sums(asking, shape)
            if not chart.compared:
                return now
            before = await lines.sums(asking.over(asking.span.before(asking.known.now_ms)), shape)
            return lines.joined(now, before, len(asking.span.starts))
        case Split() as shape:
            return await lines.split(asking, shape)
        case Active() as shape:
            return await lines.active(asking, shape)
        case Stickiness() as shape:
            return await lines.stickiness(asking, shape)
        case Percentiles() as shape:
            return await lines.percentiles(asking, shape)
        case Spread() as shape:
            return await tables.spread(asking, shape)
        case TopStatuses():
            return await tables.top_statuses(asking, ports)
        case TopLabels() as shape:
            return await tables.top_labels(asking, shape)
        case Cohorts() as shape:
            return await tables.cohorts(asking, shape)
        case HoursOfWeek() as shape:
            return await tables.hours_of_week(asking, shape)


# The range ------------------------------------------------------------------------------------------------------------


def _span(ports: Ports, chart: Chart, asked: Asked, *, since_ms: int = 0) -> Span:
    """The range that is asked for; where nothing is said, the chart's own up to now."""
    now_ms = ports.clock.now_ms()
    zone = "UTC" if chart.utc else asked.zone or "UTC"
    until_ms = read_time(asked.until, "until", zone=zone, ends=True) if asked.until else now_ms + 1
    if asked.since:
        since_ms = read_time(asked.since, "since", zone=zone)
    since_ms = since_ms or until_ms - (chart.default_days - 1) * DAY_MS
    if asked.step and asked.step not in chart.steps:
        wanted = ", ".join(chart.steps)
        raise Invalid(
            f"Validation failed: Step is not one of {wanted}", {"step": [("ERR_INCLUSION", f"is not one of {wanted}")]}
        )
    step: Step = next((each for each in chart.steps if each == asked.step), chart.steps[-1])
    if not asked.step:
        lengths = {"hour": DAY_MS // 24, "day": DAY_MS, "week": 7 * DAY_MS, "month": 28 * DAY_MS}
        step = next((each for each in chart.steps if (until_ms - since_ms) // lengths[each] <= _FEW), step)
    return span_of(since_ms, until_ms, zone=zone, step=step, most=chart.most)


# What there are facts about -------------------------------------------------------------------------------------------


async def known_now(ports: Ports) -> Known:
    """From when to when there are facts. Cost: one or two requests every ten seconds."""

    async def load(keys: Any) -> list[Known | None]:
        found = await ports.analytics.coverage()
        recorded_ms = await _recorded_ms(ports, found)
        now_ms = ports.clock.now_ms()
        return [Known(first_ms=found.first_ms, last_ms=found.last_ms, recorded_ms=recorded_ms, now_ms=now_ms)]

    (known,) = await ports.cache.get_many(KNOWN, ["all"], load)
    assert known is not None
    return replace(known, now_ms=ports.clock.now_ms())


async def _recorded_ms(ports: Ports, found: Coverage) -> int:
    """The day since when there are facts that the store does not know: those of before cannot be made again."""
    others = tuple(name for name, kind in KINDS.items() if not kind.rebuilt and name not in _TOLD_EARLY)
    for kinds in (_ALWAYS_TOLD, others):
        question = Question(kinds=kinds, since_ms=found.first_ms, until_ms=found.last_ms + 1, step_s=86_400)
        (days,) = await ports.analytics.ask([question])
        if days:
            return max(found.first_ms, min(row.at_ms for row in days))
    return 0
