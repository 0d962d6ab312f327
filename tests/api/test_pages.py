"""Pages for people: everything by forms, without JavaScript."""

import re
from typing import Any

import msgspec
import pytest

from tests.api.conftest import Person, Server
from tests.api.pages import Browser, Page, browser_of
from townsquare.kit.identicon import draw_avatar
from townsquare.media import film_studio
from townsquare.model.status import Media
from townsquare.store.port import Put
from townsquare.store.tables import MEDIA


@pytest.fixture
async def ann(server: Server) -> Person:
    return await server.sign_in("ann")


@pytest.fixture
async def bob(server: Server) -> Person:
    return await server.sign_in("bob")


async def write(browser: Browser, text: str, *, page: str = "/", files: Any = None, **more: Any) -> str:
    """Post by the form on a page; the status's id."""
    answer = await browser.send(await browser.open(page), "/do/post", files=files, status=text, **more)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("#post-")[2]


def posts_of(page: Page) -> list[str]:
    """The ids of the posts on a page, as they stand there."""
    return [each.removeprefix("post-") for each in page.ids if each.startswith("post-")]


async def test_the_front_page_welcomes(server: Server, ann: Person) -> None:
    await write(await browser_of(server, ann), "hello all")
    nobody = await browser_of(server)
    page = await nobody.open("/")
    assert "hello all" in page.text
    assert "/auth/sign_up" in page.links
    assert "/auth/sign_in" in page.links
    assert page.forms.get("act") is None
    assert "set-cookie" not in page.answer.headers
    assert page.metas["og:title"] == "Townsquare"


async def test_write_reply_boost_favourite_bookmark_delete(server: Server, ann: Person, bob: Person) -> None:
    anns, bobs = await browser_of(server, ann), await browser_of(server, bob)
    status_id = await write(anns, "hi <b>all</b> #tag", spoiler_text="about b")
    assert posts_of(await anns.open("/")) == [status_id]
    thread = await bobs.open(f"/@ann/{status_id}")
    assert "hi &lt;b&gt;all&lt;/b&gt;" in thread.text
    assert "<summary><bdi>about b</bdi></summary>" in thread.text

    reply_id = await write(bobs, "@ann well", page=f"/@ann/{status_id}")
    thread = await anns.open(f"/@ann/{status_id}")
    assert posts_of(thread) == [status_id, reply_id]

    for verb, undo in (("favourite", "unfavourite"), ("boost", "unboost"), ("bookmark", "unbookmark")):
        page = await bobs.press(await bobs.open("/local"), f"/do/posts/{status_id}/{verb}")
        assert page.answer.url.path == "/local"
        assert page.answer.url.fragment == f"post-{status_id}"
        assert f"/do/posts/{status_id}/{undo}" in page.buttons
    assert posts_of(await bobs.open("/favourites")) == [status_id]
    assert posts_of(await bobs.open("/bookmarks")) == [status_id]
    await bobs.press(await bobs.open("/local"), f"/do/posts/{status_id}/unfavourite")
    assert posts_of(await bobs.open("/favourites")) == []

    await server.drain()
    notices = await anns.open("/notifications")
    assert "boosted your post" in notices.text
    assert reply_id in posts_of(notices)
    question = await anns.open(f"/posts/{status_id}/delete")
    await anns.press(question, f"/do/posts/{status_id}/delete")
    await bobs.open(f"/@ann/{status_id}", status=404)


async def test_pictures_with_descriptions(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    files = {f"file{n}": (f"{n}.png", draw_avatar(1), "image/png") for n in (1, 2)}
    said = {"description1": 'a "red" square', "description2": ""}
    status_id = await write(browser, "", files=files, **said)
    page = await browser.open(f"/@ann/{status_id}")
    assert 'alt="a &quot;red&quot; square"' in page.text
    assert page.text.count("<figure>") == 2
    (source, *_) = re.findall(r'<img src="(/media/[^"]+)"', page.text)
    assert (await browser.client.get(source)).headers["content-type"].startswith("image/")
    assert page.metas["og:image:alt"] == 'a "red" square'


async def test_what_was_typed_and_uploaded_stays_when_something_is_wrong(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    form = await browser.open("/compose")
    files = {"file1": ("1.png", draw_avatar(1), "image/png")}
    answer = await browser.send(
        form, "/do/post", files=files, status="x" * 501, description1="red", visibility="private"
    )
    assert answer.status_code == 422
    page = Page(answer)
    again = page.forms["/do/post"].values
    assert again["status"] == "x" * 501
    assert again["visibility"] == "private"
    assert len(again["media_ids[]"]) == 1
    assert "character limit of 500 exceeded" in page.text
    assert page.text.count('role="alert"') == 1
    answer = await browser.send(page, "/do/post", status="short", **{f"said-{again['media_ids[]'][0]}": "blue"})
    assert answer.status_code == 303
    status_id = answer.headers["location"].partition("#post-")[2]
    page = await browser.open(f"/@ann/{status_id}")
    assert 'alt="blue"' in page.text


async def test_a_broken_picture_leaves_the_good_one(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    files = {"file1": ("1.png", draw_avatar(1), "image/png"), "file2": ("2.png", b"no picture", "image/png")}
    answer = await browser.send(await browser.open("/compose"), "/do/post", files=files, status="two")
    assert answer.status_code == 422
    assert len(Page(answer).forms["/do/post"].values["media_ids[]"]) == 1
    assert posts_of(await browser.open("/")) == []


async def test_the_same_form_twice_is_one_post(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    form = await browser.open("/compose")
    answers = [await browser.send(form, "/do/post", status="once") for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert len(posts_of(await browser.open("/"))) == 1


async def test_polls(server: Server, ann: Person, bob: Person) -> None:
    anns, bobs = await browser_of(server, ann), await browser_of(server, bob)
    status_id = await write(anns, "tea?", **{"options[]": ["yes", "<i>no</i>", "", ""]})
    page = await bobs.open(f"/@ann/{status_id}")
    assert "&lt;i&gt;no&lt;/i&gt;" in page.text
    vote = f"/do/polls/{status_id}/vote"
    refused = await bobs.press(page, vote)
    assert refused.answer.status_code == 422
    page = await bobs.press(page, vote, **{f"vote-{status_id}[]": ["1"]})
    assert page.answer.status_code == 200
    assert vote not in page.buttons
    assert "your vote" in page.text


async def test_edit(server: Server, ann: Person, bob: Person) -> None:
    browser = await browser_of(server, ann)
    status_id = await write(
        browser, "helo", files={"file1": ("1.png", draw_avatar(1), "image/png")}, description1="red"
    )
    form = await browser.open(f"/compose?edit={status_id}")
    action = f"/do/posts/{status_id}/edit"
    assert form.forms[action].values["status"] == "helo"
    media_id = form.forms[action].values["media_ids[]"][0]
    answer = await browser.send(form, action, status="hello", **{f"said-{media_id}": "green"})
    assert answer.status_code == 303
    page = await browser.open(f"/@ann/{status_id}")
    assert "hello" in page.text
    assert 'alt="green"' in page.text
    assert "helo" in (await browser.open(f"/@ann/{status_id}/history")).text
    await (await browser_of(server, bob)).open(f"/compose?edit={status_id}", status=404)


async def test_follow_and_home(server: Server, ann: Person, bob: Person) -> None:
    anns, bobs = await browser_of(server, ann), await browser_of(server, bob)
    profile = await bobs.open("/@ANN")
    follow = f"/do/people/{ann.account.account_id}/follow"
    profile = await bobs.press(profile, follow)
    assert f"/do/people/{ann.account.account_id}/unfollow" in profile.buttons
    await server.drain()
    status_id = await write(anns, "to my followers", visibility="private")
    await server.drain()
    assert posts_of(await bobs.open("/")) == [status_id]
    assert "/@bob" in (await anns.open("/@ann/followers")).links
    assert "follows you" in (await anns.open("/notifications")).text
    await bobs.press(await bobs.open("/@ann"), f"/do/people/{ann.account.account_id}/unfollow")
    await bobs.open(f"/@ann/{status_id}", status=404)


async def test_block_and_mute(server: Server, ann: Person, bob: Person) -> None:
    anns, bobs = await browser_of(server, ann), await browser_of(server, bob)
    await write(bobs, "noise")
    path = f"/do/people/{bob.account.account_id}"
    await anns.press(await anns.open("/@bob"), f"{path}/mute")
    assert posts_of(await anns.open("/local")) == []
    await anns.press(await anns.open("/@bob"), f"{path}/unmute")
    assert len(posts_of(await anns.open("/local"))) == 1
    page = await anns.press(await anns.open("/@bob"), f"{path}/block")
    assert f"{path}/unblock" in page.buttons
    assert f"/do/people/{ann.account.account_id}/follow" not in (await bobs.open("/@ann")).buttons


async def test_locked_accounts_are_asked(server: Server, ann: Person, bob: Person) -> None:
    anns, bobs = await browser_of(server, ann), await browser_of(server, bob)
    answer = await anns.send(await anns.open("/settings"), "/do/settings/profile", locked="1")
    assert answer.headers["location"] == "/settings?saved=1"
    await bobs.press(await bobs.open("/@ann"), f"/do/people/{ann.account.account_id}/follow")
    page = await anns.open("/follow-requests")
    await anns.press(page, f"/do/requests/{bob.account.account_id}/accept")
    await server.drain()
    assert "/@bob" in (await anns.open("/@ann/followers")).links


@pytest.mark.slow
async def test_pages_of_a_timeline(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    ids = []
    for n in range(45):
        ids.append(await write(browser, str(n), page="/compose"))
        server.clock.advance(seconds=1)
    for path in ("/", "/local", "/@ann"):
        page = await browser.open(path)
        seen = posts_of(page)
        while older := [link for link in page.links if "max_id=" in link]:
            page = await browser.open(older[0])
            seen += posts_of(page)
        assert seen == ids[::-1]
        (newer,) = [link for link in page.links if "min_id=" in link]
        page = await browser.open(newer)
        assert posts_of(page) == ids[::-1][20:40]


async def test_settings(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    files = {"avatar": ("a.png", draw_avatar(2), "image/png")}
    answer = await browser.send(
        await browser.open("/settings"),
        "/do/settings/profile",
        files=files,
        display_name="Ann <3",
        note="I am #ann",
        name1="Web",
        value1="https://example.org",
        discoverable="1",
    )
    assert answer.status_code == 303
    profile = await browser.open("/@ann")
    assert "Ann &lt;3" in profile.text
    assert 'href="https://example.org"' in profile.text
    assert "/avatars/" not in re.search(r'class="face">.*?</div>', profile.text)[0]  # type: ignore[index]
    answer = await browser.send(await browser.open("/settings"), "/do/settings/profile", display_name="x" * 41)
    assert answer.status_code == 422
    assert Page(answer).forms["/do/settings/profile"].values["display_name"] == "x" * 41
    answer = await browser.send(await browser.open("/settings/posting"), "/do/settings/posting", privacy="unlisted")
    assert answer.status_code == 303
    assert (await browser.open("/compose")).forms["/do/post"].values["visibility"] == "unlisted"
    answer = await browser.send(
        await browser.open("/settings/look"), "/do/settings/look", theme="dark", hide_counts="1"
    )
    assert answer.status_code == 303
    assert '<html lang="en" data-theme="dark" data-counts="off">' in (await browser.open("/")).text


async def test_address_and_password_want_the_password(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    page = await browser.open("/settings/account")
    filled = {"email": "new@example.org", "email-password": "wrong"}
    assert (await browser.send(page, "/do/settings/email", **filled)).status_code == 422
    filled = {"password": "wrong", "new-password": "another good one"}
    assert (await browser.send(page, "/do/settings/password", **filled)).status_code == 422


async def test_search_and_tags(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    status_id = await write(browser, "a walk in the rain #Weather")
    await server.drain()
    page = await browser.open("/search?q=ann")
    assert "/@ann" in page.links
    page = await browser.open("/search?q=weath")
    assert "/tags/Weather" in page.links or "/tags/weather" in page.links
    assert posts_of(await browser.open("/tags/weather")) == [status_id]
    await browser.open("/tags/no%20tag", status=404)


async def test_every_page_has_one_heading_and_unique_ids(server: Server, ann: Person, bob: Person) -> None:
    browser = await browser_of(server, ann)
    status_id = await write(browser, "hello")
    await browser.press(await browser.open("/"), f"/do/posts/{status_id}/pin")
    await browser.press(await browser.open("/"), f"/do/posts/{status_id}/boost")
    paths = [
        "/", "/local", "/tags/a", "/@ann", "/@ann?tab=replies", "/@ann?tab=media", "/@ann/followers", "/@ann/following",
        f"/@ann/{status_id}", f"/@ann/{status_id}/boosts", f"/@ann/{status_id}/favourites",
        f"/@ann/{status_id}/history", "/notifications", "/follow-requests", "/search?q=a", "/favourites", "/bookmarks",
        "/settings", "/settings/posting", "/settings/look", "/settings/account", "/compose", "/about",
        "/privacy-policy", f"/posts/{status_id}/delete",
    ]  # fmt: skip
    for path in paths:
        page = await browser.open(path)
        assert page.headings == 1, path
        assert len(page.ids) == len(set(page.ids)), path
        assert "content" in page.ids, path


async def test_who_is_not_signed_in_is_led_to_the_log_in(server: Server) -> None:
    nobody = await browser_of(server)
    answer = await nobody.client.get("/notifications?tab=mentions")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/auth/sign_in?next=%2Fnotifications%3Ftab%3Dmentions"


async def test_drawn_pictures(server: Server, ann: Person) -> None:
    client = server.client
    one = await client.get(f"/avatars/{ann.account.account_id}.png")
    assert one.headers["content-type"] == "image/png"
    assert "immutable" in one.headers["cache-control"]
    assert one.content == (await client.get(f"/avatars/{ann.account.account_id}.png")).content
    assert one.content != (await client.get("/avatars/7.png")).content
    assert (await client.get("/headers/default.png")).content[:8] == b"\x89PNG\r\n\x1a\n"
    assert (await client.get("/manifest.json")).json()["name"] == "Townsquare"
    assert (await client.get("/favicon.ico")).status_code == 200


async def test_errors_are_pages(server: Server) -> None:
    nobody = await browser_of(server)
    page = await nobody.open("/nowhere", status=404)
    assert page.headings == 1
    assert "There is no such page here" in page.text


async def test_pictures_in_forms_count_as_uploads(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    form = await browser.open("/compose")
    for n in range(31):
        files = {"file1": ("1.png", b"no picture", "image/png")}
        answer = await browser.send(form, "/do/post", files=files, status=str(n))
        assert answer.status_code == (422 if n < 30 else 429)
    assert "Slow down a little" in answer.text
    assert "retry-after" in answer.headers
    assert (await browser.send(form, "/do/post", status="words")).status_code == 303


async def test_a_film_waits_for_a_click_and_a_sound_too(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    for kind, extension in (("video", "mp4"), ("gifv", "mp4"), ("audio", "mp3")):
        row = Media(
            media_id=server.ports.new_id(),
            account_id=ann.account.account_id,
            state="ready",
            kind=kind,
            original=f"ab/cd/{'0' * 28}.{extension}",
            preview=f"ab/cd/{'1' * 28}.jpg" if kind != "audio" else "",
            width=640,
            height=360,
            description='a "test" card',
        )
        await server.ports.store.write([Put(MEDIA, row)])
        form = await browser.open("/compose")
        answer = await browser.send(form, "/do/post", status="", **{"media_ids[]": str(row.media_id)})
        assert answer.status_code == 303
        page = await browser.open(f"/@ann/{answer.headers['location'].rpartition('-')[2]}")
        player = re.search(r"<(?:video|audio) [^>]+>", page.text)
        assert player is not None
        assert f'src="/media/{row.original}"' in player[0]
        assert {"controls", 'preload="none"'} <= set(player[0].rstrip(">").split(" "))
        assert 'aria-label="a &quot;test&quot; card"' in player[0]
        assert (" loop" in player[0]) == (kind == "gifv")
        assert "autoplay" not in player[0]
        if kind != "audio":
            assert f'poster="/media/{row.preview}" width="640" height="360"' in player[0]
    assert "media-src 'self'" in page.answer.headers["content-security-policy"]


async def test_a_film_in_a_form_that_is_still_worked_on_stays(
    server: Server, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_studio, "programs", lambda: ("ffmpeg", "ffprobe"))
    monkeypatch.setattr("townsquare.web.pages.compose._FILM_WAIT_S", 0.01)
    browser = await browser_of(server, ann)
    form = await browser.open("/compose")
    head = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2mp41"
    files = {"file1": ("x.mp4", head, "video/mp4")}
    answer = await browser.send(form, "/do/post", files=files, status="Look", description1="A card")
    assert answer.status_code == 422
    assert "still being worked on" in answer.text
    (row, *others), _ = await server.ports.store.scan(MEDIA, limit=9)
    assert (row.state, row.description, others) == ("pending", "A card", [])
    again = Page(answer)
    assert again.forms["/do/post"].values["media_ids[]"] == [str(row.media_id)]
    await server.ports.store.write([Put(MEDIA, msgspec.structs.replace(row, state="ready", original="a/b/c.mp4"))])
    answer = await browser.send(again, "/do/post")
    assert answer.status_code == 303
