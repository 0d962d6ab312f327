"""Charts in Chromium: a cursor that reads what the table says, CSV, axe; with scripts and without."""

import asyncio
import csv
import io
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.clients.test_browser import (
    CHROMIUM,
    faults_of,
    log_in,
    look,
    pytestmark,  # noqa: F401 - slow, and only where there is a browser
)
from tests.live import LiveServer
from townsquare.boot import open_ports
from townsquare.model.facts import DAY_MS, Fact, fact_id
from townsquare.settings import read_settings

DAYS = 45
PATHS = ("/insights?days=7", "/admin/insights?days=7")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def staff(live: LiveServer) -> str:
    """The name of a member of the staff, on a server that has seen some weeks."""
    account_id = int(live.account("nora", role="admin")["id"])

    async def act() -> None:
        async with open_ports(read_settings(data=str(live.data))) as ports:
            await ports.analytics.put([*_facts(account_id)])

    with ThreadPoolExecutor() as threads:  # this thread has the browser's loop
        threads.submit(lambda: asyncio.run(act())).result()
    return "nora"


def _facts(author: int) -> Iterator[Fact]:
    now_ms = time.time_ns() // 1_000_000
    for day in range(DAYS):
        at_ms = now_ms - day * DAY_MS - 60_000
        for n in range(3 + day % 4):
            yield _fact("post", day * 100 + n, at_ms, actor=author, object=n + 1, visibility="public", language="en")
            yield _fact("favourite", day * 100 + n, at_ms, actor=5, author=author, object=n + 1, visibility="public")
            yield _fact("impression", day * 100 + n, at_ms, author=author, object=n + 1, visibility="public", value=9)
            yield _fact("active_day", day * 100 + n, at_ms, actor=n + 1, label="user", cohort=at_ms // DAY_MS - 2)
            yield _fact("delivery", day * 100 + n, at_ms, amount=40 + 10 * n)
        yield _fact("tag", day, at_ms, actor=author, object=1, label=f"tag{day % 7}")
        yield _fact("sign_up", day, at_ms, actor=day + 100, cohort=at_ms // DAY_MS)


def _fact(kind: str, number: int, at_ms: int, **fields: object) -> Fact:
    return Fact(id=fact_id("browser", kind, number), kind=kind, at_ms=at_ms, **fields)  # type: ignore[arg-type]


def rows_of(page: Page, chart: str) -> list[list[str]]:
    """The table of a chart, its head first."""
    rows = page.locator(f"#{chart} .numbers tr")
    found: list[list[str]] = rows.evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    return found


def test_the_cursor_reads_what_the_table_says(browser: Browser, live: LiveServer, staff: str) -> None:
    with look(browser, live) as context:
        log_in(context, live, staff)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto("/admin/insights")
        chart = page.locator("#activity")
        reader, output = chart.get_by_role("slider"), chart.locator(".reading")
        head, *rows = rows_of(page, "activity")
        assert head == ["Day", "Posts", "Replies", "Boosts", "Favourites"]
        assert rows[-1][0].endswith("(so far)")
        before = output.text_content()
        reader.focus()
        for key, row in (("ArrowLeft", rows[-2]), ("ArrowLeft", rows[-3]), ("Home", rows[0]), ("ArrowRight", rows[1])):
            page.keyboard.press(key)
            said = f"{row[0]}: " + ", ".join(f"{name} {value}" for name, value in zip(head[1:], row[1:], strict=True))
            expect(output).to_have_text(said.replace("–", "not known"))
            expect(reader).to_have_attribute("aria-valuetext", said.replace("–", "not known"))
        chart.locator("h3").click()
        reader.blur()
        expect(output).to_have_text(before or "")

        canvas = chart.locator(".canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 50)
        expect(output).to_contain_text(rows[-1][0])
        assert faults == []


def test_the_csv_says_what_the_table_says(browser: Browser, live: LiveServer, staff: str) -> None:
    with look(browser, live) as context:
        log_in(context, live, staff)
        page = context.new_page()
        page.goto("/admin/insights?days=30")
        for chart in ("activity", "delivery", "top-tags"):
            head, *rows = rows_of(page, chart)
            link = page.locator(f"#{chart} .csv").get_attribute("href")
            answer = context.request.get(str(link))
            assert answer.headers["content-type"].startswith("text/csv")
            told_head, *told = csv.reader(io.StringIO(answer.text()))
            assert told_head == head
            table = [["" if cell == "–" else cell.replace(",", "") for cell in row[1:]] for row in rows]
            assert [row[1:] for row in told] == table


def test_charts_can_be_read_without_scripts(browser: Browser, live: LiveServer, staff: str) -> None:
    context = browser.new_context(base_url=live.url, java_script_enabled=False)
    log_in(context, live, staff)
    page = context.new_page()
    page.goto("/insights")
    chart = page.locator("#my-activity")
    expect(chart.get_by_role("img", name=re.compile("What you wrote"))).to_be_visible()
    expect(chart.get_by_role("slider")).to_have_count(0)
    chart.locator("summary").click()
    expect(chart.locator(".numbers")).to_be_visible()
    page.get_by_role("link", name="90 days").click()
    expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
    context.close()


def test_axe_finds_nothing_on_pages_of_charts(browser: Browser, live: LiveServer, staff: str) -> None:
    found: list[str] = []
    with look(browser, live) as context:
        log_in(context, live, staff)
        for path in PATHS:
            page = context.new_page()
            page.goto(path)
            page.locator("#activity details, #my-activity details, .ranges details").evaluate_all(
                "all => all.forEach(each => { each.open = true })"
            )
            for width in (320, 390, 1280):
                page.set_viewport_size({"width": width, "height": 844})
                wide = page.evaluate("document.documentElement.scrollWidth")
                found += [f"{path}: {wide} wide at {width}"] if wide > width else []
                if width > 320:
                    page.emulate_media(color_scheme="light")
                    found += [f"{path}, light {width}: {fault}" for fault in faults_of(page, None)]
            page.emulate_media(color_scheme="dark")
            found += [f"{path}, dark: {fault}" for fault in faults_of(page, ["color-contrast", "link-in-text-block"])]
            page.close()
    assert found == []
