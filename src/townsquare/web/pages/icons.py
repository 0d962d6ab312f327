"""Icons: one set on a grid of 24, drawn with strokes. Each page carries those shapes once and refers to them.

Box: web.
"""

import functools

from townsquare.kit.html import Markup, join, tag

_SHAPES: dict[str, tuple[str, ...]] = {
    "back": ("M15 5l-7 7 7 7",),
    "bell": ("M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15z", "M10 21h4"),
    "block": ("M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18", "M5.7 5.7l12.6 12.6"),
    "bookmark": ("M6.5 4h11v16.5L12 16l-5.5 4.5z",),
    "boost": ("M5 11V9.5A3.5 3.5 0 0 1 8.5 6H19", "M16 3l3 3-3 3", "M19 13v1.5A3.5 3.5 0 0 1 15.5 18H5",
              "M8 21l-3-3 3-3"),
    "check": ("M5 12.5l4.5 4.5L19 7.5",),
    "close": ("M6 6l12 12M18 6L6 18",),
    "fave": ("M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.900L12 16.900l-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z",),
    "globe": ("M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18", "M3 12h18", "M12 3c3 3 3 15 0 18c-3-3-3-15 0-18"),
    "home": ("M4 11l8-7 8 7v9h-5.5v-5.5h-5V20H4z",),
    "image": ("M4 5h16v14H4z", "M4 16l5-5 5 5 2.5-2.5L20 17", "M15.5 8.5v.1"),
    "lock": ("M6 11h12v9H6z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3"),
    "logout": ("M10 4H5v16h5", "M10 12h10", "M16.5 8.5L20 12l-3.5 3.5"),
    "mail": ("M4 6h16v12H4z", "M4 7l8 6 8-6"),
    "moon": ("M19.5 14A8 8 0 0 1 10 4.5a8 8 0 1 0 9.5 9.5z",),
    "more": ("M5.5 11.5h1v1h-1zM11.5 11.5h1v1h-1zM17.5 11.5h1v1h-1z",),
    "mute": ("M4 10v4h3.5L12 18V6L7.5 10z", "M16 10l4 4M20 10l-4 4"),
    "person": ("M12 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8", "M4.5 20.5a7.5 6 0 0 1 15 0"),
    "pin": ("M9 4h6l-1 6 3 3.5H7L10 10z", "M12 13.5V21"),
    "poll": ("M5 20V11M12 20V4M19 20v-6",),
    "reply": ("M10 6L4 12l6 6", "M4 12h10a6 6 0 0 1 6 6"),
    "search": ("M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13", "M15.5 15.5L20.5 20.5"),
    "settings": ("M4 7h9M17 7h3M4 17h3M11 17h9", "M15 5a2 2 0 1 0 0 4a2 2 0 1 0 0-4",
                 "M9 15a2 2 0 1 0 0 4a2 2 0 1 0 0-4"),
    "square": ("M4 4h16v16H4z", "M9 9h6v6H9z"),
    "town": ("M3.5 20V10L9 5.5l5.5 4.5v10z", "M14.5 12.5h6V20h-6", "M7.5 20v-4.5h3V20"),
    "trash": ("M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",),
    "warning": ("M12 4l9 16H3z", "M12 10v4.5M12 17.5v.1"),
    "write": ("M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19z", "M13.5 7l3.5 3.5"),
}  # fmt: skip


@functools.cache
def sprite() -> Markup:
    """All shapes, to stand once at the beginning of a page's body."""
    symbols = [
        tag("symbol", [tag("path", d=line) for line in lines], id=f"i-{name}", viewbox="0 0 24 24")
        for name, lines in _SHAPES.items()
    ]
    return tag("svg", symbols, width=0, height=0, aria_hidden="true", class_="sprite")


@functools.cache
def icon(name: str) -> Markup:
    """One icon. It says nothing to those who hear a page: the words stand beside it or in the label of its button.

    Raises: KeyError for a name that is none.
    """
    return tag("svg", tag("use", href=f"#i-{_known(name)}"), class_="icon", aria_hidden="true")


def labelled(name: str, words: str) -> Markup:
    """An icon that alone says something, with its words for those who hear the page."""
    return join(icon(name), tag("span", words, class_="visually-hidden"))


def _known(name: str) -> str:
    if name not in _SHAPES:
        raise KeyError(name)
    return name
