"""Insights as pages: who may see which, ranges in the address, CSV as the table has it, and no number made up."""

import csv
import io
import re

import pytest

from tests.api.conftest import Person, Server
from townsquare.model.account import Role
from townsquare.model.facts import DAY_MS, Fact, fact_id
from townsquare.web.cookies import SESSION


async def browser(server: Server, person: Person) -> dict[str, str]:
    """The headers of somebody's browser."""
    _, secret = await server.token(person.account.account_id, client_id="")
    return {"cookie": f"{SESSION}={secret}", "accept": "text/html"}


def fact(kind: str, number: int, *, at_ms: int, **fields: object) -> Fact:
    return Fact(id=fact_id(kind, number, at_ms), kind=kind, at_ms=at_ms, **fields)  # type: ignore[arg-type]  # by name


async def some_days(server: Server, author: int) -> None:
    """Three posts each on the last five days, with two favourites on them."""
    for day in range(5):
        at_ms = server.clock.ms - day * DAY_MS - 1000
        facts = [fact("post", n, at_ms=at_ms, actor=author, object=n, visibility="public") for n in range(3)]
        facts += [
            fact("favourite", n, at_ms=at_ms, actor=7 + n, author=author, object=n, visibility="public")
            for n in range(2)
        ]
        facts.append(fact("tag", day, at_ms=at_ms, actor=author, object=1, label="<i>gardens"))
        await server.ports.analytics.put(facts)


async def test_the_staff_sees_the_server_and_others_do_not(server: Server) -> None:
    user, staff = await server.sign_in("ann"), await server.sign_in("mod", role=Role.MODERATOR)
    for path in ("/admin/insights", "/admin/insights/tiles", "/insights/active.csv"):
        answer = await server.client.get(path, headers=await browser(server, user))
        assert answer.status_code == 403, path
        assert (await server.client.get(path, headers=await browser(server, staff))).status_code == 200, path
        away = await server.client.get(path, headers={"accept": "text/html"})
        assert away.status_code in (302, 303, 401), path


async def test_a_page_without_any_fact_says_so(server: Server) -> None:
    staff = await server.sign_in("mod", role=Role.ADMIN)
    headers = await browser(server, staff)
    for path in ("/insights", "/admin/insights", "/insights?days=365", "/admin/insights?days=7&zone=Asia/Kolkata"):
        answer = await server.client.get(path, headers=headers)
        assert answer.status_code == 200, path
        assert "Nothing has been recorded yet" in answer.text
        assert '<svg role="img"' not in answer.text


async def test_an_author_sees_their_own_numbers_alone(server: Server) -> None:
    ann, ben = await server.sign_in("ann"), await server.sign_in("ben")
    await some_days(server, ann.account.account_id)
    own = await server.client.get("/insights", headers=await browser(server, ann))
    other = await server.client.get("/insights", headers=await browser(server, ben))
    assert "Favourites 10 in all" in own.text
    assert "Favourites 10 in all" not in other.text
    assert 'href="/admin/insights' not in own.text


async def test_the_csv_has_what_the_table_has(server: Server) -> None:
    staff = await server.sign_in("mod", role=Role.ADMIN)
    await some_days(server, staff.account.account_id)
    headers = await browser(server, staff)
    page = (await server.client.get("/admin/insights?days=7", headers=headers)).text
    chart = page.partition('id="activity"')[2].partition("</figure>")[0]
    body = chart.partition("<tbody>")[2].partition("</tbody>")[0]
    table = [re.findall(r"<td>([^<]*)</td>", row) for row in body.split("</tr>") if row]
    answer = await server.client.get(found_link(chart), headers=headers)
    assert answer.headers["content-type"].startswith("text/csv")
    head, *rows = csv.reader(io.StringIO(answer.text))
    assert head == ["Day", "Posts", "Replies", "Boosts", "Favourites"]
    assert [[cell or "–" for cell in row[1:]] for row in rows] == [[cell.replace(",", "") for cell in r] for r in table]
    assert [row[1] for row in rows][-5:] == ["3"] * 5


def found_link(chart: str) -> str:
    (link,) = re.findall(r'href="([^"]+\.csv[^"]*)"', chart)
    return str(link).replace("&amp;", "&")


async def test_what_people_typed_stays_text_and_is_no_formula(server: Server) -> None:
    staff = await server.sign_in("mod", role=Role.ADMIN)
    await some_days(server, staff.account.account_id)
    at_ms = server.clock.ms - 1000
    await server.ports.analytics.put([fact("tag", 99, at_ms=at_ms, actor=1, object=2, label="=1+1")])
    headers = await browser(server, staff)
    page = (await server.client.get("/admin/insights", headers=headers)).text
    assert "<i>gardens" not in page
    text = (await server.client.get("/insights/top_tags.csv", headers=headers)).text
    assert "\r\n'=1+1,1,1\r\n" in text


@pytest.mark.parametrize("query", ["since=yesterday", "zone=Nowhere/At-all", "since=2026-02-01&until=2026-01-01"])
async def test_a_range_that_is_none_is_refused(server: Server, query: str) -> None:
    headers = await browser(server, await server.sign_in("ann"))
    for path in ("/insights", "/insights/my_activity.csv"):
        assert (await server.client.get(f"{path}?{query}", headers=headers)).status_code == 422


async def test_tiles_tell_how_it_stands(server: Server) -> None:
    staff = await server.sign_in("mod", role=Role.OWNER)
    await some_days(server, staff.account.account_id)
    text = (await server.client.get("/admin/insights/tiles", headers=await browser(server, staff))).text
    assert "<dt>Posts and replies today</dt><dd><strong>3</strong><small>so far, 3 yesterday</small>" in text
    assert "<dt>Complete up to</dt>" in text


async def test_numbers_of_one_post_are_its_authors(server: Server) -> None:
    ann, ben = await server.sign_in("ann"), await server.sign_in("ben")
    made = await server.client.post("/api/v1/statuses", json={"status": "Hello"}, headers=ann.headers)
    path = f"/insights/posts/{made.json()['id']}"
    assert (await server.client.get(path, headers=await browser(server, ann))).status_code == 200
    assert (await server.client.get(path, headers=await browser(server, ben))).status_code == 404
    home = await server.client.get("/", headers=await browser(server, ann))
    assert path in home.text
