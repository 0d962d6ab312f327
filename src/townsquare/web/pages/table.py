"""The routes of all pages for people.

Box: web.
"""

from townsquare.web.pages import (
    acts,
    assets,
    compose,
    files,
    front,
    insights,
    notices,
    profiles,
    search,
    settings,
    settings_account,
    threads,
    timelines,
)
from townsquare.web.routes import Route

PAGE_ROUTES: tuple[Route, ...] = (
    *acts.ROUTES,
    *assets.ROUTES,
    *compose.ROUTES,
    *files.ROUTES,
    *front.ROUTES,
    *insights.ROUTES,
    *notices.ROUTES,
    *profiles.ROUTES,
    *search.ROUTES,
    *settings.ROUTES,
    *settings_account.ROUTES,
    *threads.ROUTES,
    *timelines.ROUTES,
)
