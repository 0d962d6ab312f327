"""The one client for requests to other servers. Nothing else here opens a connection to the outside.

Box: social. Each hop's name is looked up once, every address it has must be public, and the connection goes to one of
these addresses. At most three redirects, each checked like the first; one deadline over all of it; a cap on what is
read; few requests at once to one site. It says who we are and nothing about who asked.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from townsquare import __version__
from townsquare.kit.addresses import is_public
from townsquare.model.errors import TownsquareError, Unavailable
from townsquare.social.exchange import Answer, BadAnswer, Target, exchange

MAX_REDIRECTS = 3
MAX_URL = 2048  # characters
PORTS_ALLOWED = frozenset({80, 443})
_AT_ONCE = 16  # requests of this process
_PER_SITE = 2
_ADDRESSES_TRIED = 3
_TOLD_BYTES = 64 << 10  # of an answer to `tell`, of which only the status counts
_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
_CHARSET = re.compile(r"charset\s{0,8}=\s{0,8}\"?([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchFailed(TownsquareError):
    """It may not be asked, it does not answer, or what it answers is not what was asked for."""


class Busy(Unavailable):
    """Too many requests are under way already; a repeat may help."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What came. `url` is where it came from in the end; `charset` what the header says, else empty."""

    url: str
    content_type: str
    charset: str
    body: bytes


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An address that may be asked for, taken apart."""

    scheme: str
    host: str  # ASCII, lower case
    port: int
    path: bytes  # with the query


async def look_up(host: str, port: int) -> list[str]:
    """All addresses of a name, as the machine's resolver gives them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)  # SOCK_STREAM
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be asked. The defaults are the rule; tests that need a server on this machine allow just that one."""

    may_connect: Callable[[str, int], bool] = lambda address, port: is_public(address) and port in PORTS_ALLOWED
    look_up: Callable[[str, int], Awaitable[Sequence[str]]] = look_up
    refused_hosts: frozenset[str] = frozenset()  # and all below them
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context


class Outbound:
    """Fetches pages and pictures from anywhere on the public internet."""

    def __init__(self, policy: Policy | None = None) -> None:
        self._policy = policy or Policy()
        self._tls: ssl.SSLContext | None = None
        self._all = asyncio.Semaphore(_AT_ONCE)
        self._sites: dict[str, int] = {}

    async def fetch(
        self, url: str, *, server: str, accept: Sequence[str], max_bytes: int, deadline_s: float, cut: bool = False
    ) -> Fetched:
        """What stands at `url`. `server` is our own address: it is who asks, and it is never asked.

        `accept`: media types that are taken (`image/*` stands for all of a kind). A body over `max_bytes` fails, or
        with `cut` its beginning is returned. Raises: FetchFailed, Busy.
        """
        try:
            async with asyncio.timeout(deadline_s):
                return await self._follow(url, server, accept, max_bytes=max_bytes, cut=cut)
        except TimeoutError as exc:
            raise FetchFailed("The other server takes too long") from exc
        except (OSError, BadAnswer) as exc:
            raise FetchFailed("The other server cannot be reached") from exc

    async def tell(self, url: str, body: bytes, *, headers: dict[str, str], deadline_s: float) -> int:
        """POST to an address of the settings: the operator's own, so it may be private. The answer's status.

        No redirect is followed. Raises: FetchFailed.
        """
        try:
            async with asyncio.timeout(deadline_s):
                parts = urlsplit(url)
                tls = self._tls_of(parts.scheme)
                host = parts.hostname or ""
                port = parts.port or (443 if tls else 80)
                addresses = await self._policy.look_up(host, port)
                target = Target(address="", port=port, host=host, path=_path(parts.path, parts.query), tls=tls)
                return (await _first_that_answers(target, addresses, headers, max_bytes=_TOLD_BYTES, body=body)).status
        except TimeoutError as exc:
            raise FetchFailed(f"{urlsplit(url).hostname} takes too long") from exc
        except (OSError, BadAnswer, ValueError) as exc:
            raise FetchFailed(f"{urlsplit(url).hostname} cannot be reached") from exc

    def _tls_of(self, scheme: str) -> ssl.SSLContext | None:
        if scheme != "https":
            return None
        if self._tls is None:
            self._tls = self._policy.tls()
        return self._tls

    async def _follow(self, url: str, server: str, accept: Sequence[str], *, max_bytes: int, cut: bool) -> Fetched:
        headers = {
            "User-Agent": f"Townsquare/{__version__} (+{server})",
            "Accept": ", ".join(accept),
            "Accept-Encoding": "gzip",
        }
        own = urlsplit(server).hostname or ""
        for _ in range(MAX_REDIRECTS + 1):
            place = read_place(url)
            self._check_host(place.host, own)
            async with self._slot(place.host):
                answer = await self._ask(place, headers, max_bytes)
            if answer.status in _REDIRECTS:
                url = _next(url, answer)
                continue
            return _checked(url, answer, accept, cut=cut)
        raise FetchFailed("Too many redirects")

    def _check_host(self, host: str, own: str) -> None:
        if host == own or any(host == each or host.endswith(f".{each}") for each in self._policy.refused_hosts):
            raise FetchFailed("This server may not be asked")

    async def _ask(self, place: Place, headers: dict[str, str], max_bytes: int) -> Answer:
        addresses = await self._policy.look_up(place.host, place.port)
        if not addresses or not all(self._policy.may_connect(each, place.port) for each in addresses):
            raise FetchFailed("This address may not be asked")
        target = Target(address="", port=place.port, host=place.host, path=place.path, tls=self._tls_of(place.scheme))
        return await _first_that_answers(target, addresses, headers, max_bytes=max_bytes)

    @contextlib.asynccontextmanager
    async def _slot(self, host: str) -> AsyncIterator[None]:
        """A place among those for this site. No queue: whoever finds it full comes back later."""
        site = ".".join(host.rsplit(".", 2)[-2:])
        if self._all.locked() or self._sites.get(site, 0) >= _PER_SITE:
            raise Busy("Too many requests are under way")
        self._sites[site] = self._sites.get(site, 0) + 1
        try:
            async with self._all:
                yield
        finally:
            self._sites[site] -= 1
            if not self._sites[site]:
                del self._sites[site]


async def _first_that_answers(
    target: Target, addresses: Sequence[str], headers: dict[str, str], *, max_bytes: int, body: bytes | None = None
) -> Answer:
    """The answer of the first of the name's addresses that can be reached. Raises: OSError, BadAnswer."""
    *others, last = sorted(addresses, key=lambda each: ":" in each)[:_ADDRESSES_TRIED]  # many have no IPv6 route
    for address in others:
        with contextlib.suppress(OSError):
            at = msgspec.structs.replace(target, address=address)
            return await exchange(at, headers, max_bytes=max_bytes, body=body)
    return await exchange(msgspec.structs.replace(target, address=last), headers, max_bytes=max_bytes, body=body)


def read_place(url: str) -> Place:
    """Where a URL points, if it is a plain http or https address of a named host or a public IP address.

    Raises: FetchFailed.
    """
    try:
        if len(url) > MAX_URL or any(char <= " " or char in "\x7f\\" for char in url):
            raise ValueError("not a plain address")
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme not in ("http", "https") or parts.username is not None or parts.password is not None:
            raise ValueError("not a page")
        return Place(
            scheme=parts.scheme,
            host=_ascii_host(host),
            port=port or (443 if parts.scheme == "https" else 80),
            path=_path(parts.path, parts.query),
        )
    except ValueError as exc:  # UnicodeError is one
        raise FetchFailed("This address may not be asked") from exc


def _ascii_host(host: str) -> str:
    if len(host) > 253:
        raise ValueError("too long")
    if ":" in host:
        return str(ip_address(host))
    host = host.encode("idna").decode().lower().removesuffix(".")
    if not _NAME.fullmatch(host):
        return str(ip_address(host))  # else it is neither a name nor an address in its usual form
    return host


def _path(path: str, query: str) -> bytes:
    safe = "%/:@!$&'()*+,;=~-._"
    whole = quote(path or "/", safe=safe, errors="replace")
    return (f"{whole}?{quote(query, safe=safe + '?', errors='replace')}" if query else whole).encode()


def _next(url: str, answer: Answer) -> str:
    where = answer.headers.get("location", "")
    try:
        following = urljoin(url, where.encode("latin-1").decode("utf-8", "replace"))
    except ValueError as exc:
        raise FetchFailed("The redirect leads nowhere") from exc
    if not where or (url.startswith("https:") and not following.startswith("https:")):
        raise FetchFailed("The redirect leads nowhere or out of safety")
    return following


def _checked(url: str, answer: Answer, accept: Sequence[str], *, cut: bool) -> Fetched:
    if answer.status != 200:
        raise FetchFailed(f"The other server answers {answer.status}")
    if answer.cut and not cut:
        raise FetchFailed("What is there is too large")
    content_type, _, rest = answer.headers.get("content-type", "").partition(";")
    content_type = content_type.strip().lower()
    if not any(each in (content_type, f"{content_type.partition('/')[0]}/*") for each in accept):
        raise FetchFailed("What is there is of another kind")
    found = _CHARSET.search(rest)
    return Fetched(url=url, content_type=content_type, charset=found[1] if found else "", body=answer.body)
