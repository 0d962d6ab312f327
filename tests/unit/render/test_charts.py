"""Charts: what is not known is a gap, bars stand on zero, what still goes on is hatched; table and CSV say the same."""

import re

import msgspec
import pytest

from townsquare.kit.html import Markup
from townsquare.model.facts import DAY_MS
from townsquare.render.charts.figure import csv_rows, figure
from townsquare.render.charts.numbers import grouped, short, value_ticks, whole
from townsquare.render.charts.picture import Picture, Series
from townsquare.render.charts.plot import HEIGHT, MOST_BARS
from townsquare.render.charts.ticks import MOST_MARKS, time_marks

MONDAY_MS = 1_793_577_600_000  # 2026-11-02, UTC


def days(count: int, first_ms: int = MONDAY_MS) -> tuple[int, ...]:
    return tuple(first_ms + n * DAY_MS for n in range(count))


def picture(*values: float | None, sort: str = "lines", **fields: object) -> Picture:
    made = Picture(
        key="k",
        title="Posts per day",
        sort="lines",
        series=(Series(name="Posts", values=values),),
        starts_ms=days(len(values)),
        step="day",
    )
    return msgspec.structs.replace(made, sort=sort, **fields)


def paths(drawn: Markup, kind: str = "curve") -> list[str]:
    return re.findall(rf'<path d="([^"]+)" class="{kind} s1"', drawn)


def test_a_gap_makes_two_lines() -> None:
    drawn = figure(picture(1, 2, None, 4, 5))
    assert len(paths(drawn)) == 2
    assert all(path.count("L") == 1 for path in paths(drawn))


def test_a_zero_is_no_gap() -> None:
    (path,) = paths(figure(picture(1, 2, 0, 4, 5)))
    assert path.count("L") == 4


def test_a_single_value_is_a_dot() -> None:
    drawn = figure(picture(None, None, 7, unfinished=2))
    assert paths(drawn) == []
    assert drawn.count("<circle") == 1


def test_bars_stand_on_zero_and_on_one_another() -> None:
    chart = picture(10, 20, sort="bars")
    more = (*chart.series, Series(name="Replies", values=(30, 0)))
    drawn = figure(msgspec.structs.replace(chart, series=more))
    bars = re.findall(r'y="([\d.]+)" height="([\d.]+)" class="bar s(\d)"', drawn)
    ground = float(re.findall(r'y1="([\d.]+)" y2="[\d.]+" class="ground"', drawn)[0])
    bottoms = [float(y) + float(height) for y, height, _ in bars]
    assert [number for _, _, number in bars] == ["1", "1", "2"]  # a zero has no bar
    assert bottoms[:2] == [pytest.approx(ground, abs=0.2)] * 2
    assert bottoms[2] == pytest.approx(float(bars[0][0]), abs=0.2)
    assert float(bars[1][1]) == pytest.approx(HEIGHT / 2, abs=0.2)  # 20 of 40


def test_only_the_unfinished_bucket_is_hatched() -> None:
    drawn = figure(picture(3, 4, 2, sort="bars", unfinished=2))
    assert [*re.findall(r'fill="url\(#(k-s1)\)" class="bar s1 unfinished"', drawn)] == ["k-s1"]
    assert drawn.count('class="bar s1"') == 2
    assert '<pattern id="k-s1"' in drawn
    assert "url(" not in figure(picture(3, 4, 2, sort="bars"))


def test_the_line_to_what_still_goes_on_is_another() -> None:
    drawn = figure(picture(3, 4, 2, unfinished=2))
    assert len(paths(drawn)) == 1
    assert len(paths(drawn, "curve so-far")) == 1
    assert 'fill="url(#k-s0)"' in drawn


def test_many_bars_are_one_shape_and_the_last_is_hatched() -> None:
    size = MOST_BARS + 1
    drawn = figure(picture(*range(size), sort="bars", unfinished=size - 1))
    assert len(paths(drawn, "area")) == 1
    assert drawn.count("<rect x=") == 1


def test_nothing_known_is_said() -> None:
    drawn = figure(picture(None, None))
    assert "Nothing was recorded" in drawn
    assert "<svg" not in drawn
    assert "<table" not in drawn


def test_table_and_csv_say_the_same() -> None:
    chart = picture(1234, None, 0.126, unfinished=2, unit="s")
    drawn = figure(chart)
    head = re.findall(r'scope="col">([^<]+)', drawn)
    cells = re.findall(r"<td>([^<]+)</td>", drawn)
    first, *rows = csv_rows(chart)
    assert first == head == ["Time", "Posts (seconds)"]
    assert rows == [["2026-11-02", "1234"], ["2026-11-03", ""], ["2026-11-04", "0.13"]]
    assert cells == ["1,234", "–", "0.13"]
    assert "Wed 4 Nov 2026 (so far)" in drawn


def test_what_people_typed_stays_text() -> None:
    chart = Picture(
        key="k",
        title="Tags",
        sort="table",
        series=(Series(name="Uses", values=(3,)),),
        labels=("<b onload=x>",),
        links=("/tags/x",),
    )
    assert "<b onload" not in figure(chart)


def test_a_grid_of_hours_has_a_cell_for_each_known_one() -> None:
    values = tuple(None if hour == 5 else hour for hour in range(168))
    chart = Picture(
        key="k", title="Hours", sort="grid", series=(Series(name="Acts", values=values),), labels=("x",) * 168
    )
    drawn = figure(chart)
    assert drawn.count('class="cell ') == 167
    assert drawn.count("cell h0") == 1
    assert 'data-columns="24"' in drawn


# Numbers and marks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "unit", "ticks"),
    [
        (3, "", [0, 1, 2, 3]),
        (17, "", [0, 5, 10, 15, 20]),
        (1, "", [0, 1]),
        (0, "", [0, 1]),
        (420, "", [0, 200, 400, 600]),
        (100, "%", [0, 50, 100]),
        (200, "s", [0, 60, 120, 180, 240]),
        (90_000, "ms", [0, 30_000, 60_000, 90_000]),
    ],
)
def test_axes_have_round_numbers(most: float, unit: str, ticks: list[float]) -> None:
    assert value_ticks(most, unit) == ticks  # type: ignore[arg-type]  # a literal


def test_an_axis_goes_below_zero_where_values_do() -> None:
    assert value_ticks(10, "", least=-3) == [-5, 0, 5, 10]
    drawn = figure(picture(10, -3, 0))
    assert "−5" in drawn
    assert re.findall(r'y1="([\d.]+)" y2="[\d.]+" class="ground"', drawn) == [f"{10 + HEIGHT * 2 / 3:.1f}"]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0, "", "0"),
        (1234, "", "1,234"),
        (12_345, "", "12.3k"),
        (3_200_000, "", "3.2m"),
        (90, "s", "1.5 min"),
        (7_200, "s", "2 h"),
        (950, "ms", "950 ms"),
        (1_500, "ms", "1.5 s"),
        (2_500_000_000, "bytes", "2.5 GB"),
        (12.34, "%", "12.3 %"),
    ],
)
def test_short_numbers(value: float, unit: str, words: str) -> None:
    assert short(value, unit) == words  # type: ignore[arg-type]  # a literal


def test_whole_numbers_keep_their_digits() -> None:
    assert [whole(each) for each in (1234567, 0.5, 2.0, None)] == ["1234567", "0.5", "2", ""]
    assert [grouped(each) for each in (1234567, 1234.5, -0.25, None)] == ["1,234,567", "1,234.5", "-0.25", "–"]


def test_marks_stand_at_mondays_and_at_firsts_of_months() -> None:
    month = picture(*[1] * 30)
    assert [mark.words for mark in time_marks(month)] == ["2 Nov", "9 Nov", "16 Nov", "23 Nov", "30 Nov"]
    year = time_marks(picture(*[1] * 365))
    assert [mark.words for mark in year][:3] == ["2027", "Mar", "May"]
    assert len(year) <= MOST_MARKS
    assert sum(not mark.is_more for mark in year) <= 5  # on a phone


def test_marks_follow_the_zone() -> None:
    hours = tuple(MONDAY_MS + n * 3_600_000 for n in range(24))
    chart = picture(*[1] * 24, starts_ms=hours, step="hour", zone="Europe/Lisbon")
    assert [mark.words for mark in time_marks(chart)][:2] == ["2 Nov", "06:00"]
    away = msgspec.structs.replace(chart, zone="Asia/Kolkata")
    assert time_marks(away)[0].at == 1  # 06:30, the first of an hour that six divides
