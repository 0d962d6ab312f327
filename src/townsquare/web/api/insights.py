"""Insights: what the server's facts say, to its staff and to authors.

Box: web. Source: our own API, docs/insights.md
"""

from collections.abc import Collection
from functools import partial
from typing import Annotated, Any

import msgspec

from townsquare.model.errors import Forbidden, Invalid
from townsquare.model.scopes import allows
from townsquare.render.insights import AnswerEntity, ChartEntity, StatusInsights, answer_csv, answer_entity
from townsquare.social.insights.ask import CHARTS, Asked, ask, ask_status, charts_for
from townsquare.social.insights.charts import Chart
from townsquare.social.ports import Ports
from townsquare.web.auth import OUTSIDE_SCOPES
from townsquare.web.openapi import document
from townsquare.web.routes import Access, CacheClass, Request, Response, Route, Told, json_response

_SCOPES = {"author": "read:statuses", "operator": "admin:read"}
_CSV = ".csv"


class AskedChart(Asked, frozen=True, kw_only=True):
    """A range, and how the answer is wanted."""

    format: Annotated[str, msgspec.Meta(description="json or csv; a name that ends in .csv means the same.")] = ""


async def list_charts(request: Request, ports: Ports) -> Response:
    """The charts that may be asked for: everybody those about their own statuses, the staff also the server's."""
    base = ports.settings.base
    charts = [chart for chart in charts_for(request.account) if _is_in_scope(request.token.scopes, chart)]
    return json_response([_entity(chart, base) for chart in charts])


def _is_in_scope(scopes: Collection[str], chart: Chart) -> bool:
    return allows(scopes, _SCOPES[chart.audience])


def _entity(chart: Chart, base: str) -> ChartEntity:
    return ChartEntity(
        name=chart.name,
        title=chart.title,
        about=chart.about,
        limits=chart.limits,
        kind=chart.kind,
        unit=chart.unit,
        audience=chart.audience,
        steps=chart.steps,
        default_days=chart.default_days,
        utc=chart.utc,
        compared=chart.compared,
        url=f"{base}/api/v1/insights/{chart.name}",
    )


async def show_chart(request: Request, ports: Ports) -> Response:
    """The numbers of a chart for a range of time.

    Charts about one's own statuses want read:statuses, those about the server admin:read and a member of the staff.
    """
    asked = request.read(AskedChart)
    name = request.path_params["chart"]
    is_csv = name.endswith(_CSV) or asked.format == "csv"
    name = name.removesuffix(_CSV)
    if asked.format not in ("", "json", "csv"):
        raise Invalid(
            "Validation failed: Format is not one of json, csv",
            {"format": [("ERR_INCLUSION", "is not one of json, csv")]},
        )
    chart = CHARTS.get(name)
    if chart is not None and not _is_in_scope(request.token.scopes, chart):
        raise Forbidden(OUTSIDE_SCOPES)
    answer = await ask(ports, name, asked, account=request.account)
    if not is_csv:
        return json_response(answer_entity(answer))
    headers = (("content-disposition", f'attachment; filename="{name}.csv"'),)
    return Response(answer_csv(answer), content_type="text/csv; charset=utf-8", headers=headers)


async def show_status(request: Request, ports: Ports) -> Response:
    """What is known of one of your own statuses, since it was posted."""
    status_id = request.id()
    answers = await ask_status(ports, status_id, request.read(Asked), account=request.account)
    return json_response(StatusInsights(status_id=str(status_id), charts=tuple(map(answer_entity, answers))))


async def show_document(request: Request, ports: Ports) -> Response:
    """The OpenAPI document of these routes."""
    return json_response(document(ROUTES, title="Townsquare: insights", base=str(ports.settings.base)))


_get = partial(Route, "GET", cache=CacheClass.OWN)

ROUTES = [
    _get(
        "/api/v1/insights",
        list_charts,
        scope=tuple(_SCOPES.values()),
        told=Told(gives=list[ChartEntity]),
    ),
    _get(
        "/api/v1/insights/{chart}",
        show_chart,
        scope=tuple(_SCOPES.values()),
        told=Told(gives=AnswerEntity, reads=AskedChart, also=("text/csv",)),
    ),
    _get(
        "/api/v1/insights/statuses/{id}",
        show_status,
        scope=("read:statuses",),
        told=Told(gives=StatusInsights, reads=Asked),
    ),
    Route(
        "GET",
        "/api/v1/insights/openapi.json",
        show_document,
        access=Access.PUBLIC,
        cache=CacheClass.INSTANCE,
        told=Told(gives=dict[str, Any]),
    ),
]
