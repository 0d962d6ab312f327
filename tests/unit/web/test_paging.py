"""Which page is asked for, and where the next ones are."""

import pytest

from townsquare.model.errors import BadRequest
from townsquare.model.paging import Window
from townsquare.social.ports import Ports
from townsquare.web.forms import decode_pairs, nest
from townsquare.web.paging import MAX_ID, link_header, offset_link_header, page_offset, window
from townsquare.web.routes import Request, Response, Route


async def nothing(request: Request, ports: Ports) -> Response:
    """Nothing."""
    return Response(b"")


def request(query: str) -> Request:
    params: dict[str, object] = {}
    nest(decode_pairs(query.encode()), params)
    return Request(
        method="GET",
        path="/api/v1/timelines/home",
        route=Route("GET", "/api/v1/timelines/home", nothing),
        path_params={},
        params=params,
        query_string=query,
        files={},
        headers={},
        cookies={},
        session=None,
        address="",
        request_id="",
        base_url="https://example.org",
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Window(limit=20)),
        ("limit=5", Window(limit=5)),
        ("limit=1000", Window(limit=40)),
        ("limit=" + "9" * 5000, Window(limit=40)),
        ("limit=0", Window(limit=20)),
        ("limit=x", Window(limit=20)),
        ("max_id=7", Window(below=7)),
        ("since_id=7", Window(above=7)),
        ("min_id=7&since_id=3", Window(above=7, forward=True)),
        ("min_id=7&max_id=9", Window(above=7, below=9, forward=True)),
        ("max_id=&min_id=", Window()),
        ("max_id=" + "9" * 30, Window(below=MAX_ID)),
    ],
)
def test_windows(query: str, expected: Window) -> None:
    assert window(request(query)) == expected


@pytest.mark.parametrize("query", ["max_id=x", "min_id=-1", "since_id=1.5", "max_id[]=1", "max_id=²"])
def test_ids_that_are_none_are_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        window(request(query))


def test_links_keep_the_other_parameters_sorted() -> None:
    asked = request("only_media=true&limit=2&max_id=99&access_token=secret&any%5B%5D=a+b")
    ((name, value),) = link_header(asked, 9, 8, 2, 2)
    base = "https://example.org/api/v1/timelines/home?any%5B%5D=a+b&limit=2&"
    assert name == "link"
    assert value == (f'<{base}max_id=8&only_media=true>; rel="next", <{base}min_id=9&only_media=true>; rel="prev"')


def test_links_of_short_and_empty_pages() -> None:
    assert 'rel="next"' not in link_header(request(""), 9, 8, 2, 20)[0][1]
    assert "since_id=9" in link_header(request(""), 9, 8, 2, 20, prev="since_id")[0][1]
    assert link_header(request(""), 0, 0, 0, 20) == ()


def test_pages_by_offset() -> None:
    assert page_offset(request("offset=40")) == 40
    assert page_offset(request("offset=-x")) == 0
    ((_, value),) = offset_link_header(request("offset=40&q=a"), 40, 20, 20)
    assert "offset=60&q=a" in value
    assert "offset=20&q=a" in value
