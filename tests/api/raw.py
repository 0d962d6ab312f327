"""A request without a client between: whatever bytes a test wants, straight to the application."""

import json
from dataclasses import dataclass
from typing import Any

from tests.api.conftest import Server


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """The error that the body tells of."""
        return str(json.loads(self.body)["error"])


async def call(
    server: Server,
    method: str,
    path: str,
    *,
    query: bytes = b"",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    address: str = "",
) -> Answer:
    """One request, from an address of its own and a little later than the last unless `address` is given."""
    if not address:
        server.clock.advance(seconds=2)
        n = server.clock.ms // 1000
        address = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    if body is not None and "content-length" not in {name.decode() for name, _ in raw}:
        raw.append((b"content-length", b"%d" % len(body)))
    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query,
        "headers": raw, "client": (address, 50_000), "scheme": "http", "http_version": "1.1", "extensions": {},
    }  # fmt: skip
    events = [{"type": "http.request", "body": body or b"", "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        return events.pop() if events else {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        sent.append(event)

    await server.app(scope, receive, send)  # type: ignore[arg-type]  # events are plain dicts here
    heads = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answer(status=sent[0]["status"], headers=heads, body=b"".join(each["body"] for each in sent[1:]))
