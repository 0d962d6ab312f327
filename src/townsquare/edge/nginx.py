"""NGINX's whole file, written from the settings and the routes.

Box: edge. Source: https://nginx.org/en/docs/, version 1.22. The text stands in templates/; here is what differs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from townsquare.edge.filling import filled
from townsquare.edge.places import LONG_BODY_BYTES, Declared, Kind, Place, places_of
from townsquare.media.types import FILE_TYPES
from townsquare.settings import Settings

BROTLI_MODULES = "/usr/lib/nginx/modules"  # where Debian puts them
PAGE_S = 2  # how long a page is kept for those who are not signed in
FILE_S = 5  # how long a kept file is shown before it is asked for again; social/cdn.py waits longer
_PATTERN_CHARACTERS = 3_000  # NGINX reads a word of at most 4,096
_MEDIA = "/media/"
_COMPRESSED = (
    "text/plain text/css text/javascript application/json application/jrd+json application/xrd+xml "
    "application/manifest+json image/svg+xml"
)
_WORD = re.compile(r"[A-Za-z0-9._:/\[\]@+-]+")
_USER = re.compile(r"[a-z_][a-z0-9_-]*")
_PATH = re.compile(r"/[A-Za-z0-9._/@+ -]*")
_UPSTREAM = re.compile(r"[A-Za-z0-9.-]+:\d{1,5}( down)?|\[[0-9a-fA-F:]+\]:\d{1,5}( down)?")
_ABOUT = {
    Kind.ANSWER: "Answers of the API for one reader",
    Kind.SHARED: "Answers of the API that are the same for many, kept as long as they say",
    Kind.PAGE: "Pages for one reader",
    Kind.OPEN_PAGE: "Pages that all see alike who are not signed in, kept for moments",
    Kind.FILE: "Files, kept on disk",
    Kind.STREAM: "Streams: WebSockets and server-sent events",
}


class Door(msgspec.Struct, frozen=True):
    """What the web servers answer: their routes, and the paths that take WebSockets."""

    routes: Sequence[Declared]
    sockets: Sequence[str]


def nginx_conf(settings: Settings, door: Door, *, brotli: bool = False) -> str:
    """The file. `brotli`: its module is there.

    Raises: ValueError with a sentence about a setting that cannot be used.
    """
    check(settings)
    values = _values(settings, brotli=brotli)
    places = places_of(door.routes, sockets=door.sockets)
    if settings.edge_media:
        # The media's own location reads them from the disk.
        places = [_without(place, _MEDIA) for place in places]
    values["locations"] = "\n".join(_locations(places, values))
    values["media_server"] = ""
    media = urlsplit(settings.media_url).hostname
    if media and media != urlsplit(settings.url).hostname:
        values["media_name"] = media
        files = [place for place in places if place.kind is Kind.FILE]
        values["media_server"] = filled(
            "media_server.conf", {**values, "locations": "\n".join(_locations(files, values))}
        )
    return filled("nginx.conf", values)


def check(settings: Settings) -> None:
    """Refuse what NGINX would misread.

    Raises: ValueError with a sentence that names the setting.
    """
    for name in ("url", "media_url"):
        value = getattr(settings, name)
        if value and not _WORD.fullmatch(value):
            raise ValueError(f"The setting {name} cannot be {value!r}")
    if settings.edge_cache_gib < 1:
        raise ValueError("The setting edge_cache_gib must be 1 or more")
    for name in ("edge_listen", "edge_listen_tls", "edge_proxies"):
        for value in getattr(settings, name):
            if not _WORD.fullmatch(value):
                raise ValueError(f"The setting {name} cannot hold {value!r}")
    for value in settings.edge_upstreams:
        if not _UPSTREAM.fullmatch(value):
            raise ValueError(f"The setting edge_upstreams must hold HOST:PORT or HOST:PORT down, not {value!r}")
    for name in ("edge_certificate", "edge_certificate_key", "edge_cache", "edge_media", "edge_logs"):
        value = getattr(settings, name)
        if value and not _PATH.fullmatch(value):
            raise ValueError(f"The setting {name} must be a whole path such as /var/lib/x, not {value!r}")
    if bool(settings.edge_certificate) != bool(settings.edge_certificate_key):
        raise ValueError("The settings edge_certificate and edge_certificate_key belong together; one is missing")
    if not _USER.fullmatch(settings.edge_user):
        raise ValueError(f"The setting edge_user cannot be {settings.edge_user!r}")


def _values(settings: Settings, *, brotli: bool) -> dict[str, str]:
    """What stands in all templates alike."""
    url = urlsplit(settings.url)
    values = {
        "url": settings.url,
        "scheme": url.scheme,
        "server_name": str(url.hostname),
        "user": settings.edge_user,
        "logs": settings.edge_logs,
        "cache": settings.edge_cache,
        "files_size": f"{settings.edge_cache_gib}g",
        "media": settings.edge_media.rstrip("/"),
        "page_s": str(PAGE_S),
        "file_s": str(FILE_S),
        "types": _COMPRESSED,
        "endings": "|".join(FILE_TYPES),
        "media_types": "\n".join(f"{kind} {ending};" for ending, kind in FILE_TYPES.items()),
        "real_addresses": _real_addresses(settings.edge_proxies),
        "upstreams": "\n".join(_upstream(each) for each in settings.edge_upstreams or [settings.bind]),
        "modules": "\n".join(
            f"load_module {BROTLI_MODULES}/ngx_http_brotli_{part}_module.so;" for part in ("filter", "static") if brotli
        ),
    }
    values["brotli"] = filled("brotli.conf", values) if brotli else ""
    values["compression"] = filled("compression.conf", values)
    return {**values, **_tls(settings, values), **_headers(settings, values)}


def _real_addresses(proxies: Sequence[str]) -> str:
    if not proxies:
        return "# (`edge_proxies` is empty: nobody. The client is whoever connects.)"
    lines = [f"set_real_ip_from {each};" for each in proxies]
    return "\n".join([*lines, "real_ip_header X-Forwarded-For;", "real_ip_recursive on;"])


def _upstream(entry: str) -> str:
    address, _, down = entry.partition(" ")
    return f"server {address} max_fails=2 fail_timeout=2s{' down' if down else ''};"


def _tls(settings: Settings, values: Mapping[str, str]) -> dict[str, str]:
    """Where it listens; the lines of TLS as comments where there is no certificate."""
    named = {
        **values,
        "certificate": settings.edge_certificate or "/etc/letsencrypt/live/NAME/fullchain.pem",
        "certificate_key": settings.edge_certificate_key or "/etc/letsencrypt/live/NAME/privkey.pem",
    }
    lines = filled("tls.conf", named)
    if not settings.edge_certificate:
        commented = "".join(f"# {line}\n" for line in lines.splitlines())
        return {
            "listen": _listen(settings.edge_listen, ""),
            "listen_other": _listen(settings.edge_listen, " default_server"),
            "tls": f"# With a certificate (`edge_certificate`) it listens with TLS:\n{commented}",
            "other_tls": "",
            "to_tls": "",
        }
    return {
        "listen": _listen(settings.edge_listen_tls, " ssl http2"),
        "listen_other": _listen(settings.edge_listen_tls, " ssl http2 default_server"),
        "tls": lines,
        "other_tls": lines,
        "to_tls": filled("to_tls.conf", {**named, "listen": _listen(settings.edge_listen, "")}),
    }


def _listen(places: Sequence[str], how: str) -> str:
    return "\n".join(f"listen {place}{how};" for place in places)


def _headers(settings: Settings, values: Mapping[str, str]) -> dict[str, str]:
    headers = filled("headers.conf", values)
    added = ["add_header X-Request-Id $townsquare_id always;"]
    if settings.edge_certificate:
        added.append('add_header Strict-Transport-Security "max-age=63072000" always;')
    said = [*added, 'add_header Cache-Control "private, no-store" always;']
    return {
        "headers": headers,
        "stream_headers": headers.replace('Connection ""', "Connection $townsquare_upgrade"),
        "added": "\n".join(added),
        "error_headers": "\n".join([*said, "add_header Access-Control-Allow-Origin * always;"]),
        "page_error_headers": "\n".join([*said, "add_header Content-Security-Policy \"default-src 'none'\" always;"]),
        "page_errors": "error_page 413 = @page_too_large;\nerror_page 502 504 = @page_unavailable;",
    }


def _locations(places: Iterable[Place], values: Mapping[str, str]) -> Iterator[str]:
    """The locations of the places; `location /` stands for the usual one."""
    if values["media"]:
        yield filled("media_disk.conf", values)
    for number, place in enumerate(places):
        cap = _size(place.body_limit_bytes)
        usual = place.kind is Kind.ANSWER and place.body_limit_bytes == LONG_BODY_BYTES and not place.keyed
        if usual or not place.paths:
            continue
        long = place.body_limit_bytes > LONG_BODY_BYTES
        own = {
            **values,
            "name": f"keyed_{number}",
            "cap": cap,
            "errors": values["page_errors"] if place.kind in (Kind.PAGE, Kind.OPEN_PAGE) else "",
            "times": "proxy_read_timeout 2m;\nproxy_send_timeout 1m;" if long else "",
            "about": f"{_ABOUT[place.kind]}{'; with Idempotency-Key' if place.keyed else ''}; bodies to {cap}.",
        }
        kind = {Kind.PAGE: "answer"}.get(place.kind, place.kind.value)
        own["rules"] = filled("keyed.conf" if place.keyed else f"{kind}.conf", own)
        if place.keyed:
            yield filled("keyed_named.conf", own)
        for patterns in _chunks(place.patterns):
            yield filled("location.conf", {**own, "patterns": "\n| ".join(patterns)})


def _chunks(patterns: Sequence[str]) -> Iterator[list[str]]:
    """The patterns in lots that NGINX can read."""
    lot: list[str] = []
    for pattern in patterns:
        if lot and sum(len(each) + 12 for each in [*lot, pattern]) > _PATTERN_CHARACTERS:
            yield lot
            lot = []
        lot.append(pattern)
    yield lot


def _without(place: Place, prefix: str) -> Place:
    return msgspec.structs.replace(place, paths=tuple(path for path in place.paths if not path.startswith(prefix)))


def _size(size_bytes: int) -> str:
    return f"{size_bytes >> 20}m" if size_bytes % (1 << 20) == 0 else f"{size_bytes >> 10}k"
