"""Measures, dimensions and retention, for the dashboards of the staff.

Box: web. Source: Mastodon API, /methods/admin/measures/, /methods/admin/dimensions/, /methods/admin/retention/
"""

from functools import partial

import msgspec

from townsquare.model.facts import DAY_MS
from townsquare.model.insights import Step
from townsquare.render.dashboards import cohort_dict, dimension_dict, measure_dict
from townsquare.social.insights import dashboards
from townsquare.social.insights.span import Span, read_time
from townsquare.social.ports import Ports
from townsquare.web.params import missing, read_id
from townsquare.web.routes import Access, Request, Response, Route, json_response

MOST_KEYS = 50
MOST_ROWS = 100
DEFAULT_ROWS = 10
DEFAULT_DAYS = 30


class OfTag(msgspec.Struct, frozen=True):
    """Which tag is meant."""

    id: str = ""


class AskedMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured. What is asked about other servers needs no domain: there are none."""

    keys: list[str]
    start_at: str
    end_at: str
    tag_accounts: OfTag = OfTag()
    tag_uses: OfTag = OfTag()
    tag_servers: OfTag = OfTag()


class AskedDimensions(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be listed."""

    keys: list[str]
    start_at: str = ""
    end_at: str = ""
    limit: int = DEFAULT_ROWS
    tag_servers: OfTag = OfTag()
    tag_languages: OfTag = OfTag()


class AskedRetention(msgspec.Struct, frozen=True, kw_only=True):
    """Whose coming back is to be shown."""

    start_at: str = ""
    end_at: str = ""
    frequency: str = ""


async def measures(request: Request, ports: Ports) -> Response:
    """Numbers of the server for each day of a time, and of the time before."""
    asked = request.read(AskedMeasures)
    tags = {
        "tag_accounts": read_id(asked.tag_accounts.id) or 0,
        "tag_uses": read_id(asked.tag_uses.id) or 0,
        "tag_servers": read_id(asked.tag_servers.id) or 0,
    }
    found = await dashboards.measure(ports, _keys(asked.keys), _days(asked.start_at, asked.end_at), tags=tags)
    return json_response([measure_dict(measure) for measure in found])


async def dimensions(request: Request, ports: Ports) -> Response:
    """What is most used on the server, how much room it takes, and which versions it runs."""
    asked = request.read(AskedDimensions)
    now_ms = ports.clock.now_ms()
    end_ms = read_time(asked.end_at, "end_at", zone="UTC") if asked.end_at else now_ms
    start_ms = read_time(asked.start_at, "start_at", zone="UTC") if asked.start_at else end_ms - DEFAULT_DAYS * DAY_MS
    span = dashboards.days_of(start_ms, end_ms)
    tags = {"tag_servers": asked.tag_servers.id, "tag_languages": asked.tag_languages.id}
    limit = max(1, min(asked.limit, MOST_ROWS))
    shown = []
    for key in _keys(asked.keys):
        tag_id = read_id(tags.get(key, "")) or 0
        parts = await dashboards.dimension(ports, key, span, limit=limit, tag_id=tag_id)
        if parts is not None:
            shown.append(dimension_dict(key, parts))
    return json_response(shown)


async def retention(request: Request, ports: Ports) -> Response:
    """For those who signed up in each day or month: how many were seen in it and in each later one."""
    asked = request.read(AskedRetention)
    if not (asked.start_at and asked.end_at and asked.frequency):
        return json_response([])
    frequency: Step = "month" if asked.frequency == "month" else "day"
    span = _days(asked.start_at, asked.end_at)
    cohorts = await dashboards.retention(ports, span.since_ms, span.starts[-1], frequency)
    return json_response([cohort_dict(cohort, frequency) for cohort in cohorts])


def _days(start_at: str, end_at: str) -> Span:
    return dashboards.days_of(read_time(start_at, "start_at", zone="UTC"), read_time(end_at, "end_at", zone="UTC"))


def _keys(keys: list[str]) -> list[str]:
    if not keys:
        raise missing("keys")
    return keys[:MOST_KEYS]


_post = partial(Route, "POST", access=Access.STAFF, scope=("admin:read",))

ROUTES = [
    _post("/api/v1/admin/measures", measures),
    _post("/api/v1/admin/dimensions", dimensions),
    _post("/api/v1/admin/retention", retention),
]
