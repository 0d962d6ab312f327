"""Scopes: what implies what."""

import pytest

from townsquare.model.errors import Invalid
from townsquare.model.scopes import SCOPES, allows, is_within, read_scopes


def test_reading() -> None:
    assert read_scopes(None) == read_scopes("") == ("read",)
    assert read_scopes("read write read") == ("read", "write")
    assert read_scopes("read+write:media") == ("read", "write:media")
    assert read_scopes(["read", "push"]) == ("read", "push")
    assert read_scopes(" ".join(SCOPES)) == SCOPES


@pytest.mark.parametrize("text", ["reads", "read:everything", "READ", "x" * 1_000_000, "write:"])
def test_unknown_ones_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_scopes(text)


@pytest.mark.parametrize(
    ("granted", "needed", "expected"),
    [
        ("write", "write:media", True),
        ("write:statuses", "write:media", False),
        ("write:media", "write", False),
        ("read:statuses", "read:bookmarks", False),
        ("follow", "write:mutes", True),
        ("follow", "write:statuses", False),
        ("admin:read", "admin:read:accounts", True),
        ("read", "admin:read", False),
        ("read", "profile", False),
    ],
)
def test_ghsa_58x8_3qxw_6hm7_narrow_scopes_stay_narrow(granted: str, needed: str, expected: bool) -> None:
    assert allows((granted,), needed) is expected


def test_asked_within_registered() -> None:
    assert is_within(("read:statuses", "follow"), ("read", "write"))
    assert not is_within(("write",), ("read",))
    assert not is_within(("follow",), ("read",))
