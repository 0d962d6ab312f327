"""Shades of one colour for how much.

Box: render.
"""

import math

_SHADES = 8


def shade(value: float, most: float) -> str:
    """The class of a value's shade: h0 for nothing, h8 for the most."""
    share = value / most if most > 0 else 0.0
    return f"h{min(_SHADES, max(0, math.ceil(share * _SHADES - 1e-9)))}"
