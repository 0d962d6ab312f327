"""The desk where a process notes what people look at and how it fares, to be told to the analytics a second later.

Box: social. A note waits for nothing and costs next to nothing; the facts are made when the desk is emptied. What a
process has noted dies with it, and what the queue cannot take is dropped and counted: these facts may be lost.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from townsquare.kit.clock import Clock
from townsquare.kit.snowflake import NoId
from townsquare.model.account import Account, Token, Visibility
from townsquare.model.errors import Unavailable
from townsquare.model.facts import DAY_MS, Fact, fact_id
from townsquare.model.tasks import encode_task
from townsquare.queue.port import Message, Queue
from townsquare.render.status import StatusView
from townsquare.social.facts import cohort_of, told
from townsquare.social.pseudonyms import Pseudonyms, Span, Use, period_of
from townsquare.store.port import Store

MINUTE_MS = 60_000
PAGES_A_FLUSH = 4  # that become impressions; what is noted beyond is stood for by these
_EVERY_S = 1.0
_MOST_NOTES = 5_000  # of one sort, between two flushes
_MOST_SEEN = 200_000  # tokens; then they are told again, which changes nothing
_ACTIVE: tuple[Span, ...] = ("day", "week", "month")

log = logging.getLogger(__name__)

_N = TypeVar("_N")
Page = tuple[int, Sequence[StatusView], str]  # the viewer (0: nobody), what was sent, and where
Source = Callable[[int], list[Fact]]  # asked each minute, with its start in ms


class FactsDesk:
    """One process's notes."""

    def __init__(self) -> None:
        self.dropped = 0  # facts and notes that were lost
        self._sample, self._tells = 1, True
        self._seen: set[int] = set()  # tokens that were told today
        self._day = 0
        self._met: list[tuple[str, Account]] = []  # with their client's name
        self._pages: list[Page] = []
        self._offered = 0  # pages, since the process began
        self._shown = 0  # those of them that are sampled, since the last flush
        self._named: list[tuple[Use, Span, Fact]] = []  # `actor` is still the account
        self._facts: list[Fact] = []
        self._sources: list[Source] = []
        self._minute = 0
        self._running: asyncio.Task[None] | None = None

    def belong(
        self,
        *,
        store: Store,
        queue: Queue,
        clock: Clock,
        pseudonyms: Pseudonyms,
        new_id: Callable[[], int],
        sample: int,
        tells: bool,
    ) -> None:
        """Say where the facts go. `sample`: one in so many pages becomes impressions; 0: none. Unless it `tells`, what
        is noted is forgotten."""
        self._store, self._queue, self._clock, self._pseudonyms, self._new_id = store, queue, clock, pseudonyms, new_id
        self._sample, self._tells = sample, tells

    # Notes ------------------------------------------------------------------------------------------------------------

    def see(self, token: Token, account: Account | None) -> None:
        """Somebody is here, or (without an account) a program by itself."""
        if token.token_id not in self._seen:
            self._seen.add(token.token_id)
            if account is not None:
                self._add(self._met, (token.app_name, account))

    def show(self, viewer: int, views: Sequence[StatusView], where: str) -> None:
        """These statuses are sent to a reader. A few of all pages are kept, each as likely as any other."""
        if self._sample != 1:
            self._offered += 1
            if not self._sample or (self._offered - 1) % self._sample:
                return
        self._shown += 1
        if len(self._pages) < PAGES_A_FLUSH:
            self._pages.append((viewer, views, where))
        elif (at := int(random.random() * self._shown)) < PAGES_A_FLUSH:
            self._pages[at] = viewer, views, where

    def log_in(self, account_id: int, token_id: int, app: str) -> None:
        """A session begins."""
        now_ms = self._clock.now_ms()
        fact = Fact(id=fact_id("log_in", token_id), kind="log_in", at_ms=now_ms, actor=account_id, app=app)
        self._add(self._named, ("acts", "month", fact))

    def view_profile(self, viewer: int, account_id: int) -> None:
        """A profile is opened by somebody else."""
        if viewer != account_id:
            self._add(self._named, ("reading", "day", self._fresh("profile_view", actor=viewer, author=account_id)))

    def search(self, viewer: int, results: Mapping[str, int]) -> None:
        """A search, with how many results of each kind it had; nothing is said of its words."""
        for what, n in results.items():
            self._add(self._named, ("reading", "day", self._fresh("search", actor=viewer, label=what, amount=n)))

    def note(self, fact: Fact) -> None:
        """A fact about the server."""
        self._add(self._facts, fact)

    def ask_each_minute(self, source: Source) -> None:
        """Have facts made from what somebody counts."""
        self._sources.append(source)

    def _fresh(self, kind: str, *, actor: int, author: int = 0, label: str = "", amount: int = 0) -> Fact:
        """What happens now, and has no name of its own."""
        now_ms = self._clock.now_ms()
        return Fact(id=_any_id(), kind=kind, at_ms=now_ms, actor=actor, author=author, label=label, amount=amount)

    def _add(self, notes: list[_N], note: _N) -> None:
        if len(notes) < _MOST_NOTES:
            notes.append(note)
        else:
            self.dropped += 1

    # Telling ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to tell, each second."""
        self._running = asyncio.create_task(self._tell_for_ever(), name="facts")

    async def close(self) -> None:
        """Tell what there is, then stop."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None
        await self.flush()

    async def flush(self) -> None:
        """Give the queue all that was noted."""
        lost = len(self._met) + len(self._named) + len(self._facts)
        try:
            facts = await self._take()
            lost = len(facts)
            if facts and self._tells:
                messages = [(self._new_id() << 4, task) for task in told(facts)]
                await self._queue.put(
                    [Message(lane=task.lane, key=task.key(), id=i, body=encode_task(task)) for i, task in messages]
                )
        except (Unavailable, NoId) as exc:
            self.dropped += lost
            self._seen.clear()  # who is here is told again
            log.warning("%d facts were dropped (%s)", lost, exc)

    async def _tell_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.flush()

    async def _take(self) -> list[Fact]:
        now_ms = self._clock.now_ms()
        if now_ms // DAY_MS != self._day or len(self._seen) > _MOST_SEEN:
            self._day = now_ms // DAY_MS
            self._seen.clear()
        met, self._met = self._met, []
        named, self._named = self._named, []
        facts, self._facts = self._facts, []
        pages, shown, self._pages, self._shown = self._pages, self._shown, [], 0
        facts += self._of_minute(now_ms)
        for app, account in met:
            facts += await self._active(app, account, now_ms)
        for use, span, fact in named:
            facts.append(await self._under_name(use, span, fact))
        facts += await self._impressions(pages, shown, now_ms)
        return facts

    def _of_minute(self, now_ms: int) -> list[Fact]:
        minute, before = now_ms // MINUTE_MS, self._minute
        if minute == before:
            return []
        self._minute = minute
        facts = [fact for source in self._sources for fact in source(minute * MINUTE_MS)]
        return facts if before else []  # the first time they only begin to count

    async def _nym(self, use: Use, span: Span, account_id: int, at_ms: int) -> int:
        names = await self._pseudonyms.of(self._store, self._clock, use, span, at_ms)
        return names.name(account_id)

    async def _active(self, app: str, account: Account, now_ms: int) -> list[Fact]:
        """That somebody was here on this day, in this week and month: each the same fact however often it is told."""
        facts: list[Fact] = []
        for span in _ACTIVE:
            nym, kind = await self._nym("active", span, account.account_id, now_ms), f"active_{span}"
            facts.append(
                Fact(
                    id=fact_id(kind, nym),
                    kind=kind,
                    at_ms=period_of(span, now_ms).start_ms,
                    actor=nym,
                    label=account.role.value,
                    cohort=cohort_of(account),
                )
            )
        nym, day_ms = await self._nym("session", "day", account.account_id, now_ms), period_of("day", now_ms).start_ms
        return [*facts, Fact(id=fact_id("session", nym, app), kind="session", at_ms=day_ms, actor=nym, app=app)]

    async def _under_name(self, use: Use, span: Span, fact: Fact) -> Fact:
        return msgspec.structs.replace(fact, actor=await self._nym(use, span, fact.actor, fact.at_ms))

    async def _impressions(self, pages: Sequence[Page], shown: int, now_ms: int) -> list[Fact]:
        """These pages stand for all that were shown, as the `value` of each says."""
        facts: list[Fact] = []
        n = len(pages)
        for i, (viewer, views, where) in enumerate(pages):
            value = (shown * (i + 1) // n - shown * i // n) * self._sample
            nym = await self._nym("reading", "day", viewer, now_ms)
            facts += _seen_by(
                viewer, views, Fact(id=1, kind="impression", at_ms=now_ms, actor=nym, value=value, label=where)
            )
        return facts


def _seen_by(viewer: int, views: Sequence[StatusView], model: Fact) -> list[Fact]:
    """The statuses of a page that are another's; of a boost, what it shows."""
    statuses = [(view.reblog or view).status for view in views]
    return [
        msgspec.structs.replace(
            model,
            id=_any_id(),
            author=status.author,
            object=status.status_id,
            visibility=status.visibility.value,
        )
        for status in statuses
        if status.author != viewer and status.visibility is not Visibility.DIRECT
    ]


def _any_id() -> int:
    return random.getrandbits(63) or 1
