"""Every setting: type, default, unit, a line of help. One URL per box, so the settings are the drawing.

Read from the environment (`TOWNSQUARE_DATA=...`) and from `townsquare.toml` in the data folder; options of the command
line win over both.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from townsquare.kit.urls import Base

_LOG_IN = re.compile(r"//[^/@]*@")


def _about(text: str) -> Meta:
    return Meta(description=text)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one server. A relative path in a URL lies in `data`."""

    data: Annotated[str, _about("Folder for everything that is kept.")] = "data"
    bind: Annotated[str, _about("Address to listen on, HOST:PORT.")] = "127.0.0.1:3000"
    url: Annotated[str, _about("The public address people type, without a slash at its end.")] = "http://localhost:3000"
    title: Annotated[str, _about("The server's name as people see it.")] = "Townsquare"
    description: Annotated[str, _about("One or two sentences about the server.")] = "A town square of our own."
    contact_email: Annotated[str, _about("Address that people may write to.")] = ""
    languages: Annotated[list[str], _about("Languages spoken here, ISO 639-1.")] = msgspec.field(
        default_factory=lambda: ["en"]
    )
    rules: Annotated[list[str], _about("The server's rules, one sentence each.")] = []

    store: Annotated[
        str,
        _about(
            "Where rows are kept: sqlite:FILE, cassandra://HOST[,HOST...][:PORT]/KEYSPACE[?dc=NAME], "
            "mongodb://HOST[:PORT][,HOST...]/DATABASE[?OPTIONS], mongodb+srv://HOST/DATABASE or memory:."
        ),
    ] = "sqlite:townsquare.db"
    cache: Annotated[
        str, _about("Where made values are kept: memory:, redis://HOST:PORT/DB or memcached://HOST:PORT.")
    ] = "memory:"
    feeds: Annotated[str, _about("Where home timelines are kept: file:FILE, redis://HOST:PORT/DB or memory:.")] = (
        "file:feeds.ring"
    )
    queue: Annotated[
        str,
        _about("Where work waits: sqlite:FILE, kafka://HOST[,HOST], amqp://USER:PASSWORD@HOST/VHOST or memory:."),
    ] = "sqlite:queue.db"
    streaming: Annotated[
        str, _about("How processes tell each other news: local:FOLDER, redis://HOST:PORT or memory:.")
    ] = "local:bus"
    search: Annotated[
        str,
        _about(
            "Where words are indexed: embedded:FILE, elasticsearch://[USER:PASSWORD@]HOST[:PORT][?prefix=NAME&shards=N"
            "&replicas=N-M], elasticsearchs: under TLS, or memory:."
        ),
    ] = "embedded:search.db"
    analytics: Annotated[
        str,
        _about(
            "Where facts about activity are counted: embedded:FILE, elasticsearch://HOST:PORT, questdb://HOST:PORT, "
            "off: (nothing is recorded) or memory:."
        ),
    ] = "embedded:facts.duckdb"
    impression_sample: Annotated[
        int,
        Meta(description="One in so many pages is counted for how often posts are seen; 0: none.", ge=0, le=1_000_000),
    ] = 1
    trends_reviewed: Annotated[
        bool, Meta(description="Whether a trend is shown only after the staff approved of it.")
    ] = False
    media: Annotated[
        str,
        _about(
            "Where files are kept: file:FOLDER, s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME"
            "&delivery=proxy|signed|public&public=URL or memory:."
        ),
    ] = "file:media"
    video_mb: Annotated[int, Meta(description="Largest video or sound, in MiB, at most 99; 0: none.", ge=0, le=99)] = 99
    video_minutes: Annotated[
        int,
        Meta(description="Longest video or sound, in minutes. Making one fit to be played takes a core.", ge=1, le=180),
    ] = 20
    mail: Annotated[str, _about("How mail goes out: log: (written to the log and to data/mail) or memory:.")] = (
        "log:mail"
    )

    web_processes: Annotated[int, _about("Web processes of `townsquare run`; 0: one per core, at most 4.")] = 0
    worker_processes: Annotated[int, _about("Worker processes of `townsquare run`.")] = 1
    sign_ups: Annotated[bool, _about("Whether anybody may sign up.")] = True
    confirm_email: Annotated[bool, _about("Whether a new address must be confirmed before its account works.")] = True
    test_mode: Annotated[
        bool,
        _about("For test programs: sign-ups confirmed at once, tokens for passwords, no rate limits for loopback."),
    ] = False
    relaxed_sync: Annotated[bool, _about("Faster writes that a power cut may lose. Not for real people.")] = False
    trusted_proxies: Annotated[list[str], _about("Addresses whose X-Forwarded-For is believed, e.g. 127.0.0.1.")] = []
    drain_s: Annotated[float, _about("Seconds that a stopping process gives to what it has begun.")] = 25.0
    media_url: Annotated[
        str, _about("Where media are fetched, e.g. https://cdn.example.org, without a slash at its end; empty: at url.")
    ] = ""
    cdn: Annotated[
        str,
        _about(
            "Who is told when files are gone: https://HOST/PATH (their addresses as JSON), "
            "cloudfront:DISTRIBUTION[?endpoint=URL]; empty: nobody."
        ),
    ] = ""
    cdn_secret: Annotated[str, _about("Sent with that as `Authorization: Bearer ...`.")] = ""
    edge_upstreams: Annotated[
        list[str], _about("Web processes behind NGINX, HOST:PORT; `HOST:PORT down` gets no new requests. Empty: bind.")
    ] = []
    edge_listen: Annotated[list[str], _about("Where NGINX listens: ports or ADDRESS:PORT.")] = msgspec.field(
        default_factory=lambda: ["80"]
    )
    edge_listen_tls: Annotated[list[str], _about("Where NGINX listens with TLS, if it has a certificate.")] = (
        msgspec.field(default_factory=lambda: ["443"])
    )
    edge_certificate: Annotated[str, _about("Path of NGINX's certificate with its chain; empty: no TLS.")] = ""
    edge_certificate_key: Annotated[str, _about("Path of the certificate's key.")] = ""
    edge_proxies: Annotated[
        list[str], _about("Balancers and CDNs before NGINX, whose X-Forwarded-For is believed: addresses or networks.")
    ] = []
    edge_media: Annotated[
        str, _about("Folder of the media on NGINX's machine, which it then reads itself; empty: they come by the web.")
    ] = ""
    edge_cache: Annotated[str, _about("Folder of what NGINX keeps.")] = "/var/cache/townsquare"
    edge_cache_gib: Annotated[int, _about("Room for kept files in it, GiB.")] = 10
    edge_logs: Annotated[str, _about("Folder of NGINX's logs.")] = "/var/log/nginx"
    edge_user: Annotated[str, _about("The system's user that NGINX works as.")] = "www-data"
    metrics: Annotated[
        str,
        _about("Address for Prometheus and for health checks of any role, HOST:PORT, kept from the public; or none."),
    ] = ""
    traces: Annotated[
        str, _about("Where spans go, the address of an OpenTelemetry collector (OTLP over HTTP); or none.")
    ] = ""
    trace_share: Annotated[
        float, Meta(description="Share of requests and tasks that are traced, 0 to 1.", ge=0, le=1)
    ] = 0.01
    log_format: Annotated[Literal["text", "json"], _about("text: lines for people. json: one object a line.")] = "text"
    log_requests: Annotated[bool, _about("Whether each request has a line in the log.")] = False
    notice_s: Annotated[
        float, _about("Seconds that a stopping web process serves on after saying that it is not ready, for balancers.")
    ] = 0.0
    log_level: Annotated[str, _about("debug, info, warning or error.")] = "info"

    @property
    def base(self) -> Base:
        """What links begin with."""
        return Base(self.url, self.media_url)

    @property
    def domain(self) -> str:
        """The host of `url`, with its port where one is given: the part of addresses after the @."""
        return self.url.split("://", 1)[1]

    @property
    def tells_facts(self) -> bool:
        """Whether anything is told to the analytics."""
        return not self.analytics.startswith("off:")

    def path(self, url: str) -> Path:
        """The path that an engine URL such as `sqlite:townsquare.db` names, inside `data` if relative."""
        return Path(self.data) / url.split(":", 1)[1]


def without_secrets(url: str) -> str:
    """An engine's URL as it may be shown: no user and no password."""
    return _LOG_IN.sub("//", url)


def meanings() -> dict[str, str]:
    """Every setting's line of help, by name."""
    hints = get_type_hints(Settings, include_extras=True)
    return {
        field.name: next(each.description or "" for each in get_args(hints[field.name]) if isinstance(each, Meta))
        for field in msgspec.structs.fields(Settings)
    }


def _is_list(hint: Any) -> bool:
    return get_origin(get_args(hint)[0]) is list


def read_settings(environment: dict[str, str] | None = None, **options: Any) -> Settings:
    """The settings in force: defaults, then `townsquare.toml` in the data folder, environment, options.

    Raises: ValueError with a sentence that names the setting.
    """
    environment = dict(os.environ) if environment is None else environment
    known = {field.name: field for field in msgspec.structs.fields(Settings)}
    given: dict[str, Any] = {}
    for name, field in known.items():
        value = environment.get(f"TOWNSQUARE_{name.upper()}")
        if value is not None:
            given[name] = [v.strip() for v in value.split(",") if v.strip()] if _is_list(field.type) else value
    given.update({name: value for name, value in options.items() if value is not None})
    file = Path(given.get("data", "data")) / "townsquare.toml"
    if file.is_file():
        try:
            given = {**tomllib.loads(file.read_text()), **given}
        except ValueError as exc:
            raise ValueError(f"{file} is not TOML: {exc}") from exc
    if "url" not in given and "bind" in given:
        given["url"] = f"http://localhost:{str(given['bind']).rpartition(':')[2]}"
    try:
        settings = msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as exc:
        raise ValueError(f"A setting cannot be used: {exc}") from exc
    if "://" not in settings.url or settings.url.endswith("/"):
        raise ValueError(f"The setting url must look like https://example.org, not {settings.url!r}")
    if settings.media_url and ("://" not in settings.media_url or settings.media_url.endswith("/")):
        raise ValueError(f"The setting media_url must look like https://cdn.example.org, not {settings.media_url!r}")
    if settings.cdn and not settings.cdn.startswith(("https://", "http://", "cloudfront:")):
        raise ValueError(f"The setting cdn must begin with https:// or cloudfront:, not {settings.cdn!r}")
    host, _, port = settings.bind.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"The setting bind must look like 127.0.0.1:3000, not {settings.bind!r}")
    return settings
