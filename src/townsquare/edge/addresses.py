"""The client's real address: a proxy's word for it is taken from our own proxies alone.

Box: edge. An ASGI layer before the web server, so that nothing behind it ever sees a header about addresses.
"""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HEADER = b"x-forwarded-for"


def read_proxies(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks such as `127.0.0.1` and `10.0.0.0/8`.

    Raises: ValueError with the one that is neither.
    """
    return tuple(ipaddress.ip_network(text) for text in texts)


def real_address(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """The address of the client. `peer` is who connected to us, `forwarded` the X-Forwarded-For headers.

    Each of our proxies adds whom it heard at the end, so the last address that is not ours is the client's; what stands
    before it is only what the client says.
    """
    if not proxies or not _is_ours(peer, proxies):
        return peer
    client = peer
    for hop in reversed([piece.strip() for value in forwarded for piece in value.split(",")]):
        try:
            client = str(ipaddress.ip_address(hop))
        except ValueError:
            return client
        if not _is_ours(client, proxies):
            return client
    return client


def _is_ours(address: str, proxies: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in proxies)


class RealAddresses:
    """The application behind it sees the client's real address as that of the connection."""

    def __init__(self, app: Application, proxies: Sequence[str]) -> None:
        """Raises: ValueError where one of `proxies` is no address."""
        self._app, self._proxies = app, read_proxies(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if self._proxies and client:
            forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER]
            if forwarded:
                scope["client"] = (real_address(client[0], forwarded, self._proxies), client[1])
        await self._app(scope, receive, send)
