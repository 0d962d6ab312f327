"""Asking about one range: sums put into its buckets, and which of them are gaps.

Box: social.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import msgspec

from townsquare.analytics.port import MOST_ROWS, Analytics, Field, Measure, Question, Row
from townsquare.model.errors import Invalid
from townsquare.model.facts import DAY_MS, KINDS
from townsquare.model.insights import Number
from townsquare.social.insights.charts import Where
from townsquare.social.insights.span import Part, Span

Group = tuple[int | str, ...]
_NO_GROUPS: Mapping[Group, int] = MappingProxyType({})


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that a chart needs. As a Question, but its buckets are those of the range."""

    kinds: tuple[str, ...]
    measure: Measure = "value"
    by: tuple[Field, ...] = ()
    where: Where = ()
    own: Field = "author"  # the field that names an author who asks
    time: Literal["buckets", "range"] = "buckets"  # by bucket, or the whole range as one
    spread: bool = False
    limit: int = MOST_ROWS


class Known(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What there are facts about."""

    first_ms: int  # 0: nothing
    last_ms: int
    recorded_ms: int  # since when what the store does not know is recorded; 0: not yet
    now_ms: int

    def since_ms(self, kinds: Iterable[str]) -> int | None:
        """From when all of these kinds are known; None: never."""
        since_ms = self.first_ms
        for each in kinds:
            kind = KINDS[each]
            if not kind.rebuilt:
                since_ms = max(since_ms, self.recorded_ms) if self.recorded_ms else 0
            if not since_ms:
                return None
            if kind.days:
                since_ms = max(since_ms, self.now_ms - kind.days * DAY_MS)
        return since_ms or None


class Sheet:
    """The numbers to one Want: by bucket and group."""

    def __init__(self, buckets: Mapping[int, Mapping[Group, int]]) -> None:
        self._buckets = buckets

    def at(self, index: int, group: Group = ()) -> int:
        """The sum in a bucket; 0 where there was nothing."""
        return self.of_bucket(index).get(group, 0)

    def of_bucket(self, index: int) -> Mapping[Group, int]:
        """The sums of each group in a bucket."""
        return self._buckets.get(index, _NO_GROUPS)

    def items(self) -> Iterator[tuple[int, Group, int]]:
        """Each number, with its bucket and group."""
        for index, groups in self._buckets.items():
            for group, n in groups.items():
                yield index, group, n

    def groups(self) -> dict[Group, int]:
        """The sums of each group over all buckets, the greatest first."""
        sums: dict[Group, int] = {}
        for _, group, n in self.items():
            sums[group] = sums.get(group, 0) + n
        return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


class Asking:
    """One range, asked about for one viewer."""

    def __init__(self, analytics: Analytics, span: Span, known: Known, *, where: Where = (), author: int = 0) -> None:
        """`author`: only their numbers; 0: everybody's. `where`: holds for all that is asked."""
        self._analytics, self._where = analytics, where
        self.span, self.known, self.author = span, known, author

    def over(self, span: Span) -> "Asking":
        """The same for another range."""
        return Asking(self._analytics, span, self.known, where=self._where, author=self.author)

    async def sheets(self, wants: Sequence[Want]) -> list[Sheet]:
        """The numbers to all of these, in one request to the engine.

        Raises: Unavailable, Invalid where the answer is too long for an engine.
        """
        parts = self._parts({want.time for want in wants})
        questions = [self._question(want, part) for want in wants for part in parts[want.time]]
        answers = iter(await self._analytics.ask(questions)) if questions else iter(())
        return [self._folded(want, [(part, next(answers)) for part in parts[want.time]]) for want in wants]

    def _parts(self, times: set[str]) -> dict[str, list[Part]]:
        span = self.span
        parts = {"range": [Part(span.since_ms, span.until_ms, 0)]}
        if "buckets" in times:
            parts["buckets"] = span.parts()
        return parts

    def gaps(self, kinds: Iterable[str]) -> list[bool]:
        """For each bucket, whether nothing is known of these kinds: it was over before they were recorded, their facts
        are too old to be kept, or those that come later have not come yet."""
        since_ms = self.known.since_ms(kinds)
        if since_ms is None:
            return [True] * len(self.span.starts)
        buckets = map(self.span.bucket, range(len(self.span.starts)))
        return [end <= since_ms or start > self.known.last_ms for start, end in buckets]

    def is_unknown(self, kinds: Iterable[str]) -> bool:
        """Whether the whole range is a gap."""
        return all(self.gaps(kinds))

    def _question(self, want: Want, part: Part) -> Question:
        where = want.where + self._where
        if self.author:
            where += ((want.own, (self.author,)),)
        return Question(
            kinds=want.kinds,
            since_ms=part.since_ms,
            until_ms=part.until_ms,
            measure=want.measure,
            step_s=self.span.question_step_s if want.time == "buckets" else 0,
            offset_s=part.offset_s if want.time == "buckets" else 0,
            by=want.by,
            where=where,
            spread=want.spread,
            limit=want.limit,
        )

    def _folded(self, want: Want, answers: Sequence[tuple[Part, list[Row]]]) -> Sheet:
        buckets: dict[int, dict[Group, int]] = {}
        for part, rows in answers:
            if len(rows) >= MOST_ROWS:
                raise Invalid("Validation failed: Range is too long to be counted at once")
            for row in rows:
                # The first bucket after a change of the offset begins where the one before it ended.
                index = 0 if want.time == "range" else self.span.index(max(row.at_ms, part.since_ms))
                groups = buckets.setdefault(index, {})
                known = groups.get(row.by)
                groups[row.by] = row.n if known is None else _together(want.measure, known, row.n)
        return Sheet(buckets)


def _together(measure: Measure, one: int, other: int) -> int:
    match measure:
        case "least":
            return min(one, other)
        case "greatest":
            return max(one, other)
        case _:
            return one + other


def shown(value: float) -> Number:
    """A number as it is told: whole ones as such, others to four digits."""
    return value if isinstance(value, int) else round(value, 4)
