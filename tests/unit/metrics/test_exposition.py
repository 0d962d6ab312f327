"""Metrics: what is counted is told as Prometheus reads it."""

import pytest

from townsquare.kit.meters import BOUNDS_S, Histogram, RequestMeter
from townsquare.metrics import sources
from townsquare.metrics.exposition import Page, Reading, render, times
from townsquare.metrics.families import FAMILIES, Family, Sort


def test_counts_and_times_are_told_per_role_and_process() -> None:
    """A histogram's buckets add up to its count; labels are escaped."""
    histogram = Histogram()
    for seconds in (0.00005, 0.003, 99.0):
        histogram.note(seconds)
    page = Page(
        "web",
        "web-1",
        [times("townsquare_call_seconds", ("store", 'g"et\\'), histogram), Reading("townsquare_outbox_waiting", (), 3)],
    )
    shared = Page("", "", [Reading("townsquare_queue_waiting", ("mail",), 7)])
    text = render([page, shared]).decode()
    labels = r'box="store",method="g\"et\\",role="web",process="web-1"'
    assert f'townsquare_call_seconds_bucket{{le="0.0001",{labels}}} 1\n' in text
    assert f'townsquare_call_seconds_bucket{{le="0.005",{labels}}} 2\n' in text
    assert f'townsquare_call_seconds_bucket{{le="10",{labels}}} 2\n' in text
    assert f'townsquare_call_seconds_bucket{{le="+Inf",{labels}}} 3\n' in text
    assert f"townsquare_call_seconds_count{{{labels}}} 3\n" in text
    assert 'townsquare_outbox_waiting{role="web",process="web-1"} 3\n' in text
    assert 'townsquare_queue_waiting{lane="mail"} 7\n' in text
    assert text.count("# TYPE townsquare_call_seconds histogram\n") == 1


def test_requests_are_summed_by_area() -> None:
    """Many routes of one page of the API are one line; what was never asked for has none."""
    first, second, never = RequestMeter(), RequestMeter(), RequestMeter()
    first.note(200, 0.001)
    first.note(404, 0.002)
    second.note(503, 0.004)
    readings = sources.requests(
        [("api.statuses", "GET", first), ("api.statuses", "GET", second), ("api.polls", "GET", never)]
    )
    counts = {reading.labels: reading.value for reading in readings if reading.buckets is None}
    assert counts == {
        ("api.statuses", "GET", "2xx"): 1,
        ("api.statuses", "GET", "4xx"): 1,
        ("api.statuses", "GET", "5xx"): 1,
    }
    [histogram] = [reading for reading in readings if reading.buckets is not None]
    assert sum(histogram.buckets or ()) == 3
    assert histogram.value == pytest.approx(0.007)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_follow_prometheus_ways(family: Family) -> None:
    """Counters end in _total, names carry no suffix of Prometheus's own, labels none of those that are added."""
    assert family.name.startswith("townsquare_")
    assert family.name.endswith("_total") == (family.sort is Sort.COUNTER)
    assert not family.name.endswith(("_ms", "_sum", "_count", "_bucket"))
    assert not {"role", "process", "le"} & set(family.labels)
    assert family.about.endswith(".")


def test_bounds_rise() -> None:
    """Buckets are found by bisection."""
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))
