"""Every route of the server, page by page of the documentation.

Box: web.
"""

from townsquare.web.api import apps
from townsquare.web.oauth import token
from townsquare.web.routes import Route

ALL_ROUTES: tuple[Route, ...] = (
    *apps.ROUTES,
    *token.ROUTES,
)
