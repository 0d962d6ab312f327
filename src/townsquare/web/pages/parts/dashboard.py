"""The numbers that stand out on a page of insights, and how complete all of them are.

Box: web.
"""

from collections.abc import Mapping

from townsquare.kit.html import Markup, tag
from townsquare.model.account import Account
from townsquare.model.errors import Unavailable
from townsquare.model.facts import DAY_MS
from townsquare.model.insights import Answer
from townsquare.queue.port import LaneDepth
from townsquare.render.charts.figure import tile, tiles
from townsquare.render.charts.numbers import grouped, moment, short
from townsquare.social.insights.ask import LATE_MS, Asked, ask, known_now
from townsquare.social.insights.asking import Known
from townsquare.social.ports import Ports
from townsquare.web.pages.parts.chart import change, totals, unit_of

_BAD_DELAY_MS = 60_000
_UNKNOWN = "–"
_AUTHOR = (
    ("my_impressions", "Sent to readers", 1),
    ("my_engagement", "Replies, boosts, favourites", 0),
    ("my_engagement_rate", "Engagement rate", 1),
    ("my_followers", "Followers gained", 1),
)  # chart, words, how many of its lines add up; 0: all


def author_tiles(answers: Mapping[str, Answer]) -> Markup:
    """The totals of the time, against the time before."""
    return tiles(*(_total(answers.get(name), words, lines) for name, words, lines in _AUTHOR))


def _total(answer: Answer | None, words: str, lines: int) -> Markup:
    if answer is None:
        return tile(words, _UNKNOWN, note="not known just now")
    now, before = totals(answer.lines[: lines or None])
    if now is None:
        return tile(words, _UNKNOWN, note="nothing known yet")
    return tile(words, short(now, unit_of(answer.unit)), note=change(now, before, unit_of(answer.unit)))


async def operator_tiles(ports: Ports, account: Account) -> Markup:
    """How it stands: people and posts of today (UTC), what waits, and up to when numbers are complete. Cost: four
    requests, most of them kept."""
    now_ms = ports.clock.now_ms()
    return tiles(
        await _today(ports, account, "active", "Active today", "people"),
        await _today(ports, account, "activity", "Posts and replies today", ""),
        await _delay(ports, now_ms),
        _complete(await known_now(ports)),
    )


async def _today(ports: Ports, account: Account, chart: str, words: str, what: str) -> Markup:
    now_ms = ports.clock.now_ms()
    since = f"{moment(now_ms - DAY_MS, 'UTC'):%Y-%m-%d}"
    try:
        answer = await ask(ports, chart, Asked(since=since, step="day"), account=account)
    except Unavailable:
        return tile(words, _UNKNOWN, note="not known just now")
    counted = [line for line in answer.lines if line.name in ("active", "post", "reply")]
    days = [[value for value in day if value is not None] for day in zip(*(one.values for one in counted), strict=True)]
    if not days or not days[-1]:
        return tile(words, _UNKNOWN, note="nothing known yet")
    before = f"{grouped(sum(days[0]))} yesterday" if len(days) > 1 and days[0] else what
    return tile(words, grouped(sum(days[-1])), note=f"so far, {before}" if before else "so far")


async def _delay(ports: Ports, now_ms: int) -> Markup:
    """How long the oldest message waits, in which lane."""
    try:
        depths = await ports.queue.depths()
    except Unavailable:
        return tile("Queue delay", _UNKNOWN, note="the queue does not answer", is_bad=True)
    parked = sum(depth.parked for depth in depths)
    waiting = sum(depth.waiting for depth in depths)
    worst = max(depths, key=lambda depth: _age(depth, now_ms), default=None)
    age_ms = _age(worst, now_ms) if worst else 0
    notes = [f"{waiting:,} waiting" + (f", oldest in {worst.lane}" if worst and age_ms else "")]
    notes += [f"{parked:,} put aside"] if parked else []
    return tile("Queue delay", short(age_ms, "ms"), note=", ".join(notes), is_bad=age_ms > _BAD_DELAY_MS)


def _age(depth: LaneDepth, now_ms: int) -> int:
    return 0 if depth.oldest_ms is None else max(0, now_ms - depth.oldest_ms)


def _complete(known: Known) -> Markup:
    words = "Complete up to"
    if not known.last_ms:
        return tile(words, _UNKNOWN, note="nothing recorded yet")
    behind_ms = max(0, known.now_ms - known.last_ms)
    note = f"{short(behind_ms // 1_000, 's')} ago, UTC" if behind_ms >= 1_000 else "now, UTC"
    return tile(words, f"{moment(known.last_ms, 'UTC'):%H:%M:%S}", note=note, is_bad=behind_ms > LATE_MS)


def state_words(known: Known) -> Markup:
    """From when to when there are numbers, in a sentence."""
    if not known.last_ms:
        return tag("p", "Nothing has been recorded yet. Numbers appear here within minutes of what people do.",
                   class_="state")  # fmt: skip
    last, first = moment(known.last_ms, "UTC"), moment(known.first_ms, "UTC")
    is_late = known.now_ms - known.last_ms > LATE_MS
    words = f"Numbers are complete up to {last.day} {last:%b %Y, %H:%M} UTC; they begin on {first.day} {first:%b %Y}."
    more = " What happened since is still coming in, or nothing did." if is_late else ""
    return tag("p", words, more, class_="state late" if is_late else "state")
