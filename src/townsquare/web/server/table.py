"""Every route of the server, page by page of the documentation.

Box: web.
"""

from townsquare.web.api import (
    account_acts,
    accounts,
    apps,
    blocks,
    bookmarks,
    conversations,
    directory,
    emails,
    empty_lists,
    favourites,
    follow_requests,
    instance,
    markers,
    media,
    mutes,
    notifications,
    polls,
    preferences,
    profile,
    registrations,
    search,
    statuses,
    tags,
    timelines,
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
    *blocks.ROUTES,
    *bookmarks.ROUTES,
    *conversations.ROUTES,
    *directory.ROUTES,
    *emails.ROUTES,
    *empty_lists.ROUTES,
    *favourites.ROUTES,
    *follow_requests.ROUTES,
    *instance.ROUTES,
    *layout.ROUTES,
    *log_in.ROUTES,
    *mailed_links.ROUTES,
    *markers.ROUTES,
    *media.ROUTES,
    *mutes.ROUTES,
    *notifications.ROUTES,
    *polls.ROUTES,
    *preferences.ROUTES,
    *profile.ROUTES,
    *registrations.ROUTES,
    *search.ROUTES,
    *sign_up.ROUTES,
    *statuses.ROUTES,
    *tags.ROUTES,
    *timelines.ROUTES,
    *token.ROUTES,
    *wellknown.ROUTES,
)
