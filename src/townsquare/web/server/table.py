"""Every route of the server, page by page of the documentation.

Box: web.
"""

from townsquare.web.api import (
    apps,
    directory,
    emails,
    empty_lists,
    instance,
    markers,
    preferences,
    registrations,
    wellknown,
)
from townsquare.web.oauth import authorize, log_in, mailed_links, sign_up, token
from townsquare.web.pages import layout
from townsquare.web.routes import Route

ALL_ROUTES: tuple[Route, ...] = (
    *apps.ROUTES,
    *authorize.ROUTES,
    *directory.ROUTES,
    *emails.ROUTES,
    *empty_lists.ROUTES,
    *instance.ROUTES,
    *layout.ROUTES,
    *log_in.ROUTES,
    *mailed_links.ROUTES,
    *markers.ROUTES,
    *preferences.ROUTES,
    *registrations.ROUTES,
    *sign_up.ROUTES,
    *token.ROUTES,
    *wellknown.ROUTES,
)
