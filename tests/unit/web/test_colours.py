"""The colours of the pages can be read: computed from the stylesheet itself."""

import re
from itertools import product
from pathlib import Path

import pytest

STYLE = Path(__file__).parents[3] / "src/townsquare/web/pages/static/site.css"
TEXTS = ("ink", "ink2", "ink3", "accent", "boost", "fave", "mark", "danger")
GROUNDS = ("bg", "surface", "inset")


def tokens() -> dict[str, tuple[str, str]]:
    """The colour tokens: light, dark."""
    both = STYLE.read_text() + STYLE.with_name("charts.css").read_text()
    pairs = re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9A-F]{6}), (#[0-9A-F]{6})\)", both)
    return {name: (light, dark) for name, light, dark in pairs}


def brightness(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio, WCAG 2.2."""
    high, low = sorted((brightness(one), brightness(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("text", "ground", "theme"), list(product(TEXTS, GROUNDS, (0, 1))))
def test_text_can_be_read_on_every_ground(text: str, ground: str, theme: int) -> None:
    known = tokens()
    assert contrast(known[text][theme], known[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1])
def test_buttons_and_borders_can_be_seen(theme: int) -> None:
    known = {name: pair[theme] for name, pair in tokens().items()}
    assert contrast(known["on-accent"], known["accent"]) >= 4.5
    assert contrast(known["control"], known["surface"]) >= 3
    assert contrast(known["accent"], known["surface"]) >= 3


@pytest.mark.parametrize("series", range(1, 7))
def test_series_and_their_names_can_be_read(series: int) -> None:
    known = tokens()
    for theme in (0, 1):
        assert contrast(known[f"c{series}"][theme], known["surface"][theme]) >= 4.5


def test_script_and_style_stay_small() -> None:
    assert STYLE.with_name("live.js").stat().st_size <= 8 * 1024
    assert STYLE.with_name("charts.js").stat().st_size <= 8 * 1024
    assert STYLE.stat().st_size <= 32 * 1024
    assert STYLE.with_name("charts.css").stat().st_size <= 12 * 1024
