"""Each chart against a count by hand over random facts: in a zone whose clock changes, some facts taken back."""

import math
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.social.conftest import Town
from tests.social.insight_facts import NOW_MS, Hand, random_facts
from townsquare.model.account import Account, Role, Visibility
from townsquare.model.errors import Forbidden, Invalid, NotFound
from townsquare.model.facts import DAY_MS, Fact, band_of, fact_id
from townsquare.model.insights import Answer, Line
from townsquare.social import favourites, follows
from townsquare.social.follows import FollowOptions
from townsquare.social.insights.ask import ANSWERS, CHARTS, KNOWN, Asked, ask, ask_status, charts_for
from townsquare.social.insights.charts import Chart
from townsquare.social.insights.lines import percentile
from townsquare.social.insights.tables import HOURS

BERLIN = "Europe/Berlin"
FACTS = random_facts(5, 6_000)
BOSS = Account(account_id=1, username="boss", created_ms=0, role=Role.ADMIN)
ANN = Account(account_id=11, username="ann", created_ms=0)
SINCE, UNTIL = "2026-08-10", "2026-10-26"
READ = ("public", "unlisted", "private")
REACTIONS = ("reply", "boost", "favourite")


@pytest.fixture
async def full(town: Town) -> Town:
    """A town with all the facts."""
    town.clock.ms = NOW_MS
    await town.ports.analytics.put(FACTS)
    return town


async def shown(
    town: Town, name: str, *, account: Account = BOSS, step: str = "day", zone: str = BERLIN, **more: str
) -> Answer:
    asked = Asked(**{"since": SINCE, "until": UNTIL, "zone": zone, "step": step} | more)
    return await ask(town.ports, name, asked, account=account)


def hand(step: str = "day", zone: str = BERLIN) -> Hand:
    return Hand(FACTS, zone, step)


def line(answer: Answer, name: str) -> Line:
    (found,) = [each for each in answer.lines if each.name == name]
    return found


def same(answer: Answer, name: str, expected: dict[str, Any], *, nothing: Any = 0) -> None:
    """The line has for each bucket what was counted by hand, and nothing for those to come."""
    values = dict(zip(answer.labels, line(answer, name).values, strict=True))
    for label, n in Counter(answer.labels).items():
        if n > 1:  # the hour that a clock shows twice
            shown_twice = zip(answer.labels, line(answer, name).values, strict=True)
            values[label] = sum(value or 0 for each, value in shown_twice if each == label)
    begun = {label for label, at in zip(answer.labels, answer.at, strict=True) if at <= NOW_MS}
    assert values == {label: expected.get(label, nothing) if label in begun else None for label in values}, name


# Sums over time -------------------------------------------------------------------------------------------------------

STEPS = [("day", SINCE), ("week", SINCE), ("month", "2026-08-01"), ("hour", "2026-10-20")]
SUMMED = {
    "sign_ups": ("sign_up",),
    "log_ins": ("log_in",),
    "activity": ("post", "reply", "boost", "favourite"),
    "moderation": ("report", "moderation"),
}


@pytest.mark.parametrize(("step", "since"), STEPS)
@pytest.mark.parametrize("zone", [BERLIN, "Asia/Kolkata", "America/St_Johns"])
async def test_sums(full: Town, step: str, since: str, zone: str) -> None:
    counted = hand(step, zone)
    for name, kinds in SUMMED.items():
        answer = await shown(full, name, step=step, since=since, zone=zone)
        assert [each.name for each in answer.lines] == list(kinds)
        for kind in kinds:
            sums = counted.sums(kind)
            same(answer, kind, sums)
            assert line(answer, kind).total == sum(sums.get(label, 0) for label in set(answer.labels))
    answer = await shown(full, "follows", step=step, since=since, zone=zone)
    same(answer, "follow", counted.sums("follow", "past_follow"))
    same(answer, "unfollow", counted.sums("unfollow"))
    # each second of the last bucket is in the range, and the bucket is not over
    assert answer.unfinished == len(answer.at) - 1 if step != "hour" else answer.unfinished is not None


@pytest.mark.parametrize("step", ["day", "week", "month"])
async def test_ratios(full: Town, step: str) -> None:
    counted = hand(step)
    charts = {
        "reply_rate": ("rate", counted.sums("reply"), counted.sums("post"), 100),
        "searches_without_result": ("empty", counted.sums("search", amount=0), counted.sums("search"), 100),
        "request_time": (
            "mean", counted.sums("request", of=lambda fact: fact.value * fact.amount), counted.sums("request"), 1,
        ),
        "error_rate": ("failed", counted.sums("request", label=("api 5xx", "page 5xx")), counted.sums("request"), 100),
    }  # fmt: skip
    for chart, (name, count, divisor, scale) in charts.items():
        answer = await shown(full, chart, step=step, since="2026-08-01")
        ratios = {
            label: round(scale * count.get(label, 0) / divisor[label], 4)
            for label in answer.labels
            if divisor.get(label, 0) > 0
        }
        same(answer, name, ratios, nothing=None)
        inside = set(answer.labels)
        total = sum(n for label, n in count.items() if label in inside)
        assert line(answer, name).total == round(
            scale * total / sum(n for label, n in divisor.items() if label in inside), 4
        )


@pytest.mark.parametrize("step", ["day", "week", "month"])
async def test_splits(full: Town, step: str) -> None:
    counted = hand(step)
    answer = await shown(full, "languages", step=step, since="2026-08-01")
    assert {each.name for each in answer.lines} == {"", "de", "en"}
    for language in ("", "de", "en"):
        same(answer, language, counted.sums("post", "reply", language=language))
    assert line(answer, "").title == "not said"
    answer = await shown(full, "media", step=step, since="2026-08-01")
    for label in ("cats", "dogs", "birds"):
        same(answer, label, counted.sums("media", of=lambda fact: fact.value * fact.amount, label=label))


async def test_more_values_than_lines_become_others(full: Town) -> None:
    answer = await shown(full, "active_by_app", zone="UTC")
    counted = hand(zone="UTC")
    totals = Counter(dict.fromkeys({fact.app for fact in FACTS}, 0))
    for fact in counted.facts("session"):
        totals[fact.app] += fact.value * (counted.bucket(fact.at_ms) in answer.labels)
    assert len(totals) == 9
    assert len(answer.lines) == 6
    top = [each.name for each in answer.lines][:-1]
    assert [totals[app] for app in top] == sorted(totals.values(), reverse=True)[:5]
    for app in top:
        same(answer, app, counted.sums("session", app=app))
    same(answer, "others", counted.sums("session", app=tuple(set(totals) - set(top))))


async def test_gauges_show_the_greatest_and_a_gap_where_nobody_looked(full: Town) -> None:
    answer = await shown(full, "queue_ages", step="hour", since="2026-10-20")
    counted = hand("hour")
    for lane in ("fan_out", "media"):
        greatest: dict[str, int] = {}
        for fact in counted.facts("queue_age", label=lane):
            if fact.value > 0:
                name = counted.bucket(fact.at_ms)
                greatest[name] = max(greatest.get(name, 0), fact.amount)
        twice = {label for label, n in Counter(answer.labels).items() if n > 1}  # the hour that Berlin had twice
        values = zip(answer.labels, line(answer, lane).values, strict=True)
        assert all(value == greatest.get(label) for label, value in values if label not in twice)
    assert None in line(answer, "media").values


# People ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["day", "week", "month"])
async def test_active_people_are_those_told_in_the_period_of_utc(full: Town, step: str) -> None:
    counted = hand(step, "UTC")
    answer = await shown(full, "active", step=step)
    assert (answer.zone, line(answer, "active").total) == ("UTC", None)
    same(answer, "active", counted.sums(f"active_{step}"))
    answer = await shown(full, "active_by_role", step=step)
    for role in ("user", "moderator", "admin"):
        same(answer, role, counted.sums(f"active_{step}", label=role))


async def test_stickiness(full: Town) -> None:
    answer = await shown(full, "stickiness", step="month", since="2026-07-01")
    daily, monthly = hand("month", "UTC").sums("active_day"), hand("month", "UTC").sums("active_month")
    # the first day with facts is 18 July; the 26th of October has begun
    begun = {"2026-07": 14, "2026-08": 31, "2026-09": 30, "2026-10": 26}
    same(
        answer,
        "stickiness",
        {month: round(100 * daily[month] / days / monthly[month], 4) for month, days in begun.items()},
    )


@pytest.mark.parametrize(("step", "since"), [("week", "2026-08-10"), ("month", "2026-08-01")])
async def test_cohorts(full: Town, step: str, since: str) -> None:
    answer = await shown(full, f"retention_{step}", step=step, since=since)
    counted = hand(step, "UTC")
    sizes = counted.sums("sign_up")
    seen: Counter[tuple[str, str]] = Counter()
    for fact in counted.facts(f"active_{step}"):
        seen[counted.bucket(fact.cohort * DAY_MS), counted.bucket(fact.at_ms)] += fact.value
    same(answer, "size", sizes)
    assert [each.name for each in answer.lines[1:]] == [str(n) for n in range(len(answer.labels))]
    for later in range(len(answer.labels)):
        for row, cohort in enumerate(answer.labels):
            expected = None
            if row + later < len(answer.labels) and sizes.get(cohort):
                expected = round(100 * seen[cohort, answer.labels[row + later]] / sizes[cohort], 4)
            assert line(answer, str(later)).values[row] == expected, (cohort, later)


# Amounts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind", "least"), [("delivery", "delivery", 0), ("response_time", "moderation", 1)])
async def test_percentiles_lie_in_the_band_of_the_true_one(full: Town, name: str, kind: str, least: int) -> None:
    answer = await shown(full, name, step="week")
    counted = hand("week")
    for index, label in enumerate(answer.labels):
        amounts = sorted(
            fact.amount
            for fact in counted.standing(kind)
            if fact.amount >= least and counted.bucket(fact.at_ms) == label
        )
        for part in (50, 90, 99):
            value = line(answer, f"p{part}").values[index]
            if not amounts:
                assert value is None
                continue
            true = amounts[math.ceil(len(amounts) * part / 100) - 1]
            assert value is not None
            assert band_of(math.ceil(value) - 1) <= band_of(true) <= band_of(int(value) + 1), (label, part)


def test_percentiles_of_few_and_of_none() -> None:
    assert percentile({}, 50) is None
    assert percentile({0: 5}, 99) == 0
    assert percentile({0: 50, band_of(1_000): 50}, 50) == 0
    found = percentile({0: 49, band_of(1_000): 51}, 50)
    assert found is not None
    assert band_of(int(found)) == band_of(1_000)


async def test_how_far_posts_reach(full: Town) -> None:
    answer = await shown(full, "reach")
    counted = hand()
    inside = _days_of_range()
    sums: Counter[int] = Counter()
    for fact in counted.facts("impression"):
        sums[fact.object] += fact.value * (counted.bucket(fact.at_ms) in inside)
    edges = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 10**9)
    expected = [sum(a <= n < b for n in sums.values()) for a, b in pairwise(edges)]
    assert list(line(answer, "posts").values) == expected
    assert (sum(expected), answer.at) == (line(answer, "posts").total, ())


async def test_when_the_first_reply_came(full: Town) -> None:
    answer = await shown(full, "first_reply")
    counted, inside = hand(), _days_of_range()
    first: dict[int, int] = {}
    for fact in counted.facts("reply"):
        if fact.value > 0 and counted.bucket(fact.at_ms) in inside:
            first[fact.object] = min(first.get(fact.object, fact.amount), fact.amount)
    edges = (0, 60, 300, 900, 3_600, 21_600, 86_400, 604_800, 10**12)
    expected = [sum(a <= n < b for n in first.values()) for a, b in pairwise(edges)]
    assert list(line(answer, "posts").values) == expected


def _days_of_range() -> set[str]:
    day = datetime.fromisoformat(SINCE).date().toordinal()
    return {datetime.fromordinal(n).strftime("%Y-%m-%d") for n in range(day, day + 78)}


# Tables ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [("top_tags", "tag"), ("top_links", "link")])
async def test_labels_used_most(full: Town, name: str, kind: str) -> None:
    answer = await shown(full, name)
    counted, inside = hand(), _days_of_range()
    uses: Counter[str] = Counter()
    for fact in counted.facts(kind):
        uses[fact.label] += fact.value * (counted.bucket(fact.at_ms) in inside)
    assert list(answer.labels) == sorted(uses, key=lambda label: (-uses[label], label))
    assert list(line(answer, "uses").values) == [uses[label] for label in answer.labels]
    for label, people in zip(answer.labels, line(answer, "people").values, strict=True):
        users: Counter[int] = Counter()
        for fact in counted.facts(kind, label=label):
            users[fact.actor] += fact.value * (counted.bucket(fact.at_ms) in inside)
        assert people == sum(n != 0 for n in users.values())


async def test_people_of_labels_that_are_used_very_often(town: Town) -> None:
    """Too often for one answer that names each use."""
    at_ms = town.clock.ms
    told_tags = [
        Fact(id=n + 1, kind="tag", at_ms=at_ms, value=30_000, actor=n % 3, label=("cats", "dogs")[n % 2])
        for n in range(8)
    ]
    await town.ports.analytics.put([*told_tags, told("storage", at_ms)])
    answer = await ask(town.ports, "top_tags", Asked(), account=BOSS)
    assert (answer.labels, line(answer, "people").values) == (("cats", "dogs"), (3, 3))


async def test_the_posts_with_most_reactions_are_public_and_still_there(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    gone = await town.person("gone", suspended=True)
    ids = [await town.post(ann, f"public   number {n}") for n in range(3)]
    hidden = [await town.post(ann, "hidden", visibility=each) for each in (Visibility.PRIVATE, Visibility.DIRECT)]
    hidden += [await town.post(ann, "unlisted", visibility=Visibility.UNLISTED), await town.post(gone, "theirs")]
    facts = []
    for status, n in zip((*hidden, *ids, 999), (9, 9, 9, 9, 1, 5, 3, 9), strict=True):
        for each in range(n):
            facts.append(_reaction("favourite", each, status, ann.account_id, town.clock.ms))
        facts.append(_reaction("impression", 1, status, ann.account_id, town.clock.ms))
    facts.append(_reaction("reply", 1, ids[0], ann.account_id, town.clock.ms))
    await town.ports.analytics.put(facts)
    answer = await ask(town.ports, "top_posts", Asked(), account=BOSS)
    assert answer.labels == ("@ann: public number 1", "@ann: public number 2", "@ann: public number 0")
    assert line(answer, "favourite").values == (5, 3, 1)
    assert line(answer, "reply").values == (0, 0, 1)
    assert line(answer, "impression").values == (1, 1, 1)
    assert answer.links[0].endswith(f"/@ann/{ids[1]}")
    own = await ask(town.ports, "my_posts", Asked(), account=ann)
    assert set(own.labels) == {"hidden", "unlisted", "public number 0", "public number 1", "public number 2"}
    assert len(own.labels) == 6
    reads = dict(zip(own.links, line(own, "impression").values, strict=True))
    assert reads[next(link for link in own.links if link.endswith(f"/{hidden[1]}"))] is None  # a direct one
    assert (await ask(town.ports, "my_posts", Asked(), account=bob)).labels == ()


def _reaction(kind: str, n: int, status: int, author: int, at_ms: int, **more: Any) -> Fact:
    named = fact_id(kind, n, status)
    known = {"visibility": "public"} | more
    return Fact(id=named, kind=kind, at_ms=at_ms, actor=n + 1, author=author, object=status, **known)


# Authors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["day", "week"])
async def test_authors_see_sums_of_what_is_theirs(full: Town, step: str) -> None:
    counted = hand(step)
    me = ANN.account_id

    async def mine(name: str) -> Answer:
        return await shown(full, name, account=ANN, step=step)

    same(await mine("my_impressions"), "impression", counted.sums("impression", author=me, visibility=READ))
    for kind in REACTIONS:
        same(await mine("my_engagement"), kind, counted.sums(kind, author=me))
    for kind in ("post", "reply", "boost"):
        same(await mine("my_activity"), kind, counted.sums(kind, actor=me))
    for kind in ("profile_view", "link_click"):
        same(await mine(f"my_{kind}s"), kind, counted.sums(kind, author=me))
    for visibility in READ:
        answer = await mine("my_impressions_by_visibility")
        same(answer, visibility, counted.sums("impression", author=me, visibility=visibility))
    assert "direct" not in {each.name for each in answer.lines}
    for visibility in (*READ, "direct"):
        answer = await mine("my_engagement_by_visibility")
        same(answer, visibility, counted.sums(*REACTIONS, author=me, visibility=visibility))
    for place in ("cats", "dogs", "birds"):
        answer = await mine("my_impressions_by_place")
        same(answer, place, counted.sums("impression", author=me, visibility=READ, label=place))
    followers = await mine("my_followers")
    follows = counted.sums("follow", "past_follow", author=me)
    unfollows = counted.sums("unfollow", author=me)
    gained = {label: follows.get(label, 0) - unfollows.get(label, 0) for label in followers.labels}
    same(followers, "gained", gained)
    assert line(followers, "gained").total == sum(gained.values())


async def test_engagement_rate_against_the_period_before(full: Town) -> None:
    answer = await shown(full, "my_engagement_rate", account=ANN, step="day", since="2026-10-10")
    counted = hand()
    acts = counted.sums(*REACTIONS, author=ANN.account_id, visibility=READ)
    reads = counted.sums("impression", author=ANN.account_id, visibility=READ)
    rate = line(answer, "rate")

    def expected(labels: list[str]) -> list[float | None]:
        return [
            round(100 * acts.get(label, 0) / reads[label], 4) if reads.get(label, 0) > 0 else None for label in labels
        ]

    assert list(rate.values) == expected(list(answer.labels))
    first = datetime.fromisoformat("2026-10-10").toordinal()
    before = [datetime.fromordinal(first - 17 + n).strftime("%Y-%m-%d") for n in range(17)]
    assert rate.previous is not None
    assert list(rate.previous[:-1]) == expected(before[:-1])  # the last is cut where today has come to


async def test_the_period_before_is_cut_where_this_one_has_come_to(full: Town) -> None:
    answer = await shown(full, "my_engagement", account=ANN, step="day", since="2026-10-24")
    elapsed = NOW_MS - answer.since_ms
    start = answer.since_ms - 3 * DAY_MS
    expected = sum(
        fact.value for fact in hand().facts("favourite", author=ANN.account_id) if start <= fact.at_ms < start + elapsed
    )
    assert line(answer, "favourite").previous_total == expected
    assert len(line(answer, "favourite").previous or ()) == 3


async def test_hours_of_the_week_in_the_zone(full: Town) -> None:
    answer = await shown(full, "my_hours", account=ANN)
    zone = ZoneInfo(BERLIN)
    sums: Counter[str] = Counter()
    hours: Counter[str] = Counter()
    for at in range(answer.since_ms, NOW_MS, 3_600_000):
        hours[_hour(at, zone)] += 1
    for fact in hand().facts(*REACTIONS, author=ANN.account_id):
        if answer.since_ms <= fact.at_ms < answer.until_ms:
            sums[_hour(fact.at_ms, zone)] += fact.value
    assert answer.labels == HOURS
    means = tuple(round(sums[label] / hours[label], 4) for label in HOURS)
    assert line(answer, "reactions").values == means


def _hour(at_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%a %H")


async def test_one_status_since_it_was_posted(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    status = await town.post(ann, "hello")
    other = await town.post(ann, "other")
    direct = await town.post(ann, "@bob hush", visibility=Visibility.DIRECT)
    at = town.clock.ms
    town.clock.advance(seconds=7_200)
    await town.ports.analytics.put(
        [
            *(_reaction("favourite", n, status, ann.account_id, at + n) for n in range(4)),
            *(_reaction("impression", n, status, ann.account_id, at + n, label="home") for n in range(8)),
            _reaction("favourite", 1, other, ann.account_id, at),
            _reaction("favourite", 1, direct, ann.account_id, at, visibility="direct"),
            _reaction("impression", 1, direct, ann.account_id, at, visibility="direct"),
            _reaction("impression", 9, other, ann.account_id, town.clock.ms),
        ]
    )
    answers = {answer.chart: answer for answer in await ask_status(town.ports, status, Asked(), account=ann)}
    assert line(answers["my_engagement"], "favourite").total == 4
    assert line(answers["my_impressions"], "impression").total == 8
    assert line(answers["my_engagement_rate"], "rate").total == 50
    assert line(answers["my_impressions_by_place"], "home").total == 8
    assert answers["my_engagement"].step == "hour"
    assert len(answers["my_engagement"].at) == 3
    hidden = {answer.chart: answer for answer in await ask_status(town.ports, direct, Asked(), account=ann)}
    assert hidden == {}
    for who, what in ((bob, status), (bob, direct), (ann, 12_345)):
        with pytest.raises(NotFound):
            await ask_status(town.ports, what, Asked(), account=who)


# What is not known ----------------------------------------------------------------------------------------------------


def told(kind: str, at_ms: int, n: int = 0) -> Fact:
    return Fact(id=fact_id(kind, at_ms, n), kind=kind, at_ms=at_ms, actor=1)


async def test_what_was_not_recorded_is_a_gap_and_no_zero(town: Town) -> None:
    """The store knows posts of old; what people looked at is known since facts are recorded."""
    today = town.clock.ms // DAY_MS * DAY_MS
    facts = [told("post", today - 9 * DAY_MS), told("storage", today - 4 * DAY_MS), told("storage", today)]
    await town.ports.analytics.put(facts)
    asked = Asked(since=_date(today - 11 * DAY_MS))
    posts = await ask(town.ports, "activity", msgspec.structs.replace(asked, step="day"), account=BOSS)
    assert line(posts, "post").values == (None, None, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    logs = await ask(town.ports, "log_ins", msgspec.structs.replace(asked, step="day"), account=BOSS)
    assert line(logs, "log_in").values == (None,) * 7 + (0,) * 5
    assert (logs.known_from_ms, logs.complete_to_ms) == (today - 9 * DAY_MS, today)


async def test_no_facts_at_all_are_gaps_everywhere(town: Town) -> None:
    for chart in charts_for(BOSS):
        answer = await ask(town.ports, chart.name, Asked(), account=BOSS)
        assert all(value is None for each in answer.lines for value in each.values), chart.name
        assert all(each.total is None for each in answer.lines), chart.name
        assert (answer.known_from_ms, answer.catching_up) == (0, False)


async def test_what_may_still_be_coming_is_a_gap(town: Town) -> None:
    now = town.clock.ms
    await town.ports.analytics.put([told("storage", now - 50 * DAY_MS), told("post", now - 2 * DAY_MS)])
    answer = await ask(town.ports, "activity", Asked(since=_date(now - 3 * DAY_MS), step="day"), account=BOSS)
    assert line(answer, "post").values == (0, 1, None, None)
    assert (answer.catching_up, answer.complete_to_ms) == (True, now - 2 * DAY_MS)
    assert answer.unfinished == 3


async def test_what_is_too_old_to_be_kept_is_a_gap(town: Town) -> None:
    now = town.clock.ms
    facts = [told("storage", now - 500 * DAY_MS), told("request", now - 100 * DAY_MS), told("storage", now)]
    await town.ports.analytics.put(facts)
    answer = await ask(town.ports, "requests", Asked(since=_date(now - 99 * DAY_MS), step="day"), account=BOSS)
    assert all(value is None for each in answer.lines for value in each.values[:8])
    rate = await ask(town.ports, "error_rate", Asked(since=_date(now - 110 * DAY_MS), step="day"), account=BOSS)
    assert line(rate, "failed").values[10] is None


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


# Who may ask for what -------------------------------------------------------------------------------------------------


async def test_charts_of_the_server_are_for_its_staff(full: Town) -> None:
    assert {chart.audience for chart in charts_for(ANN)} == {"author"}
    assert len(charts_for(BOSS)) == len(CHARTS)
    for chart in CHARTS.values():
        if chart.audience == "operator":
            with pytest.raises(Forbidden):
                await ask(full.ports, chart.name, Asked(), account=ANN)
    with pytest.raises(NotFound):
        await ask(full.ports, "nothing", Asked(), account=BOSS)


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda chart: chart.name)
async def test_each_chart_has_as_many_values_as_labels(full: Town, chart: Chart) -> None:
    for step in chart.steps:
        answer = await ask(
            full.ports, chart.name, Asked(step=step, zone=BERLIN), account=ANN if "my_" in chart.name else BOSS
        )
        assert len(answer.at) in (0, len(answer.labels))
        for each in answer.lines:
            assert len(each.values) == len(answer.labels)
        assert "{" not in answer.title
        assert answer.since_ms < answer.until_ms
    assert all((chart.about, chart.limits, chart.title))


@pytest.mark.parametrize(
    "asked",
    [
        Asked(step="year"),
        Asked(zone="Mars"),
        Asked(since="x"),
        Asked(since="2026-02-02", until="2026-02-01"),
        Asked(step="hour", since="2010-01-01"),
    ],
)
async def test_what_cannot_be_asked_is_refused(full: Town, asked: Asked) -> None:
    for name in ("activity", "my_engagement"):
        with pytest.raises(Invalid):
            await ask(full.ports, name, asked, account=BOSS)


async def test_the_staff_shares_answers_for_some_seconds(full: Town) -> None:
    first = await shown(full, "activity")
    await full.ports.analytics.put([told("post", NOW_MS - 1_000)])
    assert await shown(full, "activity") == first
    mine = await shown(full, "my_activity", account=BOSS)
    assert line(mine, "post").values[-1] == 1 + hand().sums("post", actor=1).get("2026-10-26", 0)
    full.clock.advance(seconds=ANSWERS.ttl_s + KNOWN.ttl_s)
    assert line(await shown(full, "activity"), "post").total == (line(first, "post").total or 0) + 1


# From acts to charts --------------------------------------------------------------------------------------------------


async def test_what_people_do_here_comes_to_the_charts(town: Town) -> None:
    ann, bob, eve = [await town.person(name) for name in ("ann", "bob", "eve")]
    hello = await town.post(ann, "hello #cats")
    hush = await town.post(ann, "@bob hush", visibility=Visibility.DIRECT)
    for who in (bob, eve):
        await follows.follow(town.ports, actor=who, target_id=ann.account_id, options=FollowOptions())
        await favourites.favourite(town.ports, actor=who, status_id=hello)
    await favourites.favourite(town.ports, actor=bob, status_id=hush)
    await favourites.unfavourite(town.ports, actor=eve, status_id=hello)
    town.clock.advance(seconds=3_600)
    await town.post(bob, "hello too", reply_to=hello)
    await follows.unfollow(town.ports, actor=eve, target_id=ann.account_id)
    await town.work(disorder=True)
    await town.ports.analytics.put([told("storage", town.clock.ms - DAY_MS)])
    town.clock.advance(seconds=60)
    asked = Asked(step="day")
    engagement = await ask(town.ports, "my_engagement", asked, account=ann)
    assert [(each.name, each.total) for each in engagement.lines] == [("reply", 1), ("boost", 0), ("favourite", 1)]
    followers = await ask(town.ports, "my_followers", asked, account=ann)
    assert [each.total for each in followers.lines] == [1, 2, 1]
    assert (await ask(town.ports, "my_posts", asked, account=ann)).labels == ("hello #cats",)
    posts = await ask(town.ports, "top_posts", asked, account=BOSS)
    assert (posts.labels, line(posts, "reply").values) == (("@ann: hello #cats",), (1,))
    tags = await ask(town.ports, "top_tags", asked, account=BOSS)
    assert (tags.labels, line(tags, "people").values) == (("cats",), (1,))
    waited = await ask(town.ports, "first_reply", asked, account=BOSS)
    assert waited.labels[[n or 0 for n in line(waited, "posts").values].index(1)] == "1 to 6 h"
