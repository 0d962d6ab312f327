"""Metrics that are told can be read back."""

from townsquare.metrics.exposition import Page, Reading, render
from townsquare.metrics.reading import values_of


def test_what_is_told_is_read_back() -> None:
    readings = [
        Reading("townsquare_http_requests_total", ("api.timelines", "GET", "2xx"), 12),
        Reading("townsquare_http_requests_total", ("pages.front", "GET", "5xx"), 3),
        Reading("townsquare_streams_open", (), 2),
    ]
    text = render([Page("web", "web-1", readings)]).decode()
    found = values_of(text, "townsquare_http_requests_total")
    assert [(labels["area"], labels["status"], value) for labels, value in found] == [
        ("api.timelines", "2xx", 12.0),
        ("pages.front", "5xx", 3.0),
    ]
    assert [value for _, value in values_of(text, "townsquare_streams_open")] == [2.0]
    assert values_of(text, "townsquare_http_requests") == []
