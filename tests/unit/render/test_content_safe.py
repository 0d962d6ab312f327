"""Typed text as HTML, read by an independent parser: CVE-2020-6816, CVE-2021-23980 (what is parsed and written twice
stays the same), CVE-2026-50129 (nothing raises)."""

import html5lib
import pytest
from html5lib.serializer import HTMLSerializer
from html5lib.treewalkers import getTreeWalker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from townsquare.render.content import content_html

ALLOWED = {
    "p": set(), "br": set(), "span": {"class", "translate"}, "a": {"href", "class", "rel", "target", "translate"},
}  # fmt: skip
CLASSES = {"invisible", "ellipsis", "mention", "hashtag", "mention hashtag", "h-card", "u-url mention"}
# Shapes that have changed their meaning on being parsed a second time in other cleaners.
MUTATIONS = [
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
    "<noscript><style></noscript><img src=x onerror=alert(1)>",
    "<form><math><mtext></form><form><mglyph><svg><mtext><style><path id=\"</style><img onerror=alert(1) src>\">",
    "<template><s>&lt;/template><img src=x onerror=alert(1)>", "<!--><img src=x onerror=alert(1)>-->",
    "<a href=\"javascript:alert(1)\">x", "&#x3C;img src=x&#x3E;", "&amp;lt;script&amp;gt;", "<ruby><rt><rp>", "]]>",
    "https://a.example/\"onmouseover=alert(1)", "https://a.example/'><script>", "https://a.example/&quot;onload=x",
    "#tag\"onclick=alert(1)", "@ann\"onclick", "https://javascript:alert(1)//@x", "\x0b<\x0c>\x1f",
    "\ud7ff\ufffe\uffff",
]  # fmt: skip
MENTIONS = {("ann", ""): 'http://localhost:3000/@ann"onclick="', ("bob", "far.example"): "https://far.example/@bob"}
PIECES = [
    *MUTATIONS,
    "@ann",
    "@bob@far.example",
    "#tag",
    "https://a.example/?a=1&b=2",
    "\n",
    "\n\n",
    "\r\n",
    "&",
    "<",
    ">",
    '"',
    "'",
]
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=8).map("".join)


def html_of(text: str) -> str:
    return content_html(text, base="http://localhost:3000", mentions=MENTIONS)


def check(html: str) -> None:
    """Only what we write ourselves is in it, and parsing and writing it changes nothing."""
    tree = html5lib.parseFragment(html, namespaceHTMLElements=False)
    for element in list(tree.iter())[1:]:
        assert element.tag in ALLOWED, html
        assert set(element.attrib) <= ALLOWED[element.tag], html
        assert element.attrib.get("class", "mention") in CLASSES, html
        assert element.attrib.get("href", "http://").startswith(("http://", "https://")), html
    once = _written(tree)
    assert _written(html5lib.parseFragment(once, namespaceHTMLElements=False)) == once


def _written(tree: object) -> str:
    serializer = HTMLSerializer(omit_optional_tags=False, quote_attr_values="always", alphabetical_attributes=True)
    return "".join(serializer.serialize(getTreeWalker("etree")(tree)))


@pytest.mark.parametrize("text", MUTATIONS)
def test_cve_2020_6816_known_mutations_stay_text(text: str) -> None:
    """CVE-2020-6816, CVE-2021-23980, CVE-2026-50129."""
    check(html_of(text))
    visible = "".join(html5lib.parseFragment(html_of(f"x{text}x"), namespaceHTMLElements=False).itertext())
    assert [char for char in visible if char.isalpha()] == [char for char in f"x{text}x" if char.isalpha()]


@pytest.mark.filterwarnings("ignore::html5lib.constants.DataLossWarning")
@settings(max_examples=80, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT)
def test_cve_2021_23980_any_text_is_safe_and_stays_so(text: str) -> None:
    """CVE-2020-6816, CVE-2021-23980, CVE-2026-50129."""
    check(html_of(text))
