"""A browser without JavaScript: opens pages, fills forms in, sends them."""

from dataclasses import dataclass
from html.parser import HTMLParser

import httpx


@dataclass
class Form:
    """A form as it stands on a page."""

    action: str
    method: str
    values: dict[str, str]
    buttons: list[tuple[str, str]]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(values.get("action", ""), values.get("method", "get"), {}, []))
        elif tag == "input" and self.forms and values.get("type") != "checkbox":
            self.forms[-1].values[values["name"]] = values.get("value", "")
        elif tag == "button" and self.forms and values.get("name"):
            self.forms[-1].buttons.append((values["name"], values.get("value", "")))


def forms_of(page: httpx.Response) -> list[Form]:
    """The forms of a page."""
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["x-frame-options"] == "DENY"
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    parser = _Forms()
    parser.feed(page.text)
    return parser.forms


async def send(client: httpx.AsyncClient, page: httpx.Response, **filled: str) -> httpx.Response:
    """Fill in the page's form and send it; the answer, not followed."""
    (form,) = forms_of(page)
    assert form.method == "post"
    return await client.post(form.action, data=form.values | filled)


async def log_in(
    client: httpx.AsyncClient, login: str, password: str, *, page: str = "/auth/sign_in"
) -> httpx.Response:
    """Log in by the form."""
    return await send(client, await client.get(page), login=login, password=password)
