"""The whole door of one web process: all routes, all streams, one ASGI application.

Box: web.
"""

from collections.abc import Sequence

from townsquare.social.ports import Ports
from townsquare.web.live_pages import LivePages
from townsquare.web.pages.errors import error_page
from townsquare.web.routes import Route
from townsquare.web.server.app import App, make_app
from townsquare.web.server.table import ALL_ROUTES
from townsquare.web.streaming.hub import Hub
from townsquare.web.streaming.sse import EventStreams
from townsquare.web.streaming.websocket import WebSocketDoor


def web_app(ports: Ports, hub: Hub, *, more_routes: Sequence[Route] = ()) -> App:
    """The application of one web process; the hub lives as long as it serves."""
    return make_app(
        ports,
        (*ALL_ROUTES, *EventStreams(hub).routes(), *LivePages(hub).routes(), *more_routes),
        error_page=error_page,
        sockets=WebSocketDoor(ports, hub),
        startup=[hub.start],
        shutdown=[hub.stop],
    )
