"""What the server says of itself, and what clients ask at their start."""

from typing import Any

import msgspec
import pytest

from tests.api.conftest import Server
from townsquare.model.account import AccountStats
from townsquare.social import drafts, profile, server_stats, statuses
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNT_STATS, ACCOUNTS

DAY_MS = 86_400_000


async def test_both_versions(server: Server) -> None:
    answer = await server.client.get("/api/v2/instance")
    assert answer.headers["cache-control"].startswith("max-age=300, public")
    two = answer.json()
    assert two["version"].startswith("4.7.3 (compatible; Townsquare ")
    assert two["api_versions"] == {"mastodon": 11}
    assert two["domain"] == "localhost:3000"
    assert two["configuration"]["urls"]["streaming"] == "ws://localhost:3000"
    old = await server.client.get("/api/v1/instance")
    assert old.headers["deprecation"] == "@1668384000"
    assert old.json()["urls"] == {"streaming_api": "ws://localhost:3000"}
    assert old.json()["stats"] == {"user_count": 0, "status_count": 0, "domain_count": 1}


async def test_the_limits_told_are_the_limits_kept(server: Server) -> None:
    told = (await server.client.get("/api/v2/instance")).json()["configuration"]
    assert told["statuses"]["max_characters"] == drafts.MAX_CHARACTERS
    assert told["statuses"]["max_media_attachments"] == drafts.MAX_MEDIA
    assert told["polls"]["max_options"] == drafts.MAX_OPTIONS
    assert told["polls"]["max_characters_per_option"] == drafts.MAX_OPTION_CHARACTERS
    assert told["polls"]["max_expiration"] == drafts.MAX_POLL_S
    assert told["accounts"]["max_pinned_statuses"] == statuses.MAX_PINS
    assert told["accounts"]["max_avatar_description_length"] == profile.MAX_DESCRIPTION


async def test_people_and_statuses_are_counted(server: Server) -> None:
    people = [await server.sign_in(f"p{n}") for n in range(3)]
    gone = await server.sign_in("gone")
    put = server.ports.store.write
    await put([Put(ACCOUNTS, msgspec.structs.replace(gone.account, deleted=True))])
    for n, person in enumerate(people):
        last_ms = server.clock.ms - n * 20 * DAY_MS
        stats = AccountStats(account_id=person.account.account_id, statuses=10, last_status_ms=last_ms)
        await put([Put(ACCOUNT_STATS, stats)])
        await put([Put(ACCOUNTS, msgspec.structs.replace(person.account, discoverable=n != 1))])
    await server_stats.recount(server.ports)
    assert (await server.client.get("/api/v1/instance")).json()["stats"]["user_count"] == 3
    usage = (await server.client.get("/nodeinfo/2.0")).json()["usage"]
    assert usage == {"users": {"total": 3, "activeMonth": 2, "activeHalfyear": 3}, "localPosts": 30}
    weeks = (await server.client.get("/api/v1/instance/activity")).json()
    assert len(weeks) == 12
    assert weeks[0]["registrations"] == "3"
    assert int(weeks[0]["week"]) % (7 * 86_400) == 4 * 86_400, "a Monday"
    found = (await server.client.get("/api/v1/directory?order=new")).json()
    assert [each["username"] for each in found] == ["p2", "p0"]
    found = (await server.client.get("/api/v1/directory", params={"limit": 1, "offset": 1})).json()
    assert [each["username"] for each in found] == ["p2"]


async def test_a_week_counts_what_was_posted_in_it(server: Server) -> None:
    person = await server.sign_in("ann")
    for total in (10, 15):
        stats = AccountStats(account_id=person.account.account_id, statuses=total, last_status_ms=server.clock.ms)
        await server.ports.store.write([Put(ACCOUNT_STATS, stats)])
        await server_stats.recount(server.ports)
        server.clock.advance(seconds=7 * 86_400)
    weeks = (await server_stats.read_stats(server.ports)).weeks
    assert [(week.statuses, week.registrations) for week in weeks[:2]] == [(5, 0), (10, 1)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/custom_emojis", []), ("/api/v1/announcements", []), ("/api/v1/lists", []), ("/api/v1/filters", []),
        ("/api/v2/filters", []), ("/api/v1/followed_tags", []), ("/api/v1/endorsements", []),
        ("/api/v1/featured_tags", []), ("/api/v1/suggestions", []), ("/api/v2/suggestions", []),
        ("/api/v1/trends/tags", []), ("/api/v1/trends/links", []), ("/api/v1/trends/statuses", []),
        ("/api/v1/scheduled_statuses", []), ("/api/v1/instance/peers", []), ("/api/v1/instance/rules", []),
        ("/api/v1/instance/translation_languages", {}), ("/api/v1/instance/domain_blocks", []),
    ],
)  # fmt: skip
async def test_what_there_is_none_of(server: Server, path: str, expected: Any) -> None:
    person = await server.sign_in("ann")
    answer = await server.client.get(path, headers=person.headers)
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_what_is_off(server: Server) -> None:
    person = await server.sign_in("ann")
    for path in ("/api/v1/push/subscription", "/api/v1/instance/terms_of_service"):
        assert (await server.client.get(path, headers=person.headers)).status_code == 404


async def test_preferences(server: Server) -> None:
    person = await server.sign_in("ann", privacy="unlisted", language="de")
    shown = (await server.client.get("/api/v1/preferences", headers=person.headers)).json()
    assert shown["posting:default:visibility"] == "unlisted"
    assert shown["posting:default:language"] == "de"
    assert shown["reading:expand:spoilers"] is False


async def test_markers(server: Server) -> None:
    person = await server.sign_in("ann")
    client = server.client
    assert (await client.get("/api/v1/markers", headers=person.headers)).json() == {}
    for version in (1, 2):
        moved = await client.post("/api/v1/markers", data={"home[last_read_id]": "77"}, headers=person.headers)
        assert moved.json()["home"]["version"] == version
    query = [("timeline[]", "home"), ("timeline[]", "notifications"), ("timeline[]", "other")]
    shown = (await client.get("/api/v1/markers", params=query, headers=person.headers)).json()
    assert shown.keys() == {"home"}
    assert shown["home"]["last_read_id"] == "77"
    other = await server.sign_in("bob")
    assert (await client.get("/api/v1/markers", params=query, headers=other.headers)).json() == {}


@pytest.mark.parametrize(
    "home", [None, [], "x", {"last_read_id": "x"}, {"last_read_id": "9" * 30}, {"last_read_id": {}}]
)
async def test_cve_2025_61672_odd_markers(server: Server, home: Any) -> None:
    person = await server.sign_in("ann")
    answer = await server.client.post("/api/v1/markers", json={"home": home}, headers=person.headers)
    assert answer.status_code in (200, 422)
    query = {"timeline[]": "home"}
    assert (await server.client.get("/api/v1/markers", params=query, headers=person.headers)).json() == {}


async def test_webfinger(server: Server) -> None:
    await server.sign_in("Ann")
    for resource in ("acct:ann@localhost:3000", "ann@localhost", "http://localhost:3000/@Ann"):
        answer = await server.client.get("/.well-known/webfinger", params={"resource": resource})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/jrd+json; charset=utf-8"
        assert answer.json()["subject"] == "acct:Ann@localhost:3000"


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        ("", 400), ("acct:nobody@localhost:3000", 404), ("acct:ann@evil.example", 404),
        ("http://evil.example/@ann", 404),
        ("acct:ann@127.0.0.1:1/x?y#", 404), ("x" * 60_000, 400), ("acct:@localhost", 404),
        ("acct:a\r\n@localhost", 404),
    ],
)  # fmt: skip
async def test_webfinger_of_nobody(server: Server, resource: str, status: int) -> None:
    await server.sign_in("ann")
    answer = await server.client.get("/.well-known/webfinger", params={"resource": resource})
    assert answer.status_code == status


async def test_wellknown(server: Server) -> None:
    xml = await server.client.get("/.well-known/host-meta")
    assert xml.headers["content-type"] == "application/xrd+xml; charset=utf-8"
    assert "webfinger?resource={uri}" in xml.text
    assert (await server.client.get("/.well-known/host-meta.json")).json()["links"][0]["rel"] == "lrdd"
    link = (await server.client.get("/.well-known/nodeinfo")).json()["links"][0]["href"]
    assert (await server.client.get(link)).json()["software"]["name"] == "townsquare"
    known = (await server.client.get("/.well-known/oauth-authorization-server")).json()
    assert known["code_challenge_methods_supported"] == ["S256"]
    assert known["grant_types_supported"] == ["authorization_code", "client_credentials"]
    change = await server.client.get("/.well-known/change-password")
    assert change.status_code == 302
    assert (await server.client.get(change.headers["location"])).status_code == 200
