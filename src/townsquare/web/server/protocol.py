"""Uvicorn's HTTP protocol, with a way to send head and body of an answer in one write: one call of the kernel, one
packet and one wake-up less for whoever waits.

Box: web.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle


class Cycle(RequestResponseCycle):
    """One request, whose answer may be sent in one write."""

    def send_whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send an answer, whose headers tell its length where it has one; False where `send` must do it."""
        if self.response_started or self.disconnected or not self.keep_alive or self.flow.write_paused:
            return False
        lines = [b": ".join(header) for header in (*self.default_headers, *headers)]
        head = b"%b%b\r\n\r\n" % (STATUS_LINE[status], b"\r\n".join(lines))
        ends = len(lines) + 2
        if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
            raise RuntimeError("a header's value holds the end of a line")
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.writelines((head, body))
        self.message_event.set()
        self.on_response()
        return True


class OneWriteProtocol(HttpToolsProtocol):
    """A connection whose requests are our cycles."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = Cycle
        super()._start_asgi_task(cycle, app)
