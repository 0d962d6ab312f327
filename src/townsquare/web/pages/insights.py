"""Insights as pages: what an author learns of their own posts, and the numbers that the staff runs the server by.

Box: web. Who may ask for a chart is decided where it is asked, not here. Numbers that cannot be had leave their place
empty and say so; the others are shown.
"""

import asyncio
import csv
import io
from collections.abc import Sequence

from townsquare.kit.html import Markup, join, tag
from townsquare.model.errors import Invalid, NotFound, Unavailable
from townsquare.model.insights import Answer
from townsquare.render.charts.figure import csv_rows, figure
from townsquare.render.charts.picture import Picture
from townsquare.social.insights.ask import CHARTS, Asked, ask, ask_status, is_operator, known_now
from townsquare.social.insights.authors import AUTHOR_CHARTS
from townsquare.social.insights.charts import Chart
from townsquare.social.insights.operators import ACTIVITY, PEOPLE
from townsquare.social.insights.upkeep import MACHINE, SAFETY
from townsquare.social.ports import Ports
from townsquare.web.pages.assets import CHARTS_SCRIPT, CHARTS_STYLE, address
from townsquare.web.pages.frame import View, here, show, tabs
from townsquare.web.pages.layout import HTML
from townsquare.web.pages.parts.chart import away, picture
from townsquare.web.pages.parts.dashboard import author_tiles, operator_tiles, state_words
from townsquare.web.pages.parts.ranges import Range, asked_of, chooser, read_range
from townsquare.web.routes import Access, CacheClass, Request, Response, Route

PATH, STAFF_PATH = "/insights", "/admin/insights"
_AT_ONCE = 4  # charts that one page asks for at a time
_READING = ("my_impressions", "my_impressions_by_place", "my_impressions_by_visibility", "my_posts")
_ANSWERS = ("my_engagement", "my_engagement_rate", "my_engagement_by_visibility", "my_hours", "my_link_clicks")
Group = tuple[str, Sequence[Chart]]

STAFF_GROUPS: tuple[Group, ...] = (
    ("People", PEOPLE),
    ("Activity", ACTIVITY),
    ("Safety", SAFETY),
    ("Server", MACHINE),
)
AUTHOR_GROUPS: tuple[Group, ...] = (
    ("Who is shown your posts", [chart for chart in AUTHOR_CHARTS if chart.name in _READING]),
    ("What they do with them", [chart for chart in AUTHOR_CHARTS if chart.name in _ANSWERS]),
    ("Your profile and you", [chart for chart in AUTHOR_CHARTS if chart.name not in (*_READING, *_ANSWERS)]),
)


async def of_author(request: Request, ports: Ports) -> Response:
    """The author's own insights."""
    wanted = read_range(request)
    found = await _answers(request, ports, AUTHOR_GROUPS, wanted)
    answers = {name: answer for name, answer in found.items() if isinstance(answer, Answer)}
    return await _page(request, ports, found, wanted, tiles=author_tiles(answers))


async def of_server(request: Request, ports: Ports) -> Response:
    """The operator's dashboard."""
    wanted = read_range(request)
    found = await _answers(request, ports, STAFF_GROUPS, wanted)
    return await _page(request, ports, found, wanted, tiles=await operator_tiles(ports, request.account))


async def tiles_now(request: Request, ports: Ports) -> Response:
    """The tiles of the operator's dashboard, for a page that is open."""
    return Response((await operator_tiles(ports, request.account)).encode(), content_type=HTML)


async def of_status(request: Request, ports: Ports) -> Response:
    """What is known of one post of the author's own."""
    found = await ask_status(ports, request.id(), Asked(zone=read_range(request).zone), account=request.account)
    drawn = [figure(picture(CHARTS[answer.chart], answer)) for answer in found]
    words = "Direct posts show reactions only."
    body = tag("section", tag("h2", "Since it was written"), tag("p", words, class_="state"),
               tag("div", drawn, class_="charts"), class_="charts-group")  # fmt: skip
    return await show(request, ports, _view("Insights of a post", body, back=PATH))


async def as_csv(request: Request, ports: Ports) -> Response:
    """The numbers of one chart, as its table has them."""
    chart = CHARTS.get(request.path_params["chart"])
    if chart is None:
        raise NotFound
    wanted = read_range(request)
    asked = _asked(chart, wanted, ports.clock.now_ms())
    drawn = picture(chart, await ask(ports, chart.name, asked, account=request.account))
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_harmless(row) for row in csv_rows(drawn)])
    headers = (("content-disposition", f'attachment; filename="{chart.name}.csv"'),)
    return Response(text.getvalue().encode(), content_type="text/csv; charset=utf-8", headers=headers)


def _harmless(row: list[str]) -> list[str]:
    """What people typed is no formula for who opens the file in a spreadsheet."""
    return [f"'{row[0]}" if row[0].startswith(("=", "+", "-", "@", "\t", "\r")) else row[0], *row[1:]]


# The page -------------------------------------------------------------------------------------------------------------

Found = dict[str, Answer | Unavailable | Invalid]


async def _answers(request: Request, ports: Ports, groups: Sequence[Group], wanted: Range) -> Found:
    """The answers of all charts, or why there is none.

    Raises: Invalid where no chart can be asked so.
    """
    now_ms, room = ports.clock.now_ms(), asyncio.Semaphore(_AT_ONCE)

    async def one(chart: Chart) -> Answer | Unavailable | Invalid:
        async with room:
            try:
                return await ask(ports, chart.name, _asked(chart, wanted, now_ms), account=request.account)
            except (Unavailable, Invalid) as error:
                return error

    charts = [chart for _, each in groups for chart in each]
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(one(chart)) for chart in charts]
    found = {chart.name: task.result() for chart, task in zip(charts, asked, strict=True)}
    refused = [each for each in found.values() if isinstance(each, Invalid)]
    if len(refused) == len(found):
        raise refused[0]
    return found


def _asked(chart: Chart, wanted: Range, now_ms: int) -> Asked:
    """What is asked for this chart: what has only weeks or months shows its usual length at least."""
    if wanted.days and chart.steps[0] in ("week", "month") and wanted.days < chart.default_days:
        return Asked(zone=wanted.zone)
    asked = asked_of(wanted, now_ms)
    return asked if asked.step in ("", *chart.steps) else Asked(since=asked.since, until=asked.until, zone=asked.zone)


async def _page(request: Request, ports: Ports, found: Found, wanted: Range, *, tiles: Markup) -> Response:
    is_staff_page = request.path == STAFF_PATH
    groups = STAFF_GROUPS if is_staff_page else AUTHOR_GROUPS
    state = state_words(await known_now(ports))
    body = join(
        chooser(request.path, wanted),
        state,
        tag("section", tiles, aria_label="Now" if is_staff_page else "In short",
            data_again=f"{STAFF_PATH}/tiles" if is_staff_page else None),
        [_group(title, charts, found, wanted) for title, charts in groups],
    )  # fmt: skip
    title = "Numbers of the server" if is_staff_page else "Insights"
    return await show(request, ports, _view(title, body, bar=_bar(request)))


def _view(title: str, body: Markup, *, bar: Markup | None = None, back: str = "") -> View:
    head = join(
        tag("link", rel="stylesheet", href=address(CHARTS_STYLE)),
        tag("script", src=address(CHARTS_SCRIPT), type="module"),
    )
    return View(title=title, body=body, head=head, bar=bar, back=back, place="settings", is_broad=True)


def _bar(request: Request) -> Markup | None:
    """For the staff, who have two pages."""
    if not is_operator(request.account):
        return None
    query = here(request).partition("?")[2]
    entries = [
        (words, f"{path}?{query}" if query else path, path == request.path)
        for words, path in (("Your posts", PATH), ("The server", STAFF_PATH))
    ]
    return tabs(entries, label="Whose numbers")


def _group(title: str, charts: Sequence[Chart], found: Found, wanted: Range) -> Markup:
    drawn = [figure(_picture(chart, found[chart.name], wanted)) for chart in charts]
    return tag("section", tag("h2", title), tag("div", drawn, class_="charts"), class_="charts-group", aria_label=title)


def _picture(chart: Chart, answer: Answer | Unavailable | Invalid, wanted: Range) -> Picture:
    if isinstance(answer, Answer):
        return picture(chart, answer, csv=f"{PATH}/{chart.name}.csv?{wanted.query}")
    return away(chart, "" if isinstance(answer, Unavailable) else str(answer).removeprefix("Validation failed: "))


ROUTES = [
    Route("GET", PATH, of_author, cache=CacheClass.PAGE, html=True),
    Route("GET", f"{PATH}/posts/{{id}}", of_status, cache=CacheClass.PAGE, html=True),
    Route("GET", f"{PATH}/{{chart}}.csv", as_csv, html=True),
    Route("GET", STAFF_PATH, of_server, access=Access.STAFF, cache=CacheClass.PAGE, html=True),
    Route("GET", f"{STAFF_PATH}/tiles", tiles_now, access=Access.STAFF, html=True),
]
