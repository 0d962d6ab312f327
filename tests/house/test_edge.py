"""Every route has its place in NGINX's file: its body fits, streams stream, and only what may be kept is kept."""

import re

import pytest

from townsquare.edge.nginx import Door, nginx_conf
from townsquare.settings import Settings
from townsquare.web.application import declared_routes
from townsquare.web.routes import Access, CacheClass, Route
from townsquare.web.streaming.websocket import PATH

ROUTES = declared_routes()
CONF = nginx_conf(Settings(), Door(ROUTES, (PATH,)))
_PLACE = re.compile(r'location ~ "(?P<pattern>[^"]+)" \{\n(?P<rules>.*?)\n        \}', re.DOTALL)
PLACES = [(re.compile(found["pattern"]), found["rules"]) for found in _PLACE.finditer(CONF)]
USUAL = "client_max_body_size 1m;"  # what `location /` takes from its server
UNITS = {"k": 1 << 10, "m": 1 << 20}
KEPT = {
    CacheClass.INSTANCE: "answers",
    CacheClass.HALF_HOUR: "answers",
    CacheClass.DAYS: "answers",
    CacheClass.TIMELINE: "answers",
    CacheClass.OPEN_PAGE: "pages",
    CacheClass.IMMUTABLE: "files",
}


def rules_for(path: str) -> str:
    """What the first location that matches says."""
    real = re.sub(r"\{\w+\}", "a1", path)
    return next((rules for pattern, rules in PLACES if pattern.search(real)), USUAL)


def test_the_file_is_read_as_nginx_reads_it() -> None:
    assert len(PLACES) == CONF.count("location ~ ") > 8
    assert "{{" not in CONF


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_has_its_place(route: Route) -> None:
    rules = rules_for(route.path)
    assert rules_for(f"{route.path.rstrip('/')}/") == rules
    size, unit = re.findall(r"client_max_body_size (\d+)([km]);", rules)[0]
    allowed = int(size) * UNITS[unit]
    same = [each for each in ROUTES if each.path == route.path]
    if route.method != "GET":
        assert allowed >= route.body_limit_bytes
        # No more than what some method of the path takes; what NGINX cannot tell apart, the web server does.
        assert allowed == max(each.body_limit_bytes for each in same if each.method != "GET")
    assert ("proxy_buffering off" in rules) == any(each.access is Access.STREAM for each in same)
    if route.method == "GET":
        kept = re.findall(r"proxy_cache (\w+);", rules)
        assert kept in ([KEPT[route.cache]] if route.cache in KEPT else [], ["off"])
        if route.html:
            assert "@page_too_large" in rules or "proxy_buffering off" in rules
    assert ("townsquare_keyed" in rules) == any(each.keyed for each in same)


def test_the_socket_of_streams_may_be_upgraded() -> None:
    assert "Upgrade $http_upgrade" in rules_for(PATH)


def test_pages_that_are_kept_are_nobodys_own() -> None:
    for route in ROUTES:
        if route.cache is CacheClass.OPEN_PAGE:
            assert route.method == "GET"
            assert route.access is Access.PUBLIC
            assert route.html
    kept = [rules for _, rules in PLACES if "proxy_cache pages" in rules or "proxy_cache answers" in rules]
    assert len(kept) == 2
    for rules in kept:
        for directive in ("proxy_cache_bypass", "proxy_no_cache"):
            assert f"{directive} $http_authorization $http_cookie $townsquare_token" in rules
        assert "Set-Cookie" not in rules.replace("$upstream_http_set_cookie", "")
