"""Chromium as people use it: sign up, post a picture, hear an answer; with scripts and without; axe on every page."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.live import PASSWORD, LiveServer, eventually

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
WITHIN_MS = 10_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("clients"),
    pytest.mark.skipif(
        not Path(CHROMIUM).exists() and os.environ.get("TOWNSQUARE_TESTS") != "all", reason="there is no chromium here"
    ),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def person(chromium: Browser, live: LiveServer, name: str, *, scripts: bool) -> Iterator[Page]:
    """Somebody who has just signed up; nothing may go wrong in their browser."""
    context = chromium.new_context(base_url=live.url, java_script_enabled=scripts)
    context.set_default_timeout(WITHIN_MS)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    page.get_by_label("Username").fill(name)
    page.get_by_label("E-mail address").fill(f"{name}@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url(f"{live.url}/")
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()
    yield page
    context.close()
    assert faults == []


def post_picture(page: Page, picture: Path, text: str) -> str:
    """Post a picture with a description from home; the post's path."""
    page.locator("#text").fill(text)
    page.locator(".extras summary", has_text="Media").click()
    page.get_by_label("Picture or video 1").set_input_files(picture)
    page.get_by_label("Description").first.fill("Green hills under a grey sky")
    page.get_by_role("button", name="Post", exact=True).click()
    post = page.get_by_role("article").filter(has_text=text)
    expect(post).to_be_visible()
    image = post.get_by_role("img", name="Green hills under a grey sky")
    expect(image).to_be_visible()
    return str(post.locator("a.when").get_attribute("href"))


def answer(page: Page, path: str, text: str) -> None:
    """Answer a post on its page."""
    page.goto(path)
    page.locator("#text").fill(text)
    page.get_by_role("button", name="Reply", exact=True).click()
    expect(page.get_by_role("article").filter(has_text=text)).to_be_visible()


def shown(page: Page, path: str, what: Locator) -> Locator:
    """Open a page, again if need be, until something stands on it: workers bring it there."""

    def look() -> bool:
        page.goto(path)
        return what.count() > 0

    eventually(look)
    return what


def test_with_scripts_an_answer_arrives_live(chromium: Browser, live: LiveServer, picture: Path) -> None:
    with person(chromium, live, "wilma", scripts=True) as wilma, person(chromium, live, "fred", scripts=True) as fred:
        path = post_picture(wilma, picture, "The hills today")
        loaded = wilma.get_by_role("img", name="Green hills under a grey sky")
        assert loaded.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        wilma.goto(path)
        wilma.evaluate("window.same = true")
        answer(fred, path, "@wilma Lovely hills")
        reply = wilma.get_by_role("region", name="Replies").get_by_role("article")
        expect(reply).to_contain_text("Lovely hills")
        expect(wilma.get_by_role("link", name="Notifications")).to_contain_text("1")

        # Buttons act without a new page and keep the focus.
        star = reply.get_by_role("button", name="Favourite")
        star.click()
        expect(star).to_have_attribute("aria-pressed", "true")
        expect(star).to_be_focused()
        wilma.keyboard.press("b")
        expect(reply.get_by_role("button", name="Boost")).to_have_attribute("aria-pressed", "true")
        assert wilma.evaluate("window.same") is True
        shown(fred, "/notifications", fred.get_by_role("main").get_by_text("marked your post as a favourite"))

        # New posts wait behind a button while somebody reads further down.
        fred.goto("/local")
        fred.evaluate("scrollTo(0, 40)")
        fred.locator(".feed").evaluate("feed => { feed.style.minHeight = '3000px'; scrollTo(0, 1000) }")
        wilma.goto("/")
        wilma.locator("#text").fill("Another one")
        wilma.locator("#text").press("Control+Enter")
        fred.get_by_role("button", name="1 new post").click()
        expect(fred.get_by_role("article").first).to_contain_text("Another one")
        wilma.wait_for_url(re.compile("#post-"))
        wilma.locator("#text").fill("x" * 460)
        expect(wilma.locator(".counter")).to_have_text("40")


def test_without_scripts_the_same_by_forms(chromium: Browser, live: LiveServer, picture: Path) -> None:
    with person(chromium, live, "betty", scripts=False) as betty, person(chromium, live, "bam", scripts=False) as bam:
        path = post_picture(betty, picture, "The same hills")
        answer(bam, path, "@betty I know them")
        bam.goto("/@betty")
        bam.get_by_role("button", name="Follow betty").click()
        expect(bam.get_by_role("button", name="Following betty")).to_be_visible()

        betty.goto(path)
        reply = betty.get_by_role("article").filter(has_text="I know them")
        reply.get_by_role("button", name="Favourite").click()
        expect(betty).to_have_url(re.compile(rf"{path}#post-\d+$"))
        expect(reply.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")
        reply.get_by_role("button", name="Boost").click()
        expect(reply.get_by_role("button", name="Boost")).to_have_attribute("aria-pressed", "true")
        shown(betty, "/notifications", betty.get_by_role("main").get_by_text("follows you"))
        betty.goto("/")
        betty.locator("#text").fill("For bam")
        betty.get_by_role("button", name="Post", exact=True).click()
        shown(bam, "/", bam.get_by_role("article").filter(has_text="For bam"))

        betty.locator("#text").fill("Tea or coffee?")
        betty.locator(".extras summary", has_text="Poll").click()
        betty.get_by_label("Option 1").fill("Tea")
        betty.get_by_label("Option 2").fill("Coffee")
        betty.get_by_role("button", name="Post", exact=True).click()
        poll = shown(bam, "/", bam.get_by_role("article").filter(has_text="Tea or coffee?"))
        poll.get_by_label("Tea").check()
        poll.get_by_role("button", name="Vote").click()
        expect(bam.get_by_role("article").filter(has_text="your vote")).to_be_visible()

        betty.get_by_role("article").filter(has_text="Tea or coffee?").locator(".more summary").click()
        betty.get_by_role("link", name="Delete").click()
        betty.get_by_role("button", name="Delete", exact=True).click()
        expect(betty.get_by_role("article").filter(has_text="Tea or coffee?")).to_have_count(0)
        betty.get_by_role("navigation", name="Main").get_by_role("button", name="Log out").click()
        expect(betty.get_by_role("link", name="Log in").first).to_be_visible()


# axe ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(live: LiveServer, picture: Path) -> tuple[str, dict[str, str]]:
    """A token's owner who has something of everything, and the pages to look at: path by name."""
    token = live.account("axel")["token"]
    with live.client(token) as axel, live.client(live.account("vera")["token"]) as vera:
        profile = {
            "display_name": "Axel", "note": "Likes #gardens and https://example.org",
            "fields_attributes[0][name]": "Web", "fields_attributes[0][value]": "https://example.org",
        }  # fmt: skip
        assert axel.patch("/api/v1/accounts/update_credentials", data=profile).status_code == 200
        upload = {"file": ("hills.png", picture.read_bytes(), "image/png")}
        media = [
            axel.post("/api/v1/media", files=upload, data={"description": said}).json()["id"] for said in ("Hills", "")
        ]

        def post(who: object, **fields: object) -> str:
            answer = who.post("/api/v1/statuses", json=fields)  # type: ignore[attr-defined]
            assert answer.status_code == 200, answer.text
            return str(answer.json()["id"])

        root = post(axel, status="A thread about #gardens for @vera, see https://example.org", media_ids=media)
        reply = post(vera, status="@axel a reply", in_reply_to_id=root)
        post(axel, status="@vera deeper", in_reply_to_id=reply)
        post(axel, status="hidden", spoiler_text="Behind a warning", visibility="private")
        post(vera, status="Which?", poll={"options": ["one", "two"], "expires_in": 3600})
        post(axel, status="Mine?", poll={"options": ["one", "two"], "expires_in": 3600, "multiple": True})
        for act in ("favourite", "reblog"):
            assert vera.post(f"/api/v1/statuses/{root}/{act}").status_code == 200
        axels, veras = (each.get("/api/v1/accounts/verify_credentials").json()["id"] for each in (axel, vera))
        assert vera.post(f"/api/v1/accounts/{axels}/follow").status_code == 200
        assert axel.post(f"/api/v1/accounts/{veras}/follow").status_code == 200
        assert axel.post(f"/api/v1/statuses/{reply}/bookmark").status_code == 200
        assert axel.post(f"/api/v1/statuses/{reply}/favourite").status_code == 200
    paths = (
        "/", "/local", "/tags/gardens", "/@axel", "/@vera", "/@axel?tab=media", "/@axel/followers", f"/@axel/{root}",
        f"/@vera/{reply}", f"/@axel/{root}/boosts", f"/@axel/{root}/history", "/notifications", "/follow-requests",
        "/search?q=a", "/search?q=", "/favourites", "/bookmarks", "/settings", "/settings/posting", "/settings/look",
        "/settings/account", f"/compose?reply_to={root}", f"/compose?edit={root}", f"/posts/{root}/delete", "/about",
        "/privacy-policy", "/nowhere",
    )  # fmt: skip
    open_paths = ("/", "/local", "/@axel", f"/@axel/{root}", "/auth/sign_in", "/auth/sign_up", "/auth/password/new")
    return "axel", {**{f"in {path}": path for path in paths}, **{f"out {path}": path for path in open_paths}}


def test_axe_finds_nothing_on_any_page(chromium: Browser, live: LiveServer, filled: tuple[str, dict[str, str]]) -> None:
    """In both themes, at both widths; and nothing is wider than the screen, also a small one."""
    name, pages = filled
    found: list[str] = []
    with look(chromium, live) as signed_in, look(chromium, live) as nobody:
        log_in(signed_in, live, name)
        for key, path in pages.items():
            page = (signed_in if key.startswith("in ") else nobody).new_page()
            page.goto(path)
            for each in page.locator(".extras details, details.cw").all():
                each.evaluate("details => { details.open = true }")
            for width in (320, 390, 1280):
                page.set_viewport_size({"width": width, "height": 844})
                wide = page.evaluate("document.documentElement.scrollWidth")
                found += [f"{key}: {wide} wide at {width}"] if wide > width else []
                for theme, rules in (("light", None), ("dark", ["color-contrast", "link-in-text-block"])):
                    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # a literal
                    if width > 320:
                        found += [f"{key}, {theme} {width}: {fault}" for fault in faults_of(page, rules)]
            page.close()
    assert found == []


def faults_of(page: Page, rules: list[str] | None) -> list[str]:
    """What axe finds on the page, by these rules or all."""
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    faults = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in faults]


@contextmanager
def look(chromium: Browser, live: LiveServer) -> Iterator[BrowserContext]:
    """A browser."""
    context = chromium.new_context(base_url=live.url)
    context.set_default_timeout(WITHIN_MS)
    yield context
    context.close()


def log_in(context: BrowserContext, live: LiveServer, name: str) -> None:
    """Log in by the form."""
    page = context.new_page()
    page.goto("/auth/sign_in")
    page.get_by_label("E-mail address or username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{live.url}/")
    page.close()
