"""E-mail addresses: which can be used, which are one mailbox."""

import pytest

from townsquare.kit.emails import canonical_email, email_hash, parse_email


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Ann.B+tag@EXAMPLE.org", "Ann.B+tag@example.org"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@example.org.", "ann@example.org"),
        ("root@localhost", "root@localhost"),
        (" ann@example.org ", "ann@example.org"),
    ],
)
def test_what_can_be_used(typed: str, kept: str) -> None:
    assert parse_email(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "", "@", "ann", "ann@", "@example.org", "a b@example.org", "ann@exa mple.org", "ann@-a.org", "ann@a-.org",
        "ann@[127.0.0.1]", "ann@127.0.0.1", "ann@a..org", ".ann@a.org", "ann.@a.org", "a..b@a.org", "ann@com",
        "ann@a.org\r\nBcc: x", "ann\0@a.org", '"ann"@a.org', "ann@a.org,bob@a.org", "x" * 65 + "@a.org",
        "ann@" + "a" * 64 + ".org", "ann@" + "a." * 200 + "org", "=?utf-8?q?x?=@a.org\n", "añn@a.org",
    ],
)  # fmt: skip
def test_what_cannot(typed: str) -> None:
    assert parse_email(typed) is None


def test_one_mailbox_has_one_hash() -> None:
    same = {email_hash(each) for each in ("ann@gmail.com", "A.N.N@gmail.com", "ann+x@googlemail.com")}
    assert len(same) == 1
    assert canonical_email("a.nn@example.org") == "a.nn@example.org", "dots count elsewhere"
    assert canonical_email("+x@example.org") == "+x@example.org"
