"""Facts as a server along a graph would tell them, day by day: posts, who sees them, who answers, who is there."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from townsquare.cli.seeding.graph import Graph
from townsquare.model.facts import DAY_MS, Fact

FIRST_DAY = 20_600  # days since 1970
DAYS = 91  # thirteen weeks
_SEEN, _FAVOURITE, _BOOST, _REPLY = 0.5, 0.03, 0.008, 0.006  # of the followers of an author, for each post
_HERE = 0.4  # of all people, on a day
_APPS = ("Townsquare", "Ivory", "Tusky", "Elk", "Phanpy")
_LANGUAGES = ("en", "de", "fr", "ja", "pt")
_WHERE = ("home", "public", "tag", "thread", "profile")
_VISIBILITIES = ("public", "public", "public", "unlisted", "private")
_ROLES = ("", "", "", "Moderator")

Numbers = npt.NDArray[np.int64]


class Server:
    """People along a graph. The same seed tells the same facts."""

    def __init__(self, graph: Graph, *, seed: int = 5) -> None:
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._graph = graph
        order = np.argsort(graph.followed, kind="stable")
        self._followers = graph.follower[order]
        self._starts = np.searchsorted(graph.followed[order], np.arange(graph.people + 1))
        joined_ms = (FIRST_DAY * DAY_MS - self._random.integers(0, 700 * DAY_MS, graph.people)) << 16
        self.ids: Numbers = np.sort(joined_ms + np.arange(graph.people))
        self._cohorts = (self.ids >> 16) // DAY_MS
        self._chatty = np.sqrt(1 + np.diff(self._starts))
        self._chatty /= self._chatty.sum()

    @property
    def busiest(self) -> int:
        """The account that most people follow."""
        return int(self.ids[np.argmax(np.diff(self._starts))])

    def day(self, day: int, posts: int) -> list[Fact]:
        """What happens on a day, in the order of time."""
        begins = (FIRST_DAY + day) * DAY_MS
        facts = [*self._posts(begins, posts), *self._people(begins), *self._machine(begins)]
        facts.sort(key=lambda fact: fact.at_ms)
        return facts

    def _posts(self, begins: int, count: int) -> Iterator[Fact]:
        random = self._random
        authors = random.choice(self._graph.people, count, p=self._chatty)
        times = begins + np.sort(random.integers(0, DAY_MS, count))
        statuses = (times << 16) + random.integers(0, 1 << 16, count)
        for author, at_ms, status in zip(authors.tolist(), times.tolist(), statuses.tolist(), strict=True):
            kind, visibility = int(random.integers(0, 1 << 30)), _VISIBILITIES[status % 5]
            told = {"object": status, "visibility": visibility}
            yield self._fact(
                "post", at_ms, actor=int(self.ids[author]), app=_APPS[kind % 5], language=_LANGUAGES[author % 5], **told
            )
            yield self._fact("delivery", at_ms + 400, amount=kind % 3_000)
            if not kind % 3:
                yield self._fact("tag", at_ms, actor=int(self.ids[author]), object=status, label=f"tag{kind % 997}")
            followers = self._followers[self._starts[author] : self._starts[author + 1]]
            yield from self._reactions(followers, at_ms, author=int(self.ids[author]), **told)

    def _reactions(self, followers: Numbers, at_ms: int, **told: int | str) -> Iterator[Fact]:
        random = self._random
        chance = random.random(followers.size)
        later = at_ms + random.exponential(4 * 3_600_000, followers.size).astype(np.int64)
        seen = chance < _SEEN
        for reader, when, lot in zip(
            followers[seen].tolist(), later[seen].tolist(), chance[seen].tolist(), strict=True
        ):
            pseudonym = int(random.integers(1, 1 << 62))
            yield self._fact("impression", when, actor=pseudonym, label=_WHERE[min(4, reader % 9)], **told)
            if lot < _FAVOURITE:
                yield self._fact("favourite", when + 5_000, actor=int(self.ids[reader]), **told)
            if lot < _BOOST:
                yield self._fact("boost", when + 7_000, actor=int(self.ids[reader]), **told)
            if lot < _REPLY:
                amount = (when - at_ms) // 1_000
                yield self._fact("reply", when + 60_000, actor=int(self.ids[reader]), amount=amount, **told)

    def _people(self, begins: int) -> Iterator[Fact]:
        random = self._random
        here = np.flatnonzero(random.random(self._graph.people) < _HERE)
        times = begins + random.integers(0, DAY_MS, here.size)
        for number, at_ms in zip(here.tolist(), times.tolist(), strict=True):
            pseudonym = int(random.integers(1, 1 << 62))
            told = {"label": _ROLES[number % 4], "cohort": int(self._cohorts[number])}
            yield self._fact("active_day", at_ms, actor=pseudonym, **told)
            yield self._fact("session", at_ms, actor=pseudonym + 1, app=_APPS[number % 5])
            if at_ms % 7 < 2:
                yield self._fact("active_week", at_ms, actor=pseudonym + 2, **told)

    def _machine(self, begins: int) -> Iterator[Fact]:
        for minute in range(0, DAY_MS, 60_000):
            for lane in ("fan_out", "notify", "media", "index"):
                yield self._fact("queue_age", begins + minute, amount=minute % 977, label=lane)
        for hour in range(0, DAY_MS, 3_600_000):
            yield self._fact("storage", begins + hour, amount=begins // 1_000 + hour, label="store")

    def _fact(self, kind: str, at_ms: int, **told: int | str) -> Fact:
        # An id by chance, as `fact_id` is to who does not know what it names.
        number = int(self._random.integers(1, (1 << 63) - 1))
        return Fact(id=number, kind=kind, at_ms=at_ms, **told)  # type: ignore[arg-type]  # the callers know the fields
