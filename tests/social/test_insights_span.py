"""Ranges of time in the zones where people live."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from townsquare.model.errors import Invalid
from townsquare.social.insights.charts import Step
from townsquare.social.insights.span import Span, hour_of_week, read_time, span_of, zone_of

HOUR_MS = 3_600_000
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def span(since: str, until: str, zone: str, step: Step) -> Span:
    return span_of(read_time(since, "since", zone=zone), read_time(until, "until", zone=zone), zone=zone, step=step)


def test_days_have_as_many_hours_as_the_clock_shows() -> None:
    """The clock goes back on 25 October, and forward on 29 March."""
    autumn = span("2026-10-24", "2026-10-27", "Europe/Berlin", "day")
    assert [(b - a) // HOUR_MS for a, b in map(autumn.bucket, range(3))] == [24, 25, 24]
    spring = span("2026-03-28", "2026-03-31", "Europe/Berlin", "day")
    assert [(b - a) // HOUR_MS for a, b in map(spring.bucket, range(3))] == [24, 23, 24]
    assert autumn.labels() == ("2026-10-24", "2026-10-25", "2026-10-26")


def test_a_range_is_cut_where_the_offset_changes() -> None:
    parts = span("2026-10-20", "2026-11-20", "Europe/Berlin", "day").parts()
    change = ms("2026-10-25T01:00:00+00:00")
    assert [(part.until_ms, part.since_ms, part.offset_s) for part in parts] == [
        (change, ms("2026-10-19T22:00:00+00:00"), -7_200),
        (ms("2026-11-19T23:00:00+00:00"), change, -3_600),
    ]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("step", ["hour", "day", "week", "month"])
def test_each_moment_lies_in_the_bucket_that_a_calendar_says(zone: str, step: Step) -> None:
    """Over changes of the clock, also by half an hour, and at midnight."""
    since, until = ("2018-10-30", "2018-11-08") if step == "hour" else ("2018-01-15", "2018-12-20")
    found = span(since, until, zone, step)
    where = zone_of(zone)
    forms = {"hour": "%Y-%m-%d %H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
    labels = found.labels()
    for at in range(found.since_ms, found.until_ms, 1_777_001):
        local = datetime.fromtimestamp(at / 1000, where)
        assert labels[found.index(at)].startswith(local.strftime(forms[step])), local
    assert list(found.starts) == sorted(set(found.starts))


@pytest.mark.parametrize("zone", ZONES)
def test_hours_of_a_range_fill_it(zone: str) -> None:
    days = span("2018-03-01", "2018-12-01", zone, "day")
    hours = days.hours()
    assert (hours.since_ms, hours.until_ms) == (days.since_ms, days.until_ms)
    where = zone_of(zone)
    for index in range(len(hours.starts)):
        start, end = hours.bucket(index)
        assert 0 < end - start <= HOUR_MS
        assert hour_of_week(start, where) == hour_of_week(end - 1, where)


def test_the_period_before_has_as_many_buckets_and_ends_where_this_one_has_come_to() -> None:
    now = ms("2026-11-10T06:00:00+00:00")
    this = span("2026-11-04", "2026-11-11", "UTC", "day")
    before = this.before(now)
    assert before.labels()[0] == "2026-10-28"
    assert len(before.starts) == 7
    assert before.until_ms == ms("2026-11-03T06:00:00+00:00")
    over = span("2026-11-01", "2026-11-04", "UTC", "day").before(now)
    assert (over.labels(), over.until_ms) == (("2026-10-29", "2026-10-30", "2026-10-31"), ms("2026-11-01T00:00:00Z"))
    months = span("2026-10-01", "2026-12-01", "Europe/Berlin", "month").before(now)
    assert months.labels() == ("2026-08", "2026-09")


def test_the_bucket_that_is_not_over() -> None:
    week = span("2026-11-01", "2026-11-20", "UTC", "week")
    assert week.labels() == ("2026-W44", "2026-W45", "2026-W46", "2026-W47")
    assert week.unfinished(ms("2026-11-03T00:00:00Z")) == 1
    assert week.unfinished(week.until_ms) is None
    assert week.unfinished(week.since_ms - 1) is None


def test_times_are_read_in_the_zone() -> None:
    assert read_time("2026-11-01", "since", zone="Asia/Kolkata") == ms("2026-10-31T18:30:00Z")
    assert read_time("2026-11-01", "until", zone="Asia/Kolkata", ends=True) == ms("2026-11-01T18:30:00Z")
    assert read_time("2026-11-01T10:00", "since", zone="Asia/Kolkata") == ms("2026-11-01T04:30:00Z")
    assert read_time("2026-11-01T10:00:00+00:00", "since", zone="Asia/Kolkata") == ms("2026-11-01T10:00:00Z")


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "0001-01-01", "9999-12-31", "1793000000", "2026-11-01T"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_time(text, "since", zone="Europe/Berlin", ends=True)


@pytest.mark.parametrize("zone", ["Europe", "Mars/Base", "../etc/passwd", "/etc/localtime", "x" * 500, "a\0b", ""])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(Invalid):
        zone_of(zone)


def test_too_many_points_are_refused() -> None:
    with pytest.raises(Invalid, match="too short"):
        span("2020-01-01", "2026-01-01", "UTC", "hour")
    with pytest.raises(Invalid, match="later than"):
        span("2026-01-02", "2026-01-01", "UTC", "day")


def test_zones_are_those_of_iana() -> None:
    assert zone_of("UTC") is UTC
    assert zone_of("Europe/Lisbon") == ZoneInfo("Europe/Lisbon")
