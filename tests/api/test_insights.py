"""Our own API of insights: the catalogue, charts as JSON and CSV, one status, the document about it all."""

import csv
import dataclasses
import io
from typing import Any

import jsonschema
import msgspec
import openapi_spec_validator
import pytest

from tests.api.conftest import Person, Server, client_of
from townsquare.analytics.memory import MemoryAnalytics
from townsquare.analytics.port import Coverage
from townsquare.model.account import Role
from townsquare.model.errors import Unavailable
from townsquare.model.facts import DAY_MS, Fact, fact_id
from townsquare.model.scopes import SCOPES
from townsquare.render.insights import AnswerEntity, ChartEntity, StatusInsights
from townsquare.social.insights.ask import CHARTS
from townsquare.web.api.insights import ROUTES
from townsquare.web.application import web_app

URL = "/api/v1/insights"


async def boss(server: Server) -> Person:
    return await server.sign_in("boss", SCOPES, role=Role.MODERATOR)


async def get(server: Server, path: str, who: Person, **headers: str) -> Any:
    return await server.client.get(URL + path, headers=who.headers | headers)


async def tell(server: Server, kind: str, count: int, **fields: Any) -> None:
    known = {"at_ms": server.clock.ms, "actor": 5} | fields
    facts = [Fact(id=fact_id(kind, n, *known.values()), kind=kind, **known) for n in range(count)]
    await server.ports.analytics.put(facts)


async def test_the_catalogue_of_the_staff_and_of_others(server: Server) -> None:
    staff, ann = await boss(server), await server.sign_in("ann", SCOPES)
    everything = msgspec.convert((await get(server, "", staff)).json(), list[ChartEntity])
    assert {chart.name for chart in everything} == set(CHARTS)
    own = msgspec.convert((await get(server, "", ann)).json(), list[ChartEntity])
    assert {chart.audience for chart in own} == {"author"}
    assert own[0].url == f"{server.ports.settings.base}/api/v1/insights/{own[0].name}"


async def test_a_chart_as_json(server: Server) -> None:
    staff = await boss(server)
    await tell(server, "post", 3, language="de")
    await tell(server, "storage", 1, at_ms=server.clock.ms - 9 * DAY_MS)
    answer = await get(server, "/activity?since=2026-10-24&zone=Europe/Berlin&step=day", staff)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    said = msgspec.convert(answer.json(), AnswerEntity)
    assert said.at == ("2026-10-23T22:00:00.000Z", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z")
    assert said.labels == ("2026-10-24", "2026-10-25", "2026-10-26")
    assert (said.since, said.until) == ("2026-10-23T22:00:00.000Z", "2026-10-26T23:00:00.000Z")
    assert (said.unfinished, said.step, said.zone) == (2, "day", "Europe/Berlin")
    assert next((line.name, line.values, line.total) for line in said.series) == ("post", (0, 0, 3), 3)
    assert said.complete_to == "2026-10-26T07:33:20.000Z"


async def test_a_chart_as_csv(server: Server) -> None:
    ann = await server.sign_in("ann", SCOPES)
    mine = {"author": ann.account.account_id, "visibility": "public"}
    await tell(server, "impression", 4, **mine)
    await tell(server, "storage", 1, at_ms=server.clock.ms - 2 * DAY_MS)
    for path in ("/my_impressions.csv?", "/my_impressions?format=csv&"):
        answer = await get(server, f"{path}since=2026-10-23&step=day", ann)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="my_impressions.csv"'
        assert list(csv.reader(io.StringIO(answer.text))) == [
            ["begins", "day", "Impressions", "Impressions, period before"],
            ["2026-10-23T00:00:00.000Z", "2026-10-23", "", ""],
            ["2026-10-24T00:00:00.000Z", "2026-10-24", "0", ""],
            ["2026-10-25T00:00:00.000Z", "2026-10-25", "0", ""],
            ["2026-10-26T00:00:00.000Z", "2026-10-26", "4", ""],
        ]


async def test_no_spreadsheet_takes_what_people_wrote_for_a_formula(server: Server) -> None:
    ann = await server.sign_in("ann", SCOPES)
    posted = await server.client.post(
        "/api/v1/statuses", headers=ann.headers, json={"status": '=HYPERLINK("http://x.example"),"a\nb"'}
    )
    status = int(posted.json()["id"])
    await tell(server, "favourite", 2, object=status, author=ann.account.account_id, visibility="public")
    rows = list(csv.reader(io.StringIO((await get(server, "/my_posts.csv", ann)).text)))
    assert rows[0] == ["label", "link", "Replies", "Boosts", "Favourites", "Times sent to readers"]
    assert rows[1][0] == '\'=HYPERLINK("http://x.example"),"a b"'
    assert rows[1][4] == "2"


async def test_answers_are_private_and_asked_for_again_only_when_they_changed(server: Server) -> None:
    ann = await server.sign_in("ann", SCOPES)
    await tell(server, "storage", 1)
    first = await get(server, "/my_engagement", ann)
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["vary"] == "Authorization, Origin"
    tag = first.headers["etag"]
    again = await get(server, "/my_engagement", ann, **{"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    await tell(server, "favourite", 1, author=ann.account.account_id, object=1)
    changed = await get(server, "/my_engagement", ann, **{"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)
    assert (await get(server, "", ann)).headers["etag"]


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/nothing", 404, "Record not found"),
        ("/nothing.csv", 404, "Record not found"),
        ("/activity", 403, "This action is not allowed"),
        ("/my_posts?zone=Mars/Base", 422, "Validation failed: Zone is no time zone, such as Europe/Lisbon"),
        ("/my_posts?format=xml", 422, "Validation failed: Format is not one of json, csv"),
        ("/my_followers?step=hour", 422, "Validation failed: Step is not one of day, week, month"),
        ("/my_posts?since=2026-02-02&until=2026-02-01", 422, "Validation failed: Until must be later than since"),
        ("/my_engagement?step=hour&since=2020-01-01", 422,
         "Validation failed: Step is too short: that makes more than 1000 points"),
        ("/my_posts?since=tomorrow", 422,
         "Validation failed: Since is no date, such as 2026-11-01 or 2026-11-01T13:00:00Z"),
        ("/statuses/12345", 404, "Record not found"),
        ("/statuses/x", 404, "Record not found"),
    ],
)  # fmt: skip
async def test_errors_are_those_of_the_api(server: Server, path: str, status: int, error: str) -> None:
    ann = await server.sign_in("ann", SCOPES)
    answer = await get(server, path, ann)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_one_status_for_its_author(server: Server) -> None:
    ann, bob = await server.sign_in("ann"), await server.sign_in("bob")
    posted = await server.client.post("/api/v1/statuses", headers=ann.headers, json={"status": "hello"})
    status = int(posted.json()["id"])
    server.clock.advance(seconds=60)
    await tell(server, "favourite", 3, object=status, author=ann.account.account_id, visibility="public")
    answer = await get(server, f"/statuses/{status}", ann)
    said = msgspec.convert(answer.json(), StatusInsights)
    assert said.status_id == str(status)
    (engagement,) = [chart for chart in said.charts if chart.chart == "my_engagement"]
    assert [(line.name, line.total) for line in engagement.series] == [("reply", 0), ("boost", 0), ("favourite", 3)]
    assert answer.headers["cache-control"] == "private, no-cache"
    assert (await get(server, f"/statuses/{status}", bob)).status_code == 404


class Asleep(MemoryAnalytics):
    """An engine that does not answer."""

    async def coverage(self) -> Coverage:
        raise Unavailable("the analytics do not answer")


async def test_what_cannot_be_counted_just_now_says_so(server: Server) -> None:
    staff = await boss(server)
    client = client_of(web_app(dataclasses.replace(server.ports, analytics=Asleep()), server.hub))
    for path in (f"{URL}/activity", f"{URL}/my_posts"):
        answer = await client.get(path, headers=staff.headers)
        assert (answer.status_code, answer.json()) == (503, {"error": "the analytics do not answer"})
        assert answer.headers["retry-after"]


async def test_requests_are_counted_as_others_are(server: Server) -> None:
    ann = await server.sign_in("ann", SCOPES)
    for route in ("", "/my_posts", "/openapi.json"):
        answer = await get(server, route, ann)
        assert int(answer.headers["x-ratelimit-limit"]) == 300


# The document ---------------------------------------------------------------------------------------------------------


async def test_the_document_names_all_routes_with_what_they_take_and_give(server: Server) -> None:
    answer = await server.client.get(f"{URL}/openapi.json")
    made = answer.json()
    assert made["openapi"] == "3.1.0"
    assert set(made["paths"]) == {route.path for route in ROUTES}
    chart = made["paths"][f"{URL}/{{chart}}"]["get"]
    assert [each["name"] for each in chart["parameters"]] == ["chart", "since", "until", "zone", "step", "format"]
    assert set(chart["responses"]["200"]["content"]) == {"application/json", "text/csv"}
    assert {"oauth2": ["admin:read"]} in chart["security"]
    assert {"304", "401", "403", "404", "422", "429", "503"} < set(chart["responses"])
    assert "security" not in made["paths"][f"{URL}/openapi.json"]["get"]
    for reference in _references(made):
        assert reference.removeprefix("#/components/schemas/") in made["components"]["schemas"], reference


async def test_the_document_is_valid_and_so_are_answers_by_it(server: Server) -> None:
    made = (await server.client.get(f"{URL}/openapi.json")).json()
    openapi_spec_validator.validate(made)
    staff = await boss(server)
    await tell(server, "favourite", 3, author=staff.account.account_id, object=7)
    for path, known in (
        (f"{URL}", ""), (f"{URL}/{{chart}}", "activity"), (f"{URL}/{{chart}}", "my_engagement"),
        (f"{URL}/{{chart}}", "my_hours"), (f"{URL}/{{chart}}", "retention_week"), (f"{URL}/{{chart}}", "nothing"),
    ):  # fmt: skip
        answer = await server.client.get(path.replace("{chart}", known), headers=staff.headers)
        response = made["paths"][path]["get"]["responses"][str(answer.status_code)]
        schema = response["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), schema | {"components": made["components"]})


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for inner in value.values() for each in _references(inner)]
    return [each for inner in value for each in _references(inner)] if isinstance(value, list) else []
