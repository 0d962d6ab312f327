"""Events as clients get them. Each form is made once, whoever it goes to.

Box: web. Source: Mastodon API, /methods/streaming/#events-11
"""

import msgspec

_encode = msgspec.json.Encoder().encode

Label = tuple[str, ...]


class Envelope:
    """One event with its payload."""

    __slots__ = ("_by_label", "_head", "_payload", "_sse", "_tail")

    def __init__(self, event: str, payload: bytes | None) -> None:
        """`payload` is text, mostly JSON; None where the event has none."""
        self._payload = payload
        self._tail = f',"event":"{event}"' + ("" if payload is None else f',"payload":{_quoted(payload)}') + "}"
        self._head = event
        self._by_label: dict[Label, str] = {}
        self._sse: bytes | None = None

    @property
    def event(self) -> str:
        """What happened, in the API's words."""
        return self._head

    @property
    def payload(self) -> bytes:
        """What it happened to, mostly JSON; empty where the event has none."""
        return self._payload or b""

    def text(self, label: Label) -> str:
        """As a WebSocket message of the stream `label`."""
        made = self._by_label.get(label)
        if made is None:
            made = self._by_label[label] = f'{{"stream":{_encode(label).decode()}{self._tail}'
        return made

    def lines(self) -> bytes:
        """As a server-sent event."""
        if self._sse is None:
            payload = (self._payload or b"undefined").replace(b"\r", b"").replace(b"\n", b"")
            self._sse = b"event: %b\ndata: %b\n\n" % (self._head.encode(), payload)
        return self._sse


def _quoted(payload: bytes) -> str:
    return _encode(payload.decode()).decode()


def error_text(message: str, status: int) -> str:
    """What a WebSocket client is told when a message of its own cannot be followed."""
    return _encode({"error": message, "status": status}).decode()
