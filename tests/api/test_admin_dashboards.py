"""Measures, dimensions and retention as Mastodon's dashboards ask for them, against counts by hand."""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.conftest import Person, Server
from tests.api.shapes import answer_of, deviations
from townsquare import __version__
from townsquare.kit.tags import tag_id
from townsquare.model.account import Role
from townsquare.model.facts import DAY_MS, Fact, fact_id, taken_back
from townsquare.model.scopes import SCOPES
from townsquare.render.dashboards import human_size
from townsquare.store.port import Put
from townsquare.store.tables import TAGS, TagRow

TODAY = 1_793_000_000_000 // DAY_MS
KINDS = ("sign_up", "favourite", "boost", "reply", "post", "report", "moderation", "tag", "active_day", "active_month")
MEASURES = (
    "active_users", "new_users", "interactions", "opened_reports", "resolved_reports", "tag_accounts", "tag_uses",
    "tag_servers", "instance_accounts", "instance_media_attachments", "instance_reports", "instance_statuses",
    "instance_follows", "instance_followers",
)  # fmt: skip
DIMENSIONS = (
    "languages", "sources", "servers", "space_usage", "software_versions", "tag_servers", "tag_languages",
    "instance_accounts", "instance_languages",
)  # fmt: skip


def random_facts() -> list[Fact]:
    chance = random.Random(11)
    facts = []
    for n in range(3_000):
        kind = chance.choice(KINDS)
        day = TODAY - chance.randrange(40)
        fact = Fact(
            id=fact_id(kind, n),
            kind=kind,
            at_ms=min(day * DAY_MS + chance.randrange(DAY_MS), 1_793_000_000_000),
            actor=chance.randrange(1, 30),
            label=chance.choice(("cats", "dogs")) if kind == "tag" else chance.choice(("resolve", "suspend")),
            language=chance.choice(("", "de", "en", "xx")),
            app=chance.choice(("", "Elk", "Ivory")),
            cohort=day - chance.randrange(12) if kind != "sign_up" else day,
        )
        facts += [fact, taken_back(fact)] if chance.random() < 0.1 else [fact]
    return facts


FACTS = random_facts()


@pytest.fixture
async def admin(server: Server) -> Person:
    await server.ports.analytics.put(FACTS)
    await server.ports.store.write([Put(TAGS, TagRow(tag_id=tag_id("cats"), name="cats", shown="Cats"))])
    return await server.sign_in("boss", SCOPES, role=Role.ADMIN)


async def ask(server: Server, who: Person, what: str, **form: Any) -> Any:
    path = f"/api/v1/admin/{what}"
    answer = await server.client.post(path, headers=who.headers, json=form)
    assert answer.status_code == 200, answer.text
    assert list(deviations(answer.json(), answer_of("POST", path))) == []
    return answer.json()


def day(ms_or_day: int) -> str:
    days = ms_or_day // DAY_MS if ms_or_day > 10**9 else ms_or_day
    return datetime.fromtimestamp(days * 86_400, UTC).strftime("%Y-%m-%d")


def counted(*kinds: str, **fields: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for fact in FACTS:
        if fact.kind in kinds and all(getattr(fact, name) == value for name, value in fields.items()):
            found[day(fact.at_ms)] += fact.value
    return found


START, END = day(TODAY - 9), day(TODAY)
RANGE = [day(TODAY - n) for n in range(9, -1, -1)]
BEFORE = [day(TODAY - n) for n in range(18, 8, -1)]  # moved by nine days: the ends apart


async def test_sums_of_days_and_of_the_time_before(server: Server, admin: Person) -> None:
    found = await ask(
        server, admin, "measures", start_at=f"{START}T13:00:00Z", end_at=END,
        keys=["new_users", "interactions", "opened_reports", "resolved_reports", "tag_uses", "unheard_of"],
        tag_uses={"id": str(tag_id("cats"))},
    )  # fmt: skip
    by_hand = {
        "new_users": counted("sign_up"),
        "interactions": counted("favourite", "boost", "reply"),
        "opened_reports": counted("report"),
        "resolved_reports": counted("moderation", label="resolve"),
        "tag_uses": counted("tag", label="cats"),
    }
    assert [measure["key"] for measure in found] == list(by_hand)
    for measure in found:
        days = by_hand[measure["key"]]
        assert [(each["date"][:10], each["value"]) for each in measure["data"]] == [
            (each, str(days[each])) for each in RANGE
        ]
        assert measure["total"] == str(sum(days[each] for each in RANGE))
        assert measure["previous_total"] == str(sum(days[each] for each in BEFORE))
        assert measure["unit"] is None
    assert found[0]["data"][0]["date"] == f"{START}T00:00:00.000+00:00"
    assert found[1]["data"][0]["date"] == f"{START}T00:00:00Z"


async def test_people_of_a_tag_are_counted_once(server: Server, admin: Person) -> None:
    tag = {"id": str(tag_id("cats"))}
    people, servers = await ask(
        server, admin, "measures", start_at=START, end_at=END, keys=["tag_accounts", "tag_servers"], tag_accounts=tag,
        tag_servers=tag,
    )  # fmt: skip
    uses: dict[str, Counter[int]] = {each: Counter() for each in RANGE}
    together: Counter[int] = Counter()
    for fact in FACTS:
        if fact.kind == "tag" and fact.label == "cats" and day(fact.at_ms) in uses:
            uses[day(fact.at_ms)][fact.actor] += fact.value
            together[fact.actor] += fact.value
    assert [int(each["value"]) for each in people["data"]] == [sum(n > 0 for n in uses[d].values()) for d in RANGE]
    assert int(people["total"]) == sum(n > 0 for n in together.values())
    assert (servers["total"], {each["value"] for each in servers["data"]} <= {"0", "1"}) == ("1", True)


async def test_active_users_are_at_least_those_of_the_largest_whole_period(server: Server, admin: Person) -> None:
    (short,) = await ask(server, admin, "measures", start_at=START, end_at=END, keys=["active_users"])
    days, months = counted("active_day"), counted("active_month")
    assert [int(each["value"]) for each in short["data"]] == [days[each] for each in RANGE]
    assert int(short["total"]) == max(days[each] for each in RANGE)
    (month,) = await ask(server, admin, "measures", start_at="2026-10-01", end_at=END, keys=["active_users"])
    assert int(month["total"]) == sum(n for each, n in months.items() if each.startswith("2026-10"))


async def test_of_other_servers_there_is_nothing(server: Server, admin: Person) -> None:
    keys = [key for key in MEASURES if key.startswith("instance_")]
    domains = {key: {"domain": "other.example"} for key in keys}
    found = await ask(server, admin, "measures", start_at=START, end_at=END, keys=keys, **domains)
    assert [measure["key"] for measure in found] == keys
    for measure in found:
        assert {each["value"] for each in measure["data"]} == {"0"}
        assert (measure["total"], len(measure["data"]), "previous_total" in measure) == ("0", 10, False)
    (size,) = [measure for measure in found if measure["key"] == "instance_media_attachments"]
    assert (size["unit"], size["human_value"]) == ("bytes", "0 Bytes")


async def test_dimensions(server: Server, admin: Person) -> None:
    tag = {"id": str(tag_id("cats"))}
    await server.ports.analytics.put(
        [
            Fact(id=5, kind="storage", at_ms=1_793_000_000_000 - 3_600_000, label="media", amount=10),
            Fact(id=6, kind="storage", at_ms=1_793_000_000_000, label="media", amount=14_924_935),
            Fact(id=7, kind="storage", at_ms=1_793_000_000_000, label="store", amount=2_000),
        ]
    )
    found = await ask(
        server, admin, "dimensions", keys=[*DIMENSIONS, "unheard_of"], start_at=START, end_at=END, limit=3,
        tag_servers=tag, tag_languages=tag,
    )  # fmt: skip
    by_key = {each["key"]: each["data"] for each in found}
    assert list(by_key) == list(DIMENSIONS)
    languages = {
        code: sum(counted("post", "reply", language=code)[d] for d in RANGE) for code in ("", "de", "en", "xx")
    }
    top = sorted(languages, key=lambda code: (-languages[code], code))[:3]
    names = {"": "und", "de": "German", "en": "English", "xx": "xx"}
    assert by_key["languages"] == [
        {"key": code or "und", "human_key": names[code], "value": str(languages[code])} for code in top
    ]
    apps = {app: sum(counted("post", "reply", app=app)[d] for d in RANGE) for app in ("", "Elk", "Ivory")}
    assert {each["key"]: int(each["value"]) for each in by_key["sources"]} == {app or "web": apps[app] for app in apps}
    assert {"key": "web", "human_key": "Website", "value": str(apps[""])} in by_key["sources"]
    posts = sum(counted("post", "reply", "boost")[d] for d in RANGE)
    assert by_key["servers"] == [{"key": "localhost:3000", "human_key": "localhost:3000", "value": str(posts)}]
    assert by_key["space_usage"] == [
        {"key": "store", "human_key": "Store", "value": "2000", "unit": "bytes", "human_value": "1.95 KB"},
        {"key": "media", "human_key": "Media storage", "value": "14924935", "unit": "bytes", "human_value": "14.2 MB"},
    ]
    assert by_key["software_versions"][0]["value"] == __version__
    assert sum(int(each["value"]) for each in by_key["tag_languages"]) <= int(by_key["tag_servers"][0]["value"])
    assert (by_key["instance_accounts"], by_key["instance_languages"]) == ([], [])


@pytest.mark.parametrize(
    ("frequency", "kind"), [("day", "active_day"), ("month", "active_month"), ("odd", "active_day")]
)
async def test_retention(server: Server, admin: Person, frequency: str, kind: str) -> None:
    start = START if frequency != "month" else "2026-09-17"
    found = await ask(server, admin, "retention", start_at=start, end_at=END, frequency=frequency)
    length = 7 if frequency == "month" else 10
    periods = ["2026-09-01", "2026-10-01"] if frequency == "month" else RANGE
    assert [each["period"] for each in found] == [f"{period}T00:00:00+00:00" for period in periods]
    sizes: Counter[str] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    for fact in FACTS:
        if fact.kind == "sign_up":
            sizes[day(fact.at_ms)[:length]] += fact.value
        elif fact.kind == kind:
            seen[day(fact.cohort)[:length], day(fact.at_ms)[:length]] += fact.value
    for row, cohort in enumerate(found):
        assert cohort["frequency"] == ("month" if frequency == "month" else "day")
        assert [each["date"][:10] for each in cohort["data"]] == periods[row:]
        for each in cohort["data"]:
            people = seen[cohort["period"][:length], each["date"][:length]]
            size = sizes[cohort["period"][:length]]
            assert (int(each["value"]), each["rate"]) == (people, round(people / size, 4) if size else 0)


async def test_without_its_parameters_retention_is_empty(server: Server, admin: Person) -> None:
    assert await ask(server, admin, "retention", start_at=START) == []


@pytest.mark.parametrize(
    ("what", "form", "status"),
    [
        ("measures", {"keys": ["new_users"], "end_at": END}, 400),
        ("measures", {"start_at": START, "end_at": END}, 400),
        ("measures", {"keys": ["new_users"], "start_at": "x", "end_at": END}, 422),
        ("measures", {"keys": ["new_users"], "start_at": END, "end_at": START}, 422),
        ("measures", {"keys": ["new_users"], "start_at": "2001-01-01", "end_at": END}, 422),
        ("measures", {"keys": ["tag_uses"], "start_at": START, "end_at": END}, 404),
        ("measures", {"keys": ["tag_uses"], "start_at": START, "end_at": END, "tag_uses": {"id": "77"}}, 404),
        ("dimensions", {}, 400),
        ("dimensions", {"keys": ["tag_languages"]}, 404),
        ("retention", {"start_at": "2001-01-01", "end_at": END, "frequency": "day"}, 422),
    ],
)
async def test_what_cannot_be_asked(
    server: Server, admin: Person, what: str, form: dict[str, Any], status: int
) -> None:  # fmt: skip
    answer = await server.client.post(f"/api/v1/admin/{what}", headers=admin.headers, json=form)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) <= {"error", "details"}


async def test_forms_of_dashboards_are_understood(server: Server, admin: Person) -> None:
    """As a form: `keys[]` again and again, `tag_uses[id]`."""
    answer = await server.client.post(
        "/api/v1/admin/measures",
        headers=admin.headers,
        data={
            "keys[]": ["tag_uses", "new_users"],
            "start_at": START,
            "end_at": END,
            "tag_uses[id]": str(tag_id("cats")),
        },
    )
    assert [measure["key"] for measure in answer.json()] == ["tag_uses", "new_users"]


async def test_they_are_for_the_staff(server: Server) -> None:
    ann = await server.sign_in("ann", SCOPES)
    for what in ("measures", "dimensions", "retention"):
        answer = await server.client.post(f"/api/v1/admin/{what}", headers=ann.headers, json={})
        assert (answer.status_code, answer.json()) == (403, {"error": "This action is not allowed"})


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 Bytes"), (1, "1 Byte"), (1_023, "1023 Bytes"), (1_024, "1 KB"), (1_972_544, "1.88 MB"),
     (49_581_359_907, "46.2 GB"), (837_837_315_424, "780 GB"), (2**60, "1024 PB")],
)  # fmt: skip
def test_sizes_for_people(size: int, text: str) -> None:
    assert human_size(size) == text
