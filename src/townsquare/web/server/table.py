"""Every route of the server, page by page of the documentation.

Box: web.
"""

from townsquare.web.api import (
    apps,
    bookmarks,
    directory,
    emails,
    empty_lists,
    favourites,
    instance,
    markers,
    polls,
    preferences,
    registrations,
    statuses,
    wellknown,
)
from townsquare.web.oauth import authorize, log_in, mailed_links, sign_up, token
from townsquare.web.pages import layout
from townsquare.web.routes import Route

ALL_ROUTES: tuple[Route, ...] = (
    *apps.ROUTES,
    *authorize.ROUTES,
    *bookmarks.ROUTES,
    *directory.ROUTES,
    *emails.ROUTES,
    *empty_lists.ROUTES,
    *favourites.ROUTES,
    *instance.ROUTES,
    *layout.ROUTES,
    *log_in.ROUTES,
    *mailed_links.ROUTES,
    *markers.ROUTES,
    *polls.ROUTES,
    *preferences.ROUTES,
    *registrations.ROUTES,
    *sign_up.ROUTES,
    *statuses.ROUTES,
    *token.ROUTES,
    *wellknown.ROUTES,
)
