"""An OpenAPI 3.1 document, made from what routes declare.

Box: web. Source: https://spec.openapis.org/oas/v3.1.0
"""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from townsquare import __version__
from townsquare.model.scopes import SCOPES
from townsquare.render.insights import ErrorEntity
from townsquare.web.routes import Access, Route

_TEMPLATE = "#/components/schemas/{name}"
_IN_PATH = re.compile(r"\{(\w+)\}")
_OAUTH, _BEARER = "oauth2", "bearer"
_FAULTS = {
    "401": "No token, or one that does not work.",
    "403": "The token or its account may not do this.",
    "404": "There is no such thing, or it is not yours to see.",
    "422": "A parameter cannot be understood.",
    "429": "Too many requests.",
    "503": "The engine does not answer just now.",
}


def document(routes: Iterable[Route], *, title: str, base: str) -> dict[str, Any]:
    """The document of those of the routes that say what they read and give."""
    told = [route for route in routes if route.told is not None]
    shapes = [shape for route in told if route.told is not None for shape in (route.told.reads, route.told.gives)]
    _, components = msgspec.json.schema_components(
        [*(shape for shape in shapes if shape is not None), ErrorEntity], ref_template=_TEMPLATE
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in told:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, components)
    read = {route.told.reads.__name__ for route in told if route.told is not None and route.told.reads is not None}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__},
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in read},
            "securitySchemes": _schemes(base),
        },
    }


def _operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    assert route.told is not None
    about, _, more = (inspect.getdoc(route.handler) or "").partition("\n\n")
    answers: dict[str, Any] = {"200": {"description": "As asked for.", "content": _content(route, components)}}
    if route.access is Access.PUBLIC:
        faults: Sequence[str] = ("429",)
    else:
        answers["304"] = {"description": "Nothing changed since the answer with this ETag."}
        faults = tuple(_FAULTS)
    error = {"application/json": {"schema": {"$ref": _TEMPLATE.format(name=ErrorEntity.__name__)}}}
    answers |= {code: {"description": _FAULTS[code], "content": error} for code in faults}
    made: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": " ".join(about.split()),
        "parameters": [*_path_parameters(route.path), *_query_parameters(route, components)],
        "responses": answers,
    }
    if more:
        made["description"] = " ".join(more.split())
    if route.access is not Access.PUBLIC:
        made["security"] = [{_OAUTH: [scope]} for scope in route.scope] + [{_BEARER: []}]
    return made


def _content(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    assert route.told is not None
    (schema,), _ = msgspec.json.schema_components([route.told.gives], ref_template=_TEMPLATE)
    text = {"schema": {"type": "string"}}
    return {"application/json": {"schema": schema}} | dict.fromkeys(route.told.also, text)


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _IN_PATH.findall(path)
    ]


def _query_parameters(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    assert route.told is not None
    if route.told.reads is None:
        return []
    shape = components[route.told.reads.__name__]
    required = shape.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.get("description", ""),
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in shape["properties"].items()
    ]


def _schemes(base: str) -> dict[str, Any]:
    flow = {
        "authorizationUrl": f"{base}/oauth/authorize",
        "tokenUrl": f"{base}/oauth/token",
        "scopes": dict.fromkeys(SCOPES, ""),
    }
    return {
        _OAUTH: {"type": "oauth2", "flows": {"authorizationCode": flow}},
        _BEARER: {"type": "http", "scheme": "bearer"},
    }
