"""Parameters as Structs."""

from typing import Any

import msgspec
import pytest

from townsquare.model.errors import BadRequest, Invalid
from townsquare.web.forms import decode_pairs, nest
from townsquare.web.params import read_params


class Field(msgspec.Struct):
    name: str = ""


class Shape(msgspec.Struct):
    status: str = ""
    flag: bool | None = None
    limit: int = 20
    weight: float | None = None
    ids: list[int] = []
    words: list[str] | None = None
    fields: list[Field] = []
    poll: Field | None = None


class Needs(msgspec.Struct):
    title: str


def read(query: str) -> Shape:
    params: dict[str, Any] = {}
    nest(decode_pairs(query.encode()), params)
    return read_params(params, Shape)


@pytest.mark.parametrize("word", ["0", "f", "F", "false", "FALSE", "off", "OFF"])
def test_form_words_that_are_false(word: str) -> None:
    assert read(f"flag={word}").flag is False


def test_form_values() -> None:
    assert read("flag=").flag is None
    assert read("flag=anything").flag is True
    assert read("limit=").limit == 20
    assert read("limit=7&weight=0.5").weight == 0.5
    assert read("ids[]=1&ids[]=2&ids[]=").ids == [1, 2]
    assert read("words[]=a%20b&words[]=c+d").words == ["a b", "c d"]
    assert read("words[]=").words == []
    assert read("status=").status == ""


def test_lists_of_objects() -> None:
    assert read("fields[1][name]=b&fields[0][name]=a").fields == [Field("a"), Field("b")]
    assert read("fields[][name]=a&fields[][name]=b").fields == [Field("a"), Field("b")]
    assert read("poll[name]=x").poll == Field("x")


def test_json_values() -> None:
    assert read_params({"flag": False, "status": 12, "ids": ["3"], "unknown": 1, "limit": None}, Shape) == Shape(
        status="12", flag=False, ids=[3]
    )


@pytest.mark.parametrize("name", ["limit", "weight", "ids", "fields", "poll"])
@pytest.mark.parametrize("value", ["x", [["x"]], 1 << 70, "9" * 5000])
def test_cve_2025_61672_a_wrong_type_is_named(name: str, value: object) -> None:
    if name == "weight" and value == "9" * 5000:
        value = {"a": 1}
    with pytest.raises(Invalid, match=name.capitalize()) as caught:
        read_params({name: value}, Shape)
    assert caught.value.details
    assert name in caught.value.details


@pytest.mark.parametrize("params", [{}, {"title": ""}, {"title": None}])
def test_what_is_missing_is_named(params: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="param is missing or the value is empty: title"):
        read_params(params, Needs)
