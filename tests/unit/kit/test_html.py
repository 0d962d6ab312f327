"""HTML as values: nothing that people type can break out."""

import pytest
from html5lib import parseFragment
from hypothesis import given
from hypothesis import strategies as st

from townsquare.kit.html import Markup, join, tag


def test_elements() -> None:
    made = tag("p", "a < b", tag("br"), None, ["x", 1], class_="c", hidden=True, id=None)
    assert made == '<p class="c" hidden>a &lt; b<br>x1</p>'
    assert tag("label", for_="x", data_kind="y") == '<label for="x" data-kind="y"></label>'


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc"))))
def test_ghsa_2g66_text_comes_back_as_text(text: str) -> None:
    page = parseFragment(tag("b", text, title=text), treebuilder="etree", namespaceHTMLElements=False)
    (element,) = page
    assert element.tag == "b"
    assert (element.text or "") == text
    assert element.get("title") == text
    assert len(element) == 0


@pytest.mark.parametrize("link", ["javascript:alert(1)", " javascript:x", "data:text/html,x", "vbscript:x", "\x01x:y"])
def test_links_run_nothing(link: str) -> None:
    with pytest.raises(ValueError):
        tag("a", "x", href=link)


@pytest.mark.parametrize("name", ["onclick", "style", 'x" y', "x>"])
def test_attributes_run_nothing(name: str) -> None:
    with pytest.raises(ValueError):
        tag("a", **{name: "x"})


def test_only_markup_stays() -> None:
    assert join("<b>", Markup("<i>")) == "&lt;b&gt;<i>"
