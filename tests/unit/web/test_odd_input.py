"""Whatever bytes come, reading them ends well or with an error of ours."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from townsquare.model.errors import BadRequest, Invalid
from townsquare.web.bodies import parse_body
from townsquare.web.forms import decode_pairs, nest
from townsquare.web.params import read_params
from townsquare.web.streaming.websocket import Command


class Inner(msgspec.Struct):
    name: str = ""
    on: bool = False


class Shape(msgspec.Struct):
    a: str = ""
    b: int = 0
    c: list[Inner] = []
    d: bool | None = None
    e: list[str] | None = None
    f: Inner | None = None


NAMES = st.text("abcdef[]0%=&+.", max_size=12)
KINDS = st.sampled_from(
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/plain",
        "",
        ";;;",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcdef01"), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | st.lists(st.tuples(NAMES, NAMES)).map(lambda p: "&".join(map("=".join, p)).encode()))
def test_cve_2025_61672_any_query_is_read_or_refused(query: bytes) -> None:
    params: dict[str, Any] = {}
    with contextlib.suppress(BadRequest, Invalid):
        nest(decode_pairs(query), params)
        read_params(params, Shape)


@settings(max_examples=300, deadline=None)
@given(
    KINDS, st.binary(max_size=100).map(lambda b: b'--x\r\nContent-Disposition: form-data; name="a"' + b) | st.binary()
)
def test_cve_2025_61672_any_body_is_read_or_refused(kind: str, body: bytes) -> None:
    with contextlib.suppress(BadRequest, Invalid):
        parse_body(kind, body, {})


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), JSON))
def test_cve_2025_61672_any_json_becomes_a_shape_or_is_refused(params: dict[str, Any]) -> None:
    with contextlib.suppress(BadRequest, Invalid):
        read_params(params, Shape)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=50))
def test_any_message_of_a_stream_client_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(msgspec.MsgspecError, UnicodeError):
        msgspec.json.decode(text, type=Command)
