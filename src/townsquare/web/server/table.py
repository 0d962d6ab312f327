"""Every route of the server, page by page of the documentation.

Box: web.
"""

from townsquare.web.api import (
    account_acts,
    accounts,
    apps,
    blocks,
    conversations,
    directory,
    emails,
    empty_lists,
    follow_requests,
    instance,
    markers,
    mutes,
    notifications,
    preferences,
    profile,
    registrations,
    search,
    tags,
    wellknown,
)
from townsquare.web.oauth import authorize, log_in, mailed_links, sign_up, token
from townsquare.web.pages import layout
from townsquare.web.routes import Route

ALL_ROUTES: tuple[Route, ...] = (
    *account_acts.ROUTES,
    *accounts.ROUTES,
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
    *blocks.ROUTES,
    *conversations.ROUTES,
    *follow_requests.ROUTES,
    *mutes.ROUTES,
    *notifications.ROUTES,
    *profile.ROUTES,
    *search.ROUTES,
    *tags.ROUTES,
    *token.ROUTES,
    *wellknown.ROUTES,
)
