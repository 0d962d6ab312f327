"""What is read from a page of somebody else."""

import time

import pytest

from townsquare.kit.page import decode_page, plain, read_page


def test_open_graph_comes_before_the_title() -> None:
    page = read_page(
        '<!doctype html><html lang="de-AT"><head><title>Old &amp; plain</title>'
        '<META Property="og:title" content="New &quot;title&quot;"><meta name=description content=short>'
        "<meta name='twitter:title' content='it''s'></head><body><meta name='og:title' content='late'>"
    )
    assert page.title == "Old & plain"
    assert page.language == "de-AT"
    assert page.first("og:title", "twitter:title") == 'New "title"'
    assert page.meta["description"] == "short"


def test_what_stands_in_scripts_and_comments_is_not_read() -> None:
    page = read_page(
        '<head><!-- <title>no</title> --><script>var a = \'<meta property="og:title" content="no">\'</SCRIPT >'
        "<style><title>no</title></style><title>yes</title>"
    )
    assert (page.title, page.meta) == ("yes", {})


def test_a_sign_inside_quotes_does_not_end_a_tag() -> None:
    assert read_page('<meta property="og:title" content="a > b">').meta == {"og:title": "a > b"}


HARD = [
    "<",
    "<a",
    "<a ",
    "<!--",
    "<meta ",
    '<meta a="',
    "<meta a='\"",
    "<meta " + "a" * 5000,
    "<meta " + "a " * 2000,
    "<meta a" + " " * 5000,
    "<script>",
    "<script><script/>",
    "<title>",
    "&#x",
    "<meta name=a content='&amp",
    "</",
    "<![CDATA[",
    "<?",
]


@pytest.mark.parametrize("part", HARD)
def test_cve_2025_68475_no_page_takes_long(part: str) -> None:
    text = part * (1_000_000 // len(part))
    began = time.process_time()
    read_page(text)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("é".encode(), "", "é"),
        ("é".encode("latin-1"), "ISO-8859-1", "é"),
        (b"\x93q\x94", "iso-8859-1", "“q”"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        (b'<meta charset="windows-1251">' + "да".encode("cp1251"), "", '<meta charset="windows-1251">да'),
        (b"\xef\xbb\xbf" + "é".encode(), "latin-1", "é"),
        ("é".encode("utf-16"), "", "é"),
        (b"abc", "unicode_escape", "abc"),
        (b"\\x41", "unicode_escape", "\\x41"),
        (b"+AGE-", "utf-7", "+AGE-"),
        (b"abc", "no-such-thing", "abc"),
    ],
)
def test_text_is_read_in_its_own_encoding(data: bytes, charset: str, text: str) -> None:
    assert decode_page(data, charset) == text


def test_plain_text_is_one_line_and_has_an_end() -> None:
    assert plain("  a\n\tb\x00\u202ec ", 10) == "a b c"
    assert plain("x" * 1_000_000, 20) == "x" * 19 + "…"
    assert plain("<b>&amp;", 20) == "<b>&amp;"
