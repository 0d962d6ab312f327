"""Published faults of comparable servers, tried on our pages. Each test is named by the case's id."""

import re
from html.parser import HTMLParser
from typing import Any

import html5lib
import pytest

from tests.api.conftest import Person, Server
from tests.api.pages import Page, browser_of
from townsquare.kit.identicon import draw_avatar
from townsquare.web.pages.table import PAGE_ROUTES
from townsquare.web.server.table import ALL_ROUTES

EVIL = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
ELSEWHERE = [
    "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "\\/evil.example",
    "/%0d%0aset-cookie:x=y", "/\r\nset-cookie: x=y", " //evil.example", "/ /evil.example", "http:evil.example",
    "/\t/evil.example", "data:text/html,x", "///evil.example", "/\x00/evil.example",
]  # fmt: skip
ALLOWED = {
    "a", "article", "aside", "bdi", "body", "br", "button", "dd", "details", "div", "dl", "dt", "em", "fieldset",
    "figure", "form", "h1", "h2", "head", "hr", "html", "img", "input", "label", "legend", "li", "link", "main", "meta",
    "nav", "ol", "option", "p", "path", "progress", "script", "section", "select", "small", "span", "strong", "summary",
    "svg", "symbol", "textarea", "time", "title", "ul", "use", "header",
    # charts
    "caption", "circle", "defs", "figcaption", "g", "h3", "line", "output", "pattern", "rect", "table", "tbody", "td",
    "text", "th", "thead", "tr",
}  # fmt: skip


@pytest.fixture
async def ann(server: Server) -> Person:
    return await server.sign_in("ann")


async def post(server: Server, who: Person, text: str, **more: Any) -> str:
    answer = await server.client.post("/api/v1/statuses", headers=who.headers, json={"status": text, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


class _Sharp(HTMLParser):
    """Raises at whatever could run."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        values = dict(attrs)
        assert not any(name.startswith("on") or name in ("style", "srcdoc") for name in values), attrs
        assert (values.get("src") or "/").startswith(("/", "data:image")), attrs
        for name in ("href", "action", "formaction"):
            assert not re.match(r"\s*(javascript|data|vbscript):", values.get(name) or "", re.IGNORECASE), attrs
        if tag == "script":
            assert (values["src"] or "").startswith("/assets/")


def is_harmless(text: str) -> None:
    """Whether a page, read by two parsers, holds nothing that runs."""
    _Sharp().feed(text)
    tree = html5lib.parse(text, namespaceHTMLElements=False)
    for element in tree.iter():
        if isinstance(element.tag, str):
            assert element.tag.rpartition("}")[2] in ALLOWED | {"tbody"}, element.tag
            assert not any(str(name).startswith("on") for name in element.attrib), element.attrib


async def test_nothing_of_a_hidden_post_leaves__Akkoma_2024_04_OpenGraph(server: Server, ann: Person) -> None:
    nobody, hers = await browser_of(server), await browser_of(server, ann)
    bob = await server.sign_in("bob")
    for visibility in ("private", "direct"):
        status_id = await post(server, ann, "a secret word", visibility=visibility, spoiler_text="secret warning")
        here = f"/@ann/{status_id}"
        for path in (here, f"/posts/{status_id}", f"{here}/history", f"{here}/boosts"):
            for browser in (nobody, await browser_of(server, bob)):
                answer = await browser.client.get(path)
                assert answer.status_code == 404
                assert "secret" not in answer.text + str(answer.headers)
        page = await hers.open(f"/@ann/{status_id}")
        assert "a secret word" in page.text
        assert not [name for name in page.metas if name.startswith(("og:", "twitter:", "description"))]
        assert page.metas["robots"] == "noindex, noarchive"
        for path in ("/", "/local", "/@ann", "/@ann?tab=replies"):
            assert "secret" not in (await nobody.open(path)).text


async def test_warnings_hide_from_cards_what_they_hide__Akkoma_2024_04_OpenGraph(server: Server, ann: Person) -> None:
    status_id = await post(server, ann, "the spoiler", spoiler_text="about a film")
    page = await (await browser_of(server)).open(f"/@ann/{status_id}")
    assert page.metas["og:description"] == "about a film"
    assert "spoiler" not in "".join(page.metas.values())


@pytest.mark.parametrize("to", ELSEWHERE)
async def test_no_redirect_leads_elsewhere__CVE_2026_33868(server: Server, ann: Person, to: str) -> None:
    browser = await browser_of(server, ann)
    status_id = await post(server, ann, "hello")
    page = await browser.open("/")
    token = page.forms["act"].values["csrf"]
    acts = [route for route in PAGE_ROUTES if route.method == "POST"]
    assert len(acts) > 20
    for route in acts:
        path = route.path.replace("{id}", status_id)
        data = {"csrf": token, "back": to, "at": to, "status": "x", "next": to, "part": to}
        answer = await browser.client.post(path, data=data)
        location = answer.headers.get("location", "/")
        assert re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", location), (path, location)
        assert "x" not in answer.cookies


async def test_paths_with_two_slashes_lead_nowhere__CVE_2021_21330(server: Server) -> None:
    for path in ("//evil.example/..", "///evil.example/", "//evil.example/@ann/", "/@ann//evil.example"):
        answer = await server.client.get(f"http://localhost:3000{path}")
        assert answer.status_code in (200, 404)  # the client makes "//" of the first
        assert "location" not in answer.headers


async def test_forms_from_elsewhere_are_refused__CSRF_on_cookie_log_in(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    page = await browser.open("/")
    token = page.forms["act"].values["csrf"]
    acts = [route for route in ALL_ROUTES if route.html and route.method != "GET"]
    for route in acts:
        path = re.sub(r"\{\w+\}", "1", route.path)
        for data, headers in (
            ({}, {}),
            ({"csrf": "0" * 64}, {}),
            ({"csrf": token}, {"Origin": "https://evil.example"}),
            ({"csrf": token}, {"Origin": "null"}),
            ({"csrf": token}, {"Sec-Fetch-Site": "cross-site"}),
            ({"csrf": token}, {"Sec-Fetch-Site": "same-site"}),
        ):
            server.clock.advance(seconds=1800)  # the limits stand open again
            answer = await browser.client.request(route.method, path, data=data, headers=headers)
            assert answer.status_code == 403, (route.path, data, headers)
    other = await browser_of(server, await server.sign_in("eve"))
    answer = await other.client.post("/do/notifications/clear", data={"csrf": token})
    assert answer.status_code == 403
    assert (
        await server.client.get("/api/v1/accounts/verify_credentials", headers={"Cookie": f"session={ann.secret}"})
    ).status_code == 401


async def test_a_page_cannot_be_framed_nor_run_what_is_in_it__OAuth_clickjacking(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    for path in ("/", "/local", "/@ann", "/settings/account", "/compose", "/nowhere", "/auth/sign_in?again=1"):
        headers = (await browser.client.get(path)).headers
        assert headers["x-frame-options"] == "DENY"
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] in ("private, no-cache", "private, no-store")


@pytest.mark.slow
async def test_markup_in_every_place_is_text__GHSA_2g66_9fr3_ppwj(server: Server, ann: Person) -> None:
    """Also: Pleroma 1.0 (names), Pleroma 0.9 (warnings), Pleroma 2.0.1 (every place that shows a post)."""
    browser = await browser_of(server, ann)
    files = {"avatar": ("a.png", draw_avatar(1), "image/png")}
    short = EVIL[:40]
    filled = {"display_name": short, "note": EVIL, "name1": EVIL, "value1": EVIL, "avatar_description": EVIL}
    answer = await browser.send(await browser.open("/settings"), "/do/settings/profile", files=files, **filled)
    assert answer.status_code == 303, answer.text
    form = await browser.open("/compose")
    answer = await browser.send(
        form, "/do/post", files={"file1": ("x.png", draw_avatar(3), "image/png")}, status=EVIL + " #tag",
        spoiler_text=EVIL, description1=EVIL,
    )  # fmt: skip
    assert answer.status_code == 303, answer.text
    status_id = answer.headers["location"].partition("#post-")[2]
    poll_id = await post(server, ann, EVIL, poll={"options": [short, EVIL[40:80]], "expires_in": 600})
    bob = await server.sign_in("bob")
    for path in ("favourite", "reblog"):
        await server.client.post(f"/api/v1/statuses/{status_id}/{path}", headers=bob.headers)
    await server.drain()
    paths = [
        "/", "/local", "/@ann", "/tags/tag", f"/@ann/{status_id}", f"/@ann/{poll_id}", "/notifications", "/settings",
        f"/compose?edit={status_id}", f"/compose?reply_to={status_id}", f"/posts/{status_id}/delete", "/search?q=ann",
        f"/@ann/{status_id}/history", "/@ann/followers", "/insights", f"/insights/posts/{status_id}",
    ]  # fmt: skip
    for who in (browser, await browser_of(server), await browser_of(server, bob)):
        for path in paths:
            answer = await who.client.get(path)
            assert answer.status_code in (200, 303, 404)
            is_harmless(answer.text)


@pytest.mark.slow
async def test_markup_in_every_parameter_is_text__CVE_2020_26891(server: Server, ann: Person) -> None:
    names = ("q", "type", "tab", "text", "reply_to", "edit", "next", "saved", "back", "offset", "zone", "since", "days")
    everywhere = dict.fromkeys(names, EVIL)
    for browser in (await browser_of(server, ann), await browser_of(server)):
        for route in PAGE_ROUTES:
            if route.method != "GET" or not route.html:
                continue
            for value in ("1", "%22%3E%3Cimg%20src=x%3E"):
                path = re.sub(r"\{\w+\}", value, route.path)
                for params in (everywhere, {"max_id": EVIL}, {"q": EVIL, "edit": "1"}):
                    answer = await browser.client.get(path, params=params)
                    assert answer.status_code in (200, 303, 400, 403, 404, 422), (path, params)
                    _Sharp().feed(answer.text)


async def test_what_was_typed_comes_back_as_text__CVE_2020_26891(server: Server, ann: Person) -> None:
    browser = await browser_of(server, ann)
    filled = {"status": "</textarea>" + EVIL + "x" * 500, "spoiler_text": EVIL, "back": EVIL, "language": EVIL}
    answer = await browser.send(await browser.open("/compose"), "/do/post", **filled, **{"options[]": [EVIL]})
    assert answer.status_code == 422
    is_harmless(answer.text)
    assert Page(answer).forms["/do/post"].values["back"] == "/"
