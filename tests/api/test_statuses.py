"""Statuses over HTTP: post, read, delete, edit, react."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.conftest import Person, Server
from townsquare.model.status import Media
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNT_STATS, MEDIA, STATUSES

STATUSES_PATH = "/api/v1/statuses"


@pytest.fixture
async def ann(server: Server) -> Person:
    return await server.sign_in("ann")


@pytest.fixture
async def bob(server: Server) -> Person:
    return await server.sign_in("bob")


async def send(server: Server, who: Person, text: str = "hello", **more: Any) -> httpx.Response:
    return await server.client.post(STATUSES_PATH, headers=who.headers, json={"status": text, **more})


async def post(server: Server, who: Person, text: str = "hello", **more: Any) -> dict[str, Any]:
    answer = await send(server, who, text, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def act(server: Server, who: Person, status_id: str, verb: str, **form: Any) -> dict[str, Any]:
    answer = await server.client.post(f"{STATUSES_PATH}/{status_id}/{verb}", headers=who.headers, json=form)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def follow(server: Server, who: Person, whom: Person) -> None:
    path = f"/api/v1/accounts/{whom.account.account_id}/follow"
    assert (await server.client.post(path, headers=who.headers)).status_code == 200
    await server.drain()


async def get(server: Server, who: Person | None, path: str, **params: Any) -> Any:
    answer = await server.client.get(path, headers=who.headers if who else {}, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def picture(server: Server, who: Person, **more: Any) -> str:
    """An upload that is ready."""
    row = Media(
        media_id=server.ports.new_id(), account_id=who.account.account_id, original="a/b.webp", preview="a/c.webp"
    )
    made: dict[str, Any] = {"state": "ready", **more}
    await server.ports.store.write(
        [Put(MEDIA, Media(**{**{f: getattr(row, f) for f in row.__struct_fields__}, **made}))]
    )
    return str(row.media_id)


# Posting --------------------------------------------------------------------------------------------------------------


async def test_a_post_can_be_read_by_anyone(server: Server, ann: Person, bob: Person) -> None:
    status = await post(server, ann, "hi @Bob #Tag https://example.org/x", spoiler_text="cw", language="de")
    assert status["visibility"] == "public"
    assert status["sensitive"] is True
    assert status["language"] == "de"
    assert status["mentions"][0]["acct"] == "bob"
    assert status["tags"] == [{"name": "tag", "url": "http://localhost:3000/tags/tag"}]
    assert status["favourited"] is False
    assert status["pinned"] is False
    read = await get(server, None, f"{STATUSES_PATH}/{status['id']}")
    assert read["content"] == status["content"]
    assert "favourited" not in read


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "Validation failed: Text can't be blank"),
        ({"status": " \n "}, "Validation failed: Text can't be blank"),
        ({"status": "a" * 501}, "Validation failed: Text character limit of 500 exceeded"),
        ({"status": "a" * 499, "spoiler_text": "ab"}, "Validation failed: Text character limit of 500 exceeded"),
        ({"status": "a", "visibility": "all"}, "Validation failed: Visibility is not included in the list"),
        ({"status": "a", "poll": {"options": ["a", "b"]}}, "Validation failed: Poll expires at can't be blank"),
        (
            {"status": "a", "poll": {"options": ["a", " "], "expires_in": 300}},
            "Validation failed: Poll options must have more than one item",
        ),
        (
            {"status": "a", "poll": {"options": ["a", "a"], "expires_in": 300}},
            "Validation failed: Poll options contain duplicate items",
        ),
        (
            {"status": "a", "poll": {"options": ["a", "b"], "expires_in": 299}},
            "Validation failed: Poll expires at is too soon",
        ),
        (
            {"status": "a", "poll": {"options": ["a", "b"], "expires_in": 9_999_999}},
            "Validation failed: Poll expires at is too far into the future",
        ),
    ],
)
async def test_what_cannot_be_posted(server: Server, ann: Person, form: dict[str, Any], error: str) -> None:
    answer = await server.client.post(STATUSES_PATH, headers=ann.headers, json=form)
    assert (answer.status_code, answer.json()["error"]) == (422, error)
    assert await get(server, ann, "/api/v1/timelines/home") == []


async def test_500_characters_with_long_links(server: Server, ann: Person) -> None:
    link = "https://example.org/" + "x" * 300
    status = await post(server, ann, "a" * 476 + " " + link)
    assert link in status["content"]


async def test_a_content_warning_alone_becomes_the_text(server: Server, ann: Person) -> None:
    status = await post(server, ann, "", spoiler_text="only this")
    assert (status["content"], status["spoiler_text"]) == ("<p>only this</p>", "")


async def test_defaults_are_the_users(server: Server) -> None:
    eve = await server.sign_in("eve", privacy="private", sensitive=True, language="fr")
    status = await post(server, eve)
    assert (status["visibility"], status["sensitive"], status["language"]) == ("private", True, "fr")


async def test_scheduled_posts_are_refused(server: Server, ann: Person) -> None:
    assert (await send(server, ann, scheduled_at="2030-01-01T00:00:00Z")).status_code == 422


async def test_cve_2025_62605_nothing_is_quoted(server: Server, ann: Person, bob: Person) -> None:
    status = await post(server, bob)
    assert (await send(server, ann, quoted_status_id=status["id"])).status_code == 422
    assert await get(server, ann, f"{STATUSES_PATH}/{status['id']}/quotes") == []


async def test_a_key_gives_the_same_status(server: Server, ann: Person, bob: Person) -> None:
    async def keyed(who: Person, text: str) -> str:
        answer = await server.client.post(
            STATUSES_PATH, headers={**who.headers, "Idempotency-Key": "k"}, json={"status": text}
        )
        return str(answer.json()["id"])

    first = await keyed(ann, "one")
    assert await keyed(ann, "two") == first
    assert await keyed(bob, "one") != first
    assert len(await get(server, ann, "/api/v1/timelines/home")) == 1


async def test_ghsa_8q93_326v_3m7g_one_key_in_parallel(server: Server, ann: Person) -> None:
    headers = {**ann.headers, "Idempotency-Key": "k"}
    answers = await asyncio.gather(
        *(server.client.post(STATUSES_PATH, headers=headers, json={"status": "one"}) for _ in range(200))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    await server.drain()
    stats = await server.ports.store.get(ACCOUNT_STATS, (ann.account.account_id,))
    assert stats is not None
    assert stats.statuses == 1


async def test_cve_2021_21393_a_key_of_a_megabyte(server: Server, ann: Person) -> None:
    headers = {**ann.headers, "Idempotency-Key": "k" * 100_000}
    answer = await server.client.post(STATUSES_PATH, headers=headers, json={"status": "one"})
    assert answer.status_code in (400, 413, 422, 431)
    assert await get(server, ann, "/api/v1/timelines/home") == []


async def test_cve_2026_23963_texts_of_a_megabyte(server: Server, ann: Person) -> None:
    for form in ({"status": "x" * 900_000}, {"status": "x", "spoiler_text": "x" * 900_000}):
        assert (await server.client.post(STATUSES_PATH, headers=ann.headers, json=form)).status_code == 422
    poll = {"options": ["x" * 900_000, "b"], "expires_in": 300}
    assert (await send(server, ann, poll=poll)).status_code == 422


# Audience -------------------------------------------------------------------------------------------------------------


async def test_replies_are_not_wider_than_what_they_answer(server: Server, ann: Person, bob: Person) -> None:
    await follow(server, bob, ann)
    private = await post(server, ann, visibility="private")
    assert (await post(server, bob, in_reply_to_id=private["id"]))["visibility"] == "private"
    answer = await send(server, await server.sign_in("eve"), in_reply_to_id=private["id"])
    assert answer.status_code == 404
    assert answer.json()["error"] == "The post you are trying to reply to does not appear to exist."


async def test_direct_posts_are_for_the_named(server: Server, ann: Person, bob: Person) -> None:
    status = await post(server, ann, "psst @bob", visibility="direct")
    assert (await get(server, bob, f"{STATUSES_PATH}/{status['id']}"))["visibility"] == "direct"
    for who in (None, await server.sign_in("eve")):
        answer = await server.client.get(f"{STATUSES_PATH}/{status['id']}", headers=who.headers if who else {})
        assert answer.status_code == 404


async def test_ghsa_5fq7_3p3j_9vrf_a_name_inside_a_word_is_not_named(server: Server, ann: Person, bob: Person) -> None:
    text = "mail x@bob see https://example.org/@bob and a.@bob"
    status = await post(server, ann, text, visibility="direct")
    assert status["mentions"] == []
    answer = await server.client.get(f"{STATUSES_PATH}/{status['id']}", headers=bob.headers)
    assert answer.status_code == 404


GETS = ("", "/context", "/history", "/source", "/favourited_by", "/reblogged_by", "/quotes")
POSTS = (
    "favourite", "unfavourite", "reblog", "unreblog", "bookmark", "unbookmark", "pin", "unpin", "mute", "unmute",
)  # fmt: skip


async def test_cve_2025_67500_private_deleted_and_absent_are_the_same(server: Server, ann: Person, bob: Person) -> None:
    private = (await post(server, ann, visibility="private", poll={"options": ["a", "b"], "expires_in": 300}))["id"]
    deleted = (await post(server, ann))["id"]
    await server.client.delete(f"{STATUSES_PATH}/{deleted}", headers=ann.headers)
    absent = str(int(private) + 1)
    calls = [("GET", f"{STATUSES_PATH}/{{}}{rest}") for rest in GETS]
    calls += [("POST", f"{STATUSES_PATH}/{{}}/{verb}") for verb in POSTS]
    calls += [("GET", "/api/v1/polls/{}"), ("POST", "/api/v1/polls/{}/votes")]
    for method, path in calls:
        answers = [
            await server.client.request(
                method, path.format(each), headers={**bob.headers, "Accept-Language": "de"}, params={"choices[]": "0"}
            )
            for each in (private, deleted, absent)
        ]
        assert {(a.status_code, a.content) for a in answers} == {(404, b'{"error":"Record not found"}')}, path
    shown = await get(server, bob, STATUSES_PATH, **{"id[]": [private, deleted, absent]})
    assert shown == []


async def test_pleroma_1_1_favourited_by_of_a_private_post(server: Server, ann: Person) -> None:
    private = (await post(server, ann, visibility="private"))["id"]
    for path in ("favourited_by", "reblogged_by"):
        assert (await server.client.get(f"{STATUSES_PATH}/{private}/{path}")).status_code == 404


async def test_cve_2023_42453_acts_on_what_is_not_to_be_seen(server: Server, ann: Person, bob: Person) -> None:
    status = (await post(server, ann, "@bob", visibility="direct"))["id"]
    eve = await server.sign_in("eve")
    for verb in POSTS:
        answer = await server.client.post(f"{STATUSES_PATH}/{status}/{verb}", headers=eve.headers)
        assert answer.status_code == 404
    await act(server, bob, status, "favourite")


async def test_cve_2024_53867_what_ends_a_follow_ends_the_sight(server: Server, ann: Person, bob: Person) -> None:
    await follow(server, bob, ann)
    status = (await post(server, ann, "for friends #tag", visibility="private"))["id"]
    await act(server, bob, status, "bookmark")
    await act(server, bob, status, "favourite")
    await server.drain()
    assert len(await get(server, bob, "/api/v1/timelines/home")) == 1
    path = f"/api/v1/accounts/{ann.account.account_id}/unfollow"
    await server.client.post(path, headers=bob.headers)
    for path in ("/api/v1/timelines/home", "/api/v1/bookmarks", "/api/v1/favourites", "/api/v1/timelines/tag/tag"):
        assert await get(server, bob, path) == []
    for rest in GETS:
        answer = await server.client.get(f"{STATUSES_PATH}/{status}{rest}", headers=bob.headers)
        assert answer.status_code == 404


async def test_cve_2026_28431_only_the_author_changes_a_status(server: Server, ann: Person, bob: Person) -> None:
    status = (await post(server, ann))["id"]
    path = f"{STATUSES_PATH}/{status}"
    for method, form in (("PUT", {"status": "x"}), ("DELETE", {})):
        assert (await server.client.request(method, path, headers=bob.headers, json=form)).status_code == 404
        assert (await server.client.request(method, path, json=form)).status_code == 401
    policy = {"quote_approval_policy": "nobody"}
    answer = await server.client.put(f"{path}/interaction_policy", headers=bob.headers, json=policy)
    assert answer.status_code == 404
    answer = await server.client.post(f"{path}/pin", headers=bob.headers)
    assert answer.json()["error"] == "Validation failed: Someone else's post cannot be pinned"
    assert (await get(server, None, path))["content"] == "<p>hello</p>"


# Media ----------------------------------------------------------------------------------------------------------------


async def test_a_post_with_pictures_alone(server: Server, ann: Person) -> None:
    ids = [await picture(server, ann) for _ in range(2)]
    status = await post(server, ann, "", media_ids=ids)
    assert [each["id"] for each in status["media_attachments"]] == ids
    assert len(await get(server, None, "/api/v1/timelines/public", only_media=True)) == 1


async def test_akkoma_2024_04_1_media_owner(server: Server, ann: Person, bob: Person) -> None:
    own, used, theirs = await picture(server, ann), await picture(server, ann), await picture(server, bob)
    pending = await picture(server, ann, state="pending")
    first = await post(server, ann, media_ids=[used])
    bad = ([theirs], [used], [own, own], [first["id"]], ["x"], [own] * 100, [pending], [own, theirs])
    for media_ids in bad:
        answer = await send(server, ann, media_ids=media_ids)
        assert answer.status_code == 422, media_ids
    rows = await server.ports.store.get_many(MEDIA, [(int(each),) for each in (own, theirs, pending)])
    assert [row.status_id for row in rows if row is not None] == [0, 0, 0]
    await post(server, ann, media_ids=[own])


async def test_ghsa_wr2m_38xh_rpc9_another_ones_media_stay(server: Server, ann: Person, bob: Person) -> None:
    theirs = await picture(server, bob)
    status = (await post(server, ann))["id"]
    change = {"status": "x", "media_ids": [theirs]}
    assert (await server.client.put(f"{STATUSES_PATH}/{status}", headers=ann.headers, json=change)).status_code == 422
    said = {"status": "x", "media_attributes": [{"id": theirs, "description": "mine"}]}
    await server.client.put(f"{STATUSES_PATH}/{status}", headers=ann.headers, json=said)
    row = await server.ports.store.get(MEDIA, (int(theirs),))
    assert row is not None
    assert (row.status_id, row.description) == (0, "")


async def test_delete_and_write_anew(server: Server, ann: Person) -> None:
    media = await picture(server, ann)
    status = await post(server, ann, "a *b*", media_ids=[media])
    answer = await server.client.delete(f"{STATUSES_PATH}/{status['id']}", headers=ann.headers)
    assert answer.json()["text"] == "a *b*"
    assert "content" not in answer.json()
    assert answer.json()["media_attachments"][0]["id"] == media
    assert (await server.client.get(f"{STATUSES_PATH}/{status['id']}")).status_code == 404
    assert await get(server, None, "/api/v1/timelines/public") == []
    again = await post(server, ann, "a b", media_ids=[media])
    assert again["media_attachments"][0]["id"] == media


# Edits ----------------------------------------------------------------------------------------------------------------


async def test_edits_keep_what_was(server: Server, ann: Person) -> None:
    media = await picture(server, ann, description="first")
    status = await post(server, ann, "one #a", media_ids=[media])
    path = f"{STATUSES_PATH}/{status['id']}"
    server.clock.advance(seconds=5)
    change = {
        "status": "two #b",
        "spoiler_text": "cw",
        "media_ids": [media],
        "media_attributes": [{"id": media, "description": "second"}],
    }
    answer = await server.client.put(path, headers=ann.headers, json=change)
    assert answer.status_code == 200, answer.text
    assert answer.json()["edited_at"] is not None
    history = await get(server, None, f"{path}/history")
    assert [each["content"].count("one") for each in history] == [1, 0]
    assert [each["media_attachments"][0]["description"] for each in history] == ["first", "second"]
    assert history[0]["created_at"] == status["created_at"]
    source = await get(server, ann, f"{path}/source")
    assert source == {"id": status["id"], "text": "two #b", "spoiler_text": "cw"}
    assert await get(server, None, "/api/v1/timelines/tag/a") == []
    assert len(await get(server, None, "/api/v1/timelines/tag/b")) == 1
    # The same once more is no further version.
    await server.client.put(path, headers=ann.headers, json=change)
    assert len(await get(server, None, f"{path}/history")) == 2


async def test_an_edit_does_not_bring_back_what_was_deleted(server: Server, ann: Person) -> None:
    status = await post(server, ann)
    path = f"{STATUSES_PATH}/{status['id']}"
    answers = await asyncio.gather(
        server.client.delete(path, headers=ann.headers),
        server.client.put(path, headers=ann.headers, json={"status": "x"}),
    )
    assert answers[0].status_code == 200
    row = await server.ports.store.get(STATUSES, (int(status["id"]),))
    assert row is not None
    assert row.deleted
    assert (await server.client.get(path)).status_code == 404


# Reactions ------------------------------------------------------------------------------------------------------------


async def test_reactions_show_at_once_and_are_listed(server: Server, ann: Person, bob: Person) -> None:
    status = (await post(server, ann))["id"]
    for _ in range(2):
        shown = await act(server, bob, status, "favourite")
        assert (shown["favourites_count"], shown["favourited"]) == (1, True)
    boost = await act(server, bob, status, "reblog")
    assert (boost["reblog"]["id"], boost["reblog"]["reblogs_count"]) == (status, 1)
    assert boost["application"] is None
    assert (await act(server, bob, status, "bookmark"))["bookmarked"] is True
    await server.drain()
    for path in ("favourited_by", "reblogged_by"):
        assert [each["acct"] for each in await get(server, None, f"{STATUSES_PATH}/{status}/{path}")] == ["bob"]
    for path in ("/api/v1/favourites", "/api/v1/bookmarks"):
        assert [each["id"] for each in await get(server, bob, path)] == [status]
    shown = await act(server, bob, status, "unreblog")
    assert (shown["id"], shown["reblogs_count"], shown["reblogged"]) == (status, 0, False)
    assert (await act(server, bob, status, "unfavourite"))["favourites_count"] == 0
    assert (await act(server, bob, status, "unbookmark"))["bookmarked"] is False
    await server.drain()
    for path in ("/api/v1/favourites", "/api/v1/bookmarks", f"{STATUSES_PATH}/{status}/favourited_by"):
        assert await get(server, bob, path) == []
    assert (await server.client.get(f"{STATUSES_PATH}/{boost['id']}")).status_code == 404


async def test_favourites_in_pages(server: Server, ann: Person) -> None:
    ids = []
    for n in range(5):
        ids.append((await post(server, ann, str(n)))["id"])
        await act(server, ann, ids[-1], "favourite")
        server.clock.advance(seconds=86_400 * 200)
    page = await server.client.get("/api/v1/favourites", headers=ann.headers, params={"limit": 2})
    seen = [each["id"] for each in page.json()]
    while "next" in page.links:
        page = await server.client.get(page.links["next"]["url"], headers=ann.headers)
        seen += [each["id"] for each in page.json()]
    assert seen == ids[::-1]


async def test_what_cannot_be_boosted(server: Server, ann: Person, bob: Person) -> None:
    await follow(server, bob, ann)
    private = (await post(server, ann, visibility="private"))["id"]
    answer = await server.client.post(f"{STATUSES_PATH}/{private}/reblog", headers=bob.headers)
    assert answer.status_code == 403
    own = await act(server, ann, private, "reblog", visibility="public")
    assert own["visibility"] == "private"


async def test_at_most_five_pins(server: Server, ann: Person) -> None:
    ids = [(await post(server, ann))["id"] for _ in range(6)]
    for each in ids[:5]:
        assert (await act(server, ann, each, "pin"))["pinned"] is True
    answer = await server.client.post(f"{STATUSES_PATH}/{ids[5]}/pin", headers=ann.headers)
    assert answer.status_code == 422
    assert (await act(server, ann, ids[0], "unpin"))["pinned"] is False
    await act(server, ann, ids[5], "pin")


async def test_a_muted_conversation(server: Server, ann: Person, bob: Person) -> None:
    root = (await post(server, ann))["id"]
    reply = (await post(server, bob, in_reply_to_id=root))["id"]
    assert (await act(server, ann, reply, "mute"))["muted"] is True
    assert (await get(server, ann, f"{STATUSES_PATH}/{root}"))["muted"] is True
    assert (await act(server, ann, root, "unmute"))["muted"] is False


# Polls ----------------------------------------------------------------------------------------------------------------


async def test_a_poll(server: Server, ann: Person, bob: Person) -> None:
    poll = {"options": ["a", "b"], "expires_in": 300, "hide_totals": True}
    status = await post(server, ann, "?", poll=poll)
    assert status["poll"]["voted"] is True
    path = f"/api/v1/polls/{status['poll']['id']}"
    vote = await server.client.post(f"{path}/votes", headers=bob.headers, json={"choices": [1]})
    assert vote.json()["own_votes"] == [1]
    assert vote.json()["votes_count"] == 1
    assert vote.json()["options"][1]["votes_count"] is None
    refusals = [
        (bob, [0], "Validation failed: You have already voted on this poll"),
        (ann, [0], "Validation failed: You cannot vote in your own polls"),
        (await server.sign_in("eve"), [0, 1], "Validation failed: The chosen vote option does not exist"),
        (await server.sign_in("mia"), [7], "Validation failed: The chosen vote option does not exist"),
    ]
    for who, choices, error in refusals:
        answer = await server.client.post(f"{path}/votes", headers=who.headers, json={"choices": choices})
        assert (answer.status_code, answer.json()["error"]) == (422, error)
    server.clock.advance(seconds=301)
    answer = await server.client.post(f"{path}/votes", headers=refusals[2][0].headers, json={"choices": [0]})
    assert answer.json()["error"] == "Validation failed: The poll has already ended"
    await server.drain()
    shown = await get(server, None, path)
    assert (shown["expired"], [each["votes_count"] for each in shown["options"]]) == (True, [0, 1])


async def test_ghsa_8q93_326v_3m7g_one_vote_in_parallel(server: Server, ann: Person, bob: Person) -> None:
    status = await post(server, ann, "?", poll={"options": ["a", "b"], "expires_in": 300})
    path = f"/api/v1/polls/{status['poll']['id']}"
    answers = await asyncio.gather(
        *(server.client.post(f"{path}/votes", headers=bob.headers, json={"choices": [n % 2]}) for n in range(50))
    )
    assert sorted({answer.status_code for answer in answers}) == [200, 422]
    await server.drain()
    assert (await get(server, None, path))["votes_count"] == 1


# Threads --------------------------------------------------------------------------------------------------------------


async def test_a_thread_in_reading_order(server: Server, ann: Person, bob: Person) -> None:
    async def reply(who: Person, text: str, to: str) -> str:
        return str((await post(server, who, text, in_reply_to_id=to))["id"])

    root = (await post(server, ann, "root"))["id"]
    first, second = await reply(bob, "1", root), await reply(ann, "2", root)
    deeper = await reply(ann, "1.1", first)
    deepest, last = await reply(bob, "1.1.1", deeper), await reply(bob, "2.1", second)
    found = await get(server, None, f"{STATUSES_PATH}/{root}/context")
    assert [each["id"] for each in found["descendants"]] == [first, deeper, deepest, second, last]
    found = await get(server, None, f"{STATUSES_PATH}/{deepest}/context")
    assert [each["id"] for each in found["ancestors"]] == [root, first, deeper]
    assert found["descendants"] == []
    await server.drain()
    assert (await get(server, None, f"{STATUSES_PATH}/{root}"))["replies_count"] == 2
    await server.client.delete(f"{STATUSES_PATH}/{first}", headers=bob.headers)
    found = await get(server, None, f"{STATUSES_PATH}/{root}/context")
    assert [each["id"] for each in found["descendants"]] == [deeper, deepest, second, last]
    await server.drain()
    assert (await get(server, None, f"{STATUSES_PATH}/{root}"))["replies_count"] == 1
