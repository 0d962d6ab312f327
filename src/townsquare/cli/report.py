"""`townsquare report`: a month of the server's numbers as one file, to be read, printed or sent.

Box: cli. The HTML holds all it needs: it asks no server for anything.
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from townsquare.cli.options import Context, WrongUse, data_option, json_option
from townsquare.cli.session import show, with_ports
from townsquare.model.account import Account, Role
from townsquare.social.ports import Ports

if TYPE_CHECKING:
    from townsquare.render.charts.picture import Picture
    from townsquare.social.insights.ask import Asked

_FORMATS = ("html", "md")
_COHORT_DAYS = {"week": 84, "month": 365}  # of charts that have no days, up to the end of the month


@click.command()
@click.option("--month", metavar="YYYY-MM", help="Which month [default: the last one that is over].")
@click.option(
    "--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="[default: report-YYYY-MM]"
)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="[default: by FILE's ending, else html]")
@click.option("--zone", default="UTC", show_default=True, help="Time zone of the days, such as Europe/Lisbon.")
@data_option
@json_option
@click.pass_obj
def report(
    context: Context,
    month: str | None,
    out: Path | None,
    form: str | None,
    zone: str,
    data: str | None,
    as_json: bool,
) -> None:
    """Write a month of the server's numbers into one file, as HTML with charts or as Markdown."""
    first = _first_of(month)
    form = form or ("md" if out and out.suffix in (".md", ".markdown") else "html")
    path = out or Path(f"report-{first:%Y-%m}.{form}")

    async def act(ports: Ports) -> str:
        return await written(ports, first, form=form, zone=zone)

    text = with_ports(context.settings(data=data), act)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise click.ClickException(f"{path} cannot be written: {exc.strerror}.") from exc
    answer = {"file": str(path), "month": f"{first:%Y-%m}", "format": form, "bytes": len(text.encode())}
    show(answer, as_json=as_json, text=f"Written to {path}.")


def _first_of(month: str | None) -> date:
    """The first day of the month that is meant.

    Raises: WrongUse.
    """
    today = datetime.now(UTC).date()
    if month is None:
        return (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError as exc:
        raise WrongUse(f"--month is a year and a month, such as 2026-11, not {month!r}.") from exc
    if first > today:
        raise WrongUse(f"{month} has not begun yet.")
    return first


async def written(ports: Ports, first: date, *, form: str, zone: str) -> str:
    """The report of the month that begins on this day.

    Raises: Invalid for a zone that is none; Unavailable.
    """
    from townsquare.render.charts.markdown import chart_text, escaped  # noqa: PLC0415 - so that --help is quick

    groups = await _groups(ports, first, zone)
    title = f"{ports.settings.title}, {first:%B %Y}"
    state = await _state(ports, zone)
    if form == "md":
        parts = [f"# {escaped(title)}", escaped(state)]
        for name, drawn in groups:
            parts += [f"## {escaped(name)}", *map(chart_text, drawn)]
        return "\n\n".join(parts)
    return _html(title, state, groups)


async def _groups(ports: Ports, first: date, zone: str) -> "list[tuple[str, list[Picture]]]":
    from townsquare.social.insights.ask import ask  # noqa: PLC0415 - so that --help is quick
    from townsquare.web.pages.insights import STAFF_GROUPS  # noqa: PLC0415
    from townsquare.web.pages.parts.chart import picture  # noqa: PLC0415

    operator = Account(account_id=0, username="", created_ms=0, role=Role.OWNER)  # who may type commands may see it
    groups = []
    for name, charts in STAFF_GROUPS:
        drawn = []
        for chart in charts:
            answer = await ask(ports, chart.name, _asked(chart.steps, first, zone), account=operator)
            drawn.append(_with_whole_links(picture(chart, answer), ports.settings.base))
        groups.append((name, drawn))
    return groups


def _asked(steps: Sequence[str], first: date, zone: str) -> "Asked":
    from townsquare.social.insights.ask import Asked  # noqa: PLC0415

    last = first.replace(day=monthrange(first.year, first.month)[1])
    if "day" in steps:
        return Asked(since=f"{first}", until=f"{last}", zone=zone, step="day")
    since = last - timedelta(days=_COHORT_DAYS[steps[0]] - 1)
    return Asked(since=f"{since}", until=f"{last}", zone=zone, step=steps[0])


def _with_whole_links(drawn: "Picture", base: str) -> "Picture":
    links = tuple(f"{base}{link}" if link.startswith("/") else link for link in drawn.links)
    return msgspec.structs.replace(drawn, links=links)


async def _state(ports: Ports, zone: str) -> str:
    """How complete the numbers are."""
    from townsquare.render.charts.numbers import moment  # noqa: PLC0415
    from townsquare.social.insights.ask import known_now  # noqa: PLC0415

    known = await known_now(ports)
    if not known.last_ms:
        return "Nothing has been recorded yet."
    first, last = moment(known.first_ms, zone), moment(known.last_ms, zone)
    return (
        f"Numbers begin on {first.day} {first:%B %Y} and were complete up to {last.day} {last:%B %Y, %H:%M} ({zone}) "
        "when this was written. What was not recorded is a gap, not a zero."
    )


def _html(title: str, state: str, groups: "list[tuple[str, list[Picture]]]") -> str:
    from townsquare.kit.html import Markup, join, tag  # noqa: PLC0415
    from townsquare.render.charts.figure import figure  # noqa: PLC0415
    from townsquare.web.pages.assets import CHARTS_STYLE, STYLE, text_of  # noqa: PLC0415

    sections = [
        tag("section", tag("h2", name), tag("div", [figure(each) for each in drawn], class_="charts"),
            class_="charts-group", aria_label=name)
        for name, drawn in groups
    ]  # fmt: skip
    style = Markup(f"<style>\n{text_of(STYLE)}\n{text_of(CHARTS_STYLE)}\n</style>")
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        style,
    )
    main = tag("main", tag("h1", title), tag("p", state, class_="state"), sections, class_="report")
    return join(Markup("<!doctype html>\n"), tag("html", tag("head", head), tag("body", main), lang="en")) + "\n"
