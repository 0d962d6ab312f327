"""Rate limits: the numbers, and counting a request against them over all processes.

Box: web. Source: Mastodon API, /api/rate-limits/
"""

import ipaddress
from enum import StrEnum

import msgspec

from townsquare.kit.clock import iso
from townsquare.model.errors import TooMany
from townsquare.social.ports import Ports
from townsquare.web.known_devices import is_known_device
from townsquare.web.routes import Limit, RawHeaders, Request


class Per(StrEnum):
    """Who shares a bucket. A network is an IPv4 address or an IPv6 /64."""

    TOKEN = "token"  # a user's token; others by their network
    USER = "user"  # a user over all tokens; not counted for others
    CALLER = "caller"  # a user, or the network of one who is not signed in
    NETWORK = "network"  # the network, signed in or not


_TOKEN, _USER, _NETWORK = Per.TOKEN, Per.USER, Per.NETWORK  # looked up once: an enum's members are slow to reach


class Rule(msgspec.Struct, frozen=True):
    """At most `limit` requests in each window of the clock; the next one is refused."""

    name: str
    limit: int
    window_s: int
    per: Per


_GENERAL = (Rule("api", 300, 300, Per.TOKEN), Rule("user", 1500, 300, Per.USER))
PAGING = Rule("paging", 300, 900, Per.CALLER)
_UPLOADS = Rule("media", 30, 1800, Per.CALLER)
RULES: dict[Limit, tuple[Rule, ...]] = {
    Limit.API: _GENERAL,
    Limit.MEDIA: (*_GENERAL, _UPLOADS),
    Limit.DELETE: (*_GENERAL, Rule("delete", 30, 1800, Per.CALLER)),
    Limit.SIGN_UP: (*_GENERAL, Rule("sign_up", 5, 1800, Per.NETWORK)),
    Limit.LOG_IN: (*_GENERAL, Rule("log_in", 25, 300, Per.NETWORK)),
    Limit.APPS: (*_GENERAL, Rule("apps", 25, 600, Per.NETWORK)),
    Limit.NONE: (),
}
# For one name, counted by `count_log_in`. A device that has signed in to the account before has a bucket of its own,
# so that guessing from elsewhere never locks the owner out.
LOG_IN_NAME_NETWORK = Rule("log_in_name_network", 10, 3600, Per.NETWORK)
LOG_IN_NAME = Rule("log_in_name", 100, 3600, Per.NETWORK)
LOG_IN_KNOWN = Rule("log_in_known", 20, 3600, Per.NETWORK)

_PAGE_PARAMETERS = frozenset(("max_id", "min_id", "since_id", "page"))


def network_of(address: str) -> str:
    """The bucket of an address: IPv4 whole, also where it is mapped into IPv6; IPv6 by its /64."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{int(parsed) >> 64:x}/64"


def is_loopback(address: str) -> bool:
    """Whether the address is this machine's own."""
    return address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1")


class Limiter:
    """Counts the requests of one process's part of the traffic; the sums are shared by all."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._resets: dict[int, tuple[int, bytes]] = {}  # by window: its end, and that as it is sent

    async def count(self, request: Request) -> RawHeaders:
        """Count a request; the headers that tell of the tightest limit.

        Raises: TooMany at the first request over a limit.
        """
        rules = RULES[request.route.limit]
        if not rules:
            return []
        params = request.params
        if params and request.method == "GET" and not _PAGE_PARAMETERS.isdisjoint(params):
            rules = (*rules, PAGING)
        now_s = self._ports.clock.now_ms() // 1000
        tightest, left = rules[0], rules[0].limit
        if not (self._ports.settings.test_mode and is_loopback(request.address)):
            count = self._ports.cache.count
            for rule in rules:
                key = _bucket(rule, request)
                if key is not None:
                    remaining = rule.limit - await count(key, window_s=rule.window_s)
                    if remaining < 0:
                        raise TooMany(_reset_s(rule, now_s) * 1000, rule.limit)
                    if remaining < left:
                        tightest, left = rule, remaining
        return [
            (b"x-ratelimit-limit", b"%d" % tightest.limit),
            (b"x-ratelimit-remaining", b"%d" % left),
            (b"x-ratelimit-reset", self._reset(tightest, now_s)),
        ]

    def _reset(self, rule: Rule, now_s: int) -> bytes:
        kept = self._resets.get(rule.window_s)
        if kept is None or kept[0] <= now_s or kept[0] - rule.window_s > now_s:
            end_s = _reset_s(rule, now_s)
            kept = self._resets[rule.window_s] = (end_s, reset_text(end_s * 1000).encode())
        return kept[1]


async def count_log_in(ports: Ports, request: Request, name: str) -> None:
    """Count a try to log in to the account `name` (its id, or what was typed where there is none).

    Raises: TooMany.
    """
    if ports.settings.test_mode and is_loopback(request.address):
        return
    now_s = ports.clock.now_ms() // 1000
    if is_known_device(request, name):
        await _count(ports, LOG_IN_KNOWN, name, now_s=now_s)
        return
    await _count(ports, LOG_IN_NAME_NETWORK, f"{network_of(request.address)}:{name}", now_s=now_s)
    await _count(ports, LOG_IN_NAME, name, now_s=now_s)


async def count_upload(ports: Ports, request: Request) -> None:
    """Count a file that comes with a form which may do without.

    Raises: TooMany.
    """
    if ports.settings.test_mode and is_loopback(request.address):
        return
    key = _bucket(_UPLOADS, request)
    if key is not None and await ports.cache.count(key, window_s=_UPLOADS.window_s) > _UPLOADS.limit:
        raise TooMany(_reset_s(_UPLOADS, ports.clock.now_ms() // 1000) * 1000, _UPLOADS.limit)


async def _count(ports: Ports, rule: Rule, key: str, *, now_s: int) -> None:
    if await ports.cache.count(f"{rule.name}:{key}", window_s=rule.window_s) > rule.limit:
        raise TooMany(_reset_s(rule, now_s) * 1000, rule.limit)


def _bucket(rule: Rule, request: Request) -> str | None:
    session = request.session
    if session is not None and session.account is not None:
        if rule.per is _TOKEN:
            return f"{rule.name}:t{session.token.token_id}"
        if rule.per is not _NETWORK:
            return f"{rule.name}:u{session.account.account_id}"
    elif rule.per is _USER:
        return None
    return f"{rule.name}:{network_of(request.address)}"


def _reset_s(rule: Rule, now_s: int) -> int:
    return (now_s // rule.window_s + 1) * rule.window_s


def reset_text(reset_ms: int) -> str:
    """The end of a window as its header says it, with microseconds."""
    return iso(reset_ms).replace("Z", "000Z")
