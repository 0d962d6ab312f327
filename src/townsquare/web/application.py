"""The whole door of one web process: all routes, all streams, one ASGI application.

Box: web.
"""

from collections.abc import Sequence
from typing import cast

from townsquare.social.ports import Ports
from townsquare.web.live_pages import LivePages
from townsquare.web.pages.errors import error_page
from townsquare.web.request_facts import RequestFacts
from townsquare.web.routes import Route
from townsquare.web.server.app import App, make_app
from townsquare.web.server.table import ALL_ROUTES
from townsquare.web.streaming.hub import Hub
from townsquare.web.streaming.sse import EventStreams
from townsquare.web.streaming.websocket import WebSocketDoor


def all_routes(hub: Hub, more: Sequence[Route] = ()) -> tuple[Route, ...]:
    """Every route of a web process, those of streams too."""
    return (*ALL_ROUTES, *EventStreams(hub).routes(), *LivePages(hub).routes(), *more)


def declared_routes() -> tuple[Route, ...]:
    """Every route as it is declared, for those who write about routes: no stream comes from it."""
    return all_routes(cast(Hub, None))


def web_app(ports: Ports, hub: Hub, *, more_routes: Sequence[Route] = ()) -> App:
    """The application of one web process; the hub lives as long as it serves."""
    app = make_app(
        ports,
        all_routes(hub, more_routes),
        error_page=error_page,
        sockets=WebSocketDoor(ports, hub),
        startup=[hub.start],
        shutdown=[hub.stop],
    )
    ports.facts.ask_each_minute(RequestFacts(app, ports.new_id()))
    return app
