"""A server on this machine that stands for one on the internet, and a policy that allows just that one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from townsquare.kit.addresses import is_public
from townsquare.social.outbound import Outbound, Policy

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]
PUBLIC = "93.184.216.34"


@dataclass(kw_only=True)
class FarServer:
    """Answers by path. What it was asked stands in `asked`, head by head."""

    port: int = 0
    pages: dict[str, bytes | Reply] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    names: dict[str, Sequence[str]] = field(default_factory=dict)  # others than ours

    def url(self, path: str, host: str = "far.example") -> str:
        """The address of a page here."""
        return f"http://{host}:{self.port}{path}"

    def outbound(self, **policy) -> Outbound:
        """A client that may reach this server, and beside it only public addresses at the usual ports."""

        async def look_up(host: str, port: int) -> Sequence[str]:
            self.looked_up.append(host)
            return self.names.get(host, ["127.0.0.1"])

        def may_connect(address: str, port: int) -> bool:
            return port == self.port if address == "127.0.0.1" else is_public(address)

        return Outbound(Policy(may_connect=may_connect, look_up=look_up, **policy))


def answer(body: bytes, content_type: str = "text/html", *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def redirect(to: str) -> bytes:
    """An answer that leads elsewhere."""
    return answer(b"", "text/html", f"Location: {to}", status="302 Found")


@asynccontextmanager
async def far_server() -> AsyncIterator[FarServer]:
    """The server, while the block runs."""
    far = FarServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            far.asked.append(head)
            page = far.pages.get(head.split(b" ")[1].decode(), answer(b"", status="404 Not Found"))
            if isinstance(page, bytes):
                writer.write(page)
                await writer.drain()
            else:
                await page(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    far.port = server.sockets[0].getsockname()[1]
    try:
        yield far
    finally:
        server.close()
        await server.wait_closed()
