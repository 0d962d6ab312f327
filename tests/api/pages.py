"""A browser without JavaScript on the pages: it reads what stands there, presses buttons, sends forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.api.conftest import Person, Server, client_of
from townsquare.social.tokens import issue_token
from townsquare.web.oauth.browser import SCOPES
from townsquare.web.server.app import App


@dataclass
class Form:
    """A form with what stands in its fields."""

    action: str
    method: str
    values: dict[str, Any] = field(default_factory=dict)


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.text
        self.answer, self.text = answer, answer.text
        self.forms: dict[str, Form] = {}  # by id, else action
        self.buttons: dict[str, tuple[str, dict[str, str]]] = {}  # by formaction: form, name and value
        self.links: list[str] = []
        self.metas: dict[str, str] = {}
        self.ids: list[str] = []
        self.headings = 0
        self._form: Form | None = None
        self._select: str | None = None
        self._textarea: str | None = None
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "h1":
            self.headings += 1
        elif tag == "form":
            self._form = Form(values.get("action", ""), values.get("method", "get"))
            self.forms[values.get("id") or self._form.action] = self._form
        elif tag == "input":
            self._input(values)
        elif tag == "textarea" and self._form:
            self._textarea = values["name"]
            self._form.values[self._textarea] = ""
        elif tag == "select":
            self._select = values["name"]
        elif tag == "option" and self._form and self._select and "selected" in values:
            self._form.values[self._select] = values["value"]
        elif tag == "button" and "formaction" in values:
            sent = {values["name"]: values["value"]} if values.get("name") else {}
            self.buttons[values["formaction"]] = (values["form"], sent)
        elif tag == "a":
            self.links.append(values.get("href", ""))
        elif tag == "meta":
            self.metas[values.get("property") or values.get("name", "")] = values.get("content", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea and self._form:
            text = self._form.values[self._textarea] + data
            self._form.values[self._textarea] = text.removeprefix("\n")

    def _input(self, values: dict[str, str]) -> None:
        kind = values.get("type", "text")
        if self._form is None or "form" in values or not values.get("name") or kind == "file":
            return
        if kind in ("checkbox", "radio") and "checked" not in values:
            return
        if values["name"].endswith("[]"):
            self._form.values.setdefault(values["name"], []).append(values.get("value", ""))
        else:
            self._form.values[values["name"]] = values.get("value", "")


@dataclass
class Browser:
    """Somebody's browser; it keeps its cookies."""

    client: httpx.AsyncClient

    async def open(self, path: str, *, status: int = 200) -> Page:
        """Open a page."""
        answer = await self.client.get(path, follow_redirects=True)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:2000]}"
        return Page(answer)

    async def press(self, page: Page, path: str, *, follow: bool = True, **more: Any) -> Page:
        """Press the button that leads to `path`."""
        form, sent = page.buttons[path]
        data = page.forms[form].values | sent | more
        return Page(await self.client.post(path, data=data, follow_redirects=follow))

    async def send(self, page: Page, action: str, *, files: Any = None, **filled: Any) -> httpx.Response:
        """Fill the form with this action in and send it; the answer, not followed."""
        form = page.forms[action]
        assert form.method == "post"
        return await self.client.post(action, data=form.values | filled, files=files)


async def browser_of(server: Server, who: Person | None = None, *, app: App | None = None) -> Browser:
    """A browser, signed in as somebody or as nobody."""
    client = client_of(app or server.app)
    if who is not None:
        secret, _ = await issue_token(server.ports, account_id=who.account.account_id, app=None, scopes=SCOPES)
        client.cookies.set("session", secret)
    return Browser(client)
