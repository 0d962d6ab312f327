"""What people type into a search, taken apart: words, "phrases", -negations and operators like from:ann.

Box: social. Source: Mastodon, the operators of full-text search.
What looks like an operator and is none is a word. Days are UTC.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

_HAS = {name: name for name in ("media", "image", "video", "audio", "poll", "link", "embed")}
_IS = {name: name for name in ("reply", "sensitive")}
_SCOPES = ("all", "library", "public")
_QUOTES = str.maketrans("“”„«»", '"""""')
_PART = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"|(?P<name>[A-Za-z]+):(?P<value>\S+)|(?P<word>\S+))')
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{2,8}){0,2}")
_HANDLE = re.compile(r"@?\w[\w.-]{0,99}(@[\w.:-]{1,255})?")
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")
_ID_BITS = 16  # of an id below its milliseconds


class Asked(msgspec.Struct, kw_only=True):
    """What a search asks for. `below` and `above` are ids."""

    words: list[str] = []
    phrases: list[str] = []
    without: list[str] = []
    has: list[str] = []  # facets, as the index lane makes them
    lacks: list[str] = []
    authors: list[str] = []  # handles; "me" is whoever asks
    not_authors: list[str] = []
    below: int | None = None
    above: int | None = None
    scope: Literal["all", "library", "public"] = "all"

    @property
    def for_statuses(self) -> bool:
        """Whether it asks for what only statuses have."""
        lists = (self.has, self.lacks, self.authors, self.not_authors)
        return any(lists) or (self.below, self.above) != (None, None) or self.scope != "all"

    def keep_below(self, bound: int | None) -> None:
        """Let nothing from this id on be found."""
        if bound is not None:
            self.below = bound if self.below is None else min(self.below, bound)

    def keep_above(self, bound: int | None) -> None:
        """Let nothing up to this id be found."""
        if bound is not None:
            self.above = bound if self.above is None else max(self.above, bound)


def language_facet(code: str) -> str:
    """The facet of what is written in a language."""
    return f"language:{code.lower()}"


def read_operators(text: str) -> Asked:
    """Take apart what was typed. Nothing in it is an error."""
    asked = Asked()
    for part in _PART.finditer(text.translate(_QUOTES)):
        unwanted = bool(part["minus"])
        if part["phrase"] is not None:
            (asked.without if unwanted else asked.phrases).append(part["phrase"])
        elif part["name"] and _OPERATORS.get(part["name"].lower(), _unknown)(asked, part["value"], unwanted):
            continue
        elif unwanted and part[0] != "-":
            asked.without.append(part[0][1:])
        else:
            asked.words.append(part[0])
    asked.phrases = [phrase for phrase in asked.phrases if phrase.strip()]
    return asked


_Operator = Callable[[Asked, str, bool], bool]  # value, whether it is negated; whether it is one


def _unknown(asked: Asked, value: str, unwanted: bool) -> bool:
    return False


def _facets(known: dict[str, str]) -> _Operator:
    def read(asked: Asked, value: str, unwanted: bool) -> bool:
        found = known.get(value.lower())
        if found is not None:
            (asked.lacks if unwanted else asked.has).append(found)
        return found is not None

    return read


def _language(asked: Asked, value: str, unwanted: bool) -> bool:
    if not _LANGUAGE.fullmatch(value):
        return False
    (asked.lacks if unwanted else asked.has).append(language_facet(value))
    return True


def _from(asked: Asked, value: str, unwanted: bool) -> bool:
    if not _HANDLE.fullmatch(value):
        return False
    (asked.not_authors if unwanted else asked.authors).append(value.removeprefix("@"))
    return True


def _in(asked: Asked, value: str, unwanted: bool) -> bool:
    scope = value.lower()
    if unwanted or scope not in _SCOPES:
        return False
    asked.scope = scope  # type: ignore[assignment]  # one of them, as was just seen
    return True


def _before(asked: Asked, value: str, unwanted: bool) -> bool:
    first, _ = _ids_of(value)
    if first is None:
        return False
    if unwanted:
        asked.keep_above(first - 1)
    else:
        asked.keep_below(first)
    return True


def _after(asked: Asked, value: str, unwanted: bool) -> bool:
    _, end = _ids_of(value)
    if end is None:
        return False
    if unwanted:
        asked.keep_below(end)
    else:
        asked.keep_above(end - 1)
    return True


def _during(asked: Asked, value: str, unwanted: bool) -> bool:
    first, end = _ids_of(value)
    if first is None or end is None or unwanted:
        return False
    asked.keep_above(first - 1)
    asked.keep_below(end)
    return True


def _ids_of(value: str) -> tuple[int | None, int | None]:
    """The first id of a day, month or year, and the first one after it; None where there is no such time."""
    match = _DAY.fullmatch(value)
    if match is None:
        return None, None
    year, month, day = (int(each) if each else 0 for each in match.groups())
    try:
        first = datetime(year, month or 1, day or 1, tzinfo=UTC)
        if day:
            end = first + timedelta(days=1)
        else:
            end = first.replace(year=year + (month or 12) // 12, month=(month or 12) % 12 + 1)
    except (ValueError, OverflowError):
        return None, None
    return _first_id(first), _first_id(end)


def _first_id(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000 << _ID_BITS


_OPERATORS: dict[str, _Operator] = {
    "has": _facets(_HAS),
    "is": _facets(_IS),
    "language": _language,
    "from": _from,
    "in": _in,
    "before": _before,
    "after": _after,
    "during": _during,
}
