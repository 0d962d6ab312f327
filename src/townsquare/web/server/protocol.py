"""Uvicorn's HTTP protocol, with head and body of a whole answer in one write: one call of the kernel, one packet less,
and one wake-up less for whoever waits.

Box: web.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

_LENGTH = b"content-length"


class Cycle(RequestResponseCycle):
    """One request. An answer with a length is sent with its only body; all others as uvicorn does."""

    _head: Any = None  # kept back until the body comes

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            if self._may_wait(message):
                self._head = message
                return
        elif self._head is not None:
            head, self._head = self._head, None
            if not message.get("more_body") and not self.disconnected and not self.flow.write_paused:
                self._send_whole(head["status"], [*self.default_headers, *head["headers"]], message["body"])
                return
            await super().send(head)
        await super().send(message)

    def _may_wait(self, message: Any) -> bool:
        if self.response_started or not self.keep_alive or self.scope["method"] == "HEAD":
            return False
        names = [name for name, _ in message["headers"]]
        return _LENGTH in names and b"connection" not in names

    def _send_whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        lines = [b"%b: %b\r\n" % header for header in headers]
        head = b"%b%b\r\n" % (STATUS_LINE[status], b"".join(lines))
        ends = len(lines) + 2
        if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
            raise RuntimeError("a header's value holds the end of a line")
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.writelines((head, body))
        self.message_event.set()
        self.on_response()


class OneWriteProtocol(HttpToolsProtocol):
    """A connection whose requests are our cycles."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = Cycle
        super()._start_asgi_task(cycle, app)
