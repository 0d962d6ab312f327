"""What analytics on servers share: places beside each other, classes of retention, and how an answer is finished.

A place is a set of tables or indices with a number. One number is the current one; whoever writes looks it up before
and after, so that nothing is left in a place that has been replaced meanwhile.

Box: analytics.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import msgspec

from townsquare.analytics.port import MOST_ROWS, Question, Row
from townsquare.model.facts import KINDS

Groups = dict[tuple[int, tuple[int | str, ...]], int]
_MOST_VALUES = 1_000  # of one field in one request


def class_of(kind: str) -> str:
    """Facts that are kept equally long lie together: `always`, or `d400` for days."""
    known = KINDS.get(kind)
    return f"d{known.days}" if known and known.days else "always"


def classes() -> dict[str, frozenset[str]]:
    """All classes with their kinds."""
    return {
        name: frozenset(kind for kind in KINDS if class_of(kind) == name) for name in sorted({*map(class_of, KINDS)})
    }


async def in_current(current: Callable[[], Awaitable[int]], write: Callable[[int], Awaitable[None]]) -> None:
    """Write into the current place, and again where another one has become that meanwhile.

    Raises: what `write` raises, where the place is still the current one.
    """
    place = await current()
    while True:
        try:
            await write(place)
        except Exception:  # a place that is gone refuses in words of its engine's own
            if await current() == place:
                raise
        now = await current()
        if now == place:
            return
        place = now


def parts(question: Question) -> Iterator[Question]:
    """The question in as many as its lists of values need, whose groups are then put together; none where it asks for
    nothing."""
    if not question.kinds or not all(values for _, values in question.where):
        return
    longest = max(range(len(question.where)), key=lambda n: len(question.where[n][1]), default=None)
    if longest is None or len(question.where[longest][1]) <= _MOST_VALUES:
        yield question
        return
    field, values = question.where[longest]
    values = tuple(dict.fromkeys(values))
    for start in range(0, len(values), _MOST_VALUES):
        where = list(question.where)
        where[longest] = (field, values[start : start + _MOST_VALUES])
        yield from parts(msgspec.structs.replace(question, where=tuple(where)))


def together(question: Question, rows: Iterable[tuple[int, tuple[int | str, ...], int]]) -> Groups:
    """Groups by their key, each number put together as the measure wants it."""
    groups: Groups = {}
    for at_ms, by, n in rows:
        key = (at_ms, by)
        if key not in groups:
            groups[key] = n
        elif question.measure == "least":
            groups[key] = min(groups[key], n)
        elif question.measure == "greatest":
            groups[key] = max(groups[key], n)
        else:
            groups[key] += n
    return groups


def finished(question: Question, groups: Groups) -> list[Row]:
    """The rows of the answer, of all groups."""
    if question.measure in ("value", "amount"):
        groups = {key: n for key, n in groups.items() if n}
    if question.spread:
        counts = Counter((at_ms, (n,)) for (at_ms, _), n in groups.items())
        rows = [Row(at_ms, by, n) for (at_ms, by), n in counts.items()]
    else:
        rows = [Row(at_ms, by, n) for (at_ms, by), n in groups.items()]
    rows.sort(key=lambda row: (row.at_ms, row.by))
    if question.limit < MOST_ROWS:
        rows.sort(key=lambda row: -row.n)
    return rows[: question.limit]


def kept_apart(kinds: Sequence[str], name: str) -> tuple[list[str], bool]:
    """Which of these kinds are of a class, and whether they are all of it."""
    mine = [kind for kind in kinds if class_of(kind) == name]
    return mine, classes()[name] <= set(mine)
