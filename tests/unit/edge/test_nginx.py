"""What NGINX's file says for which settings, and which settings are refused."""

from typing import Any

import pytest

from townsquare.edge.filling import filled
from townsquare.edge.nginx import Door, nginx_conf
from townsquare.edge.places import Kind, pattern_of, places_of
from townsquare.settings import Settings
from townsquare.web.application import declared_routes
from townsquare.web.routes import CacheClass, Request, Response, Route
from townsquare.web.streaming.websocket import PATH

DOOR = Door(declared_routes(), (PATH,))


def conf(**settings: Any) -> str:
    return nginx_conf(Settings(**settings), DOOR)


def test_what_the_settings_say_is_there() -> None:
    text = conf(
        url="https://town.example",
        edge_upstreams=["10.0.0.1:3000", "[fd00::1]:3000 down"],
        edge_proxies=["10.1.0.0/16", "fd00::/8"],
        edge_cache_gib=3,
        edge_user="nginx",
    )
    assert "server 10.0.0.1:3000 max_fails=2 fail_timeout=2s;" in text
    assert "server [fd00::1]:3000 max_fails=2 fail_timeout=2s down;" in text
    assert "set_real_ip_from 10.1.0.0/16;\n    set_real_ip_from fd00::/8;\n    real_ip_header X-Forwarded-For;" in text
    assert "max_size=3g" in text
    assert "user nginx;" in text
    assert "server_name town.example;" in text
    assert "proxy_set_header X-Forwarded-Proto https;" in text


def test_without_upstreams_there_is_the_one_of_this_machine() -> None:
    assert "server 127.0.0.1:4000 max_fails" in conf(bind="127.0.0.1:4000")


def test_tls_is_a_comment_without_a_certificate() -> None:
    text = conf()
    assert "# ssl_certificate " in text
    assert "\n        ssl_certificate " not in text
    assert "listen 80;" in text
    tls = conf(edge_certificate="/etc/a.pem", edge_certificate_key="/etc/k.pem")
    assert '\n        ssl_certificate "/etc/a.pem";' in tls
    assert "listen 443 ssl http2;" in tls
    assert "return 308 https://$host$request_uri;" in tls
    assert 'Strict-Transport-Security "max-age=63072000"' in tls
    assert "Strict-Transport-Security" not in text


def test_brotli_is_used_where_its_module_is() -> None:
    assert "brotli" not in conf()
    text = nginx_conf(Settings(), DOOR, brotli=True)
    assert "load_module /usr/lib/nginx/modules/ngx_http_brotli_filter_module.so;" in text
    assert "brotli on;" in text


def test_files_have_a_host_of_their_own_where_it_is_another() -> None:
    assert "server_name cdn.example;" in conf(url="https://town.example", media_url="https://cdn.example")
    assert conf(url="https://town.example", media_url="https://town.example").count("server_name town.example;") == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("edge_upstreams", ["localhost"]),
        ("edge_upstreams", ["a:1; } server { listen 1"]),
        ("edge_upstreams", ["a:1 backup"]),
        ("edge_listen", ["80; x"]),
        ("edge_listen_tls", ["443 ssl"]),
        ("edge_proxies", ["10.0.0.0/8\nx"]),
        ("edge_cache", "cache"),
        ("edge_cache", '/var"; x'),
        ("edge_media", "/m$uri"),
        ("edge_logs", "/var/log/{x}"),
        ("edge_user", "a b"),
        ("edge_certificate", "/only.pem"),
        ("edge_cache_gib", 0),
        ("url", "https://a;b"),
        ("media_url", "https://a b"),
    ],
)
def test_what_nginx_would_misread_is_refused_by_name(setting: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"The settings? {setting}"):
        conf(**{setting: value})


async def handler(request: Request, ports: Any) -> Response:
    """Nothing."""
    raise AssertionError


def test_paths_are_taken_letter_by_letter() -> None:
    assert pattern_of("/a.b/{id}/c-{name}.png") == r"/a\.b/[^/]+/c\-[^/]+\.png"


def test_of_a_path_reading_decides_what_is_kept_and_writing_how_much_comes() -> None:
    routes = [
        Route("GET", "/x", handler, cache=CacheClass.INSTANCE, body_limit_bytes=9 << 20),
        Route("POST", "/x", handler, body_limit_bytes=64 << 10),
        Route("PUT", "/x", handler, body_limit_bytes=128 << 10),
    ]
    (place,) = places_of(routes)
    assert (place.kind, place.body_limit_bytes) == (Kind.SHARED, 128 << 10)


def test_a_value_of_many_lines_takes_the_place_of_its_line() -> None:
    text = filled("tls.conf", {"certificate": "/a", "certificate_key": "/b"})
    assert text.startswith('ssl_certificate "/a";\nssl_certificate_key "/b";\n')
    with pytest.raises(KeyError):
        filled("tls.conf", {"certificate": "/a"})
