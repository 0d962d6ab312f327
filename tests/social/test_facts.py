"""Facts of what people do are those of a recount from the store, whatever order the work is done in."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.social.conftest import Town
from townsquare.analytics.memory import MemoryAnalytics
from townsquare.kit.snowflake import ms_of
from townsquare.model.account import Account, Token, User
from townsquare.model.errors import Unavailable
from townsquare.model.facts import KINDS, Fact
from townsquare.model.paging import Window
from townsquare.model.tasks import EraseFacts
from townsquare.queue.port import Message
from townsquare.settings import Settings
from townsquare.social import (
    accounts,
    bookmarks,
    edits,
    favourites,
    follows,
    polls,
    reblogs,
    relations,
    statuses,
    timelines,
)
from townsquare.social.drafts import PollDraft
from townsquare.social.facts import sign_up_fact
from townsquare.social.facts_desk import PAGES_A_FLUSH
from townsquare.social.facts_rebuild import read_progress, rebuild
from townsquare.social.follows import FollowOptions
from townsquare.social.pseudonyms import GRACE_MS, forget_keys, period_of
from townsquare.store.port import Table
from townsquare.store.tables import AUTHOR_LOG, FACT_KEYS, FOLLOWING, MINE, STATUSES, USERS
from townsquare.workers.facts import expire_facts, note_queue

Told = Counter[tuple[Any, ...]]
_HIDDEN = ("direct",)


async def rows_of(town: Town, table: Table[Any]) -> list[Any]:
    return (await town.ports.store.scan(table, limit=10_000))[0]


async def user(town: Town, account: Account) -> User:
    row = await town.ports.store.get(USERS, (account.account_id,))
    assert row is not None
    return row


def facts_of(town: Town) -> list[Fact]:
    assert isinstance(town.ports.analytics, MemoryAnalytics)
    return list(town.ports.analytics._facts.values())


def net(facts: list[Fact], kinds: tuple[str, ...]) -> Told:
    """What the facts of these kinds sum up to, by all that they say."""
    sums: Told = Counter()
    for fact in facts:
        if fact.kind in kinds:
            sums[(fact.kind, fact.at_ms, fact.actor, fact.author, fact.object, fact.visibility, fact.label)] += (
                fact.value
            )
    return Counter({key: n for key, n in sums.items() if n})


async def recounted(town: Town) -> Told:
    """The same from the rows of the store."""
    sums: Told = Counter()
    everything = {row.status_id: row for row in await rows_of(town, STATUSES)}
    for log in await rows_of(town, AUTHOR_LOG):
        row = everything[log.status_id]
        if row.deleted or row.boost_of or row.visibility in _HIDDEN:
            continue
        kind, about = ("reply", row.reply_to) if row.reply_to else ("post", row.status_id)
        sums[(kind, row.created_ms, row.author, row.reply_to_author, about, row.visibility.value, "")] += 1
        if row.visibility == "public":
            for label in {tag.lower() for tag in row.tags}:
                sums[("tag", row.created_ms, row.author, 0, row.status_id, "", label)] += 1
            if row.card:
                sums[("link", row.created_ms, row.author, 0, row.status_id, "", row.card)] += 1
    for act in await rows_of(town, MINE):
        row = everything.get(act.status_id)
        if act.on and act.kind in ("favourite", "reblog") and row is not None and row.visibility not in _HIDDEN:
            kind = {"favourite": "favourite", "reblog": "boost"}[act.kind]
            sums[(kind, act.at_ms, act.account_id, row.author, act.status_id, row.visibility.value, "")] += 1
    for follow in await rows_of(town, FOLLOWING):
        if follow.state == "on":
            sums[("follow", ms_of(follow.since_id), follow.account_id, follow.target, 0, "", "")] += 1
    return sums


PUBLIC = ("post", "reply", "tag", "link", "boost", "favourite", "follow")


async def act(town: Town, people: list[Account], posts: list[tuple[Account, int]]) -> None:
    """Somebody does something."""
    pick, ports = town.random.choice, town.ports
    who, (author, what) = pick(people), pick(posts)
    match town.random.randrange(12):
        case 0 | 1:
            await favourites.favourite(ports, actor=who, status_id=what)
        case 2:
            await favourites.unfavourite(ports, actor=who, status_id=what)
        case 3:
            await reblogs.reblog(ports, actor=who, user=await user(town, who), status_id=what)
        case 4:
            await reblogs.unreblog(ports, actor=who, status_id=what)
        case 5 | 6:
            visibility = pick(("public", "unlisted", "private", "direct"))
            text = f"about #Tag{town.random.randrange(3)} and https://example.org/{town.random.randrange(3)}"
            answers = what if town.random.random() < 0.6 and visibility != "direct" else None
            made = await town.post(who, text, reply_to=answers, visibility=visibility)
            if visibility in ("public", "unlisted"):
                posts.append((who, made))
        case 7 if len(posts) > 3:
            posts.remove((author, what))
            await statuses.delete(ports, author=author, status_id=what, delete_media=True)
        case 8:
            text = f"now about #other{town.random.randrange(3)}"
            change = edits.Change(text=text, language=pick(("de", "fr")))
            await edits.edit(ports, author=author, user=await user(town, author), status_id=what, change=change)
        case 9 if who != author:
            await follows.follow(ports, actor=who, target_id=author.account_id, options=FollowOptions())
        case 10 if who != author:
            await follows.unfollow(ports, actor=who, target_id=author.account_id)
        case 11:
            await bookmarks.bookmark(ports, actor=who, status_id=what, on=town.random.random() < 0.6)


@pytest.mark.parametrize("seed", range(4))
async def test_facts_equal_a_recount(town: Town, seed: int) -> None:
    town.random.seed(seed)
    people = [await town.person(f"p{n}") for n in range(5)]
    posts = [(people[n % 3], await town.post(people[n % 3], f"post {n} #first")) for n in range(4)]
    for _ in range(120):
        await act(town, people, posts)
        if town.random.random() < 0.15:
            await town.work(disorder=True)
    await town.work(disorder=True)
    assert net(facts_of(town), PUBLIC) == await recounted(town)
    kept = sum(row.on and row.kind == "bookmark" for row in await rows_of(town, MINE))
    assert sum(fact.value for fact in facts_of(town) if fact.kind == "bookmark") == kept


async def test_facts_have_the_fields_of_their_kind_and_no_more(town: Town) -> None:
    people = [await town.person(f"p{n}") for n in range(3)]
    posts = [(people[0], await town.post(people[0], "hello #there", language="en", app_name="An app"))]
    for _ in range(60):
        await act(town, people, posts)
    await relations.mute(town.ports, actor=people[1], target_id=people[0].account_id, notifications=True, duration_s=0)
    await relations.block(town.ports, actor=people[1], target_id=people[2].account_id)
    await town.work()
    told = facts_of(town)
    assert {"post", "tag", "favourite", "bookmark", "mute", "block"} <= {fact.kind for fact in told}
    ids = {each.account_id for each in people}
    for fact in told:
        kind = KINDS[fact.kind]
        for field in ("actor", "author", "object", "amount", "visibility", "app", "language", "label", "cohort"):
            assert field in kind.fields or not getattr(fact, field), (fact.kind, field)
        assert (fact.actor in ids) == (kind.privacy == "public"), fact.kind
    post = next(fact for fact in told if fact.kind == "post" and fact.app)
    assert (post.language, post.app, post.visibility) == ("en", "An app", "public")


async def test_an_account_counts_once_a_day_for_a_tag(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    link = "https://example.org/story"

    def counted() -> Told:
        return Counter({key: n for key, n in by_account().items() if n})

    def by_account() -> Told:
        sums: Told = Counter()
        for fact in facts_of(town):
            if fact.kind in ("tag_account", "link_account"):
                sums[(fact.kind, fact.actor, fact.label)] += fact.value
        return sums

    first = await town.post(ann, f"one #Cats {link}")
    await town.work(disorder=True)
    second = await town.post(ann, "two #cats")
    third = await town.post(bob, "three #cats", visibility="unlisted")
    await town.work(disorder=True)
    tag, shared = ("tag_account", ann.account_id, "cats"), ("link_account", ann.account_id, link)
    assert counted() == {tag: 1, shared: 1}
    await statuses.delete(town.ports, author=ann, status_id=first, delete_media=True)
    await statuses.delete(town.ports, author=bob, status_id=third, delete_media=True)
    await town.work(disorder=True)
    assert counted() == {tag: 1}
    await statuses.delete(town.ports, author=ann, status_id=second, delete_media=True)
    await town.work(disorder=True)
    assert counted() == {}
    await town.post(ann, f"anew #cats {link}")
    town.clock.advance(seconds=86_400)
    await town.post(ann, "the next day #cats")
    await town.work(disorder=True)
    assert counted() == {tag: 2, shared: 1}


async def test_a_follow_that_ended_counts_as_an_end(town: Town) -> None:
    ann, bob, eve = [await town.person(name) for name in ("ann", "bob", "eve")]
    for who in (bob, eve):
        await follows.follow(town.ports, actor=who, target_id=ann.account_id, options=FollowOptions())
    await town.work()
    await follows.unfollow(town.ports, actor=bob, target_id=ann.account_id)
    await relations.block(town.ports, actor=ann, target_id=eve.account_id)
    await town.work(disorder=True)
    assert net(facts_of(town), ("follow",)) == Counter()
    ends = {(fact.actor, fact.author) for fact in facts_of(town) if fact.kind == "unfollow"}
    assert ends == {(bob.account_id, ann.account_id), (eve.account_id, ann.account_id)}
    assert net(facts_of(town), ("past_follow",)).total() == 2


async def test_votes_are_told_once_under_a_pseudonym(town: Town) -> None:
    people = [await town.person(f"p{n}") for n in range(4)]
    poll = await town.post(people[0], "?", poll=PollDraft(options=("a", "b"), expires_in=300))
    for who in people[1:]:
        await polls.vote(town.ports, actor=who, poll_id=poll, choices=[0])
    await town.work(disorder=True)
    votes = [fact for fact in facts_of(town) if fact.kind == "vote"]
    assert [(vote.object, vote.author, vote.value) for vote in votes] == [(poll, people[0].account_id, 1)] * 3
    assert len({vote.actor for vote in votes} - {who.account_id for who in people}) == 3


async def test_an_account_that_is_deleted_is_forgotten(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    hello = await town.post(bob, "hello")
    for who, whom in ((ann, bob), (bob, ann)):
        await follows.follow(town.ports, actor=who, target_id=whom.account_id, options=FollowOptions())
    await town.post(ann, "hi #bob", reply_to=hello)
    await favourites.favourite(town.ports, actor=ann, status_id=hello)
    await bookmarks.bookmark(town.ports, actor=ann, status_id=hello, on=True)
    await town.work()
    names = await town.ports.pseudonyms.living(town.ports.store, town.ports.clock, ann.account_id)
    assert any(fact.actor in names for fact in facts_of(town))
    await accounts.delete(town.ports, ann.account_id)
    await town.work(disorder=True)
    # What was removed told facts of its own, after the first time; the second time comes by the clock.
    await town.ports.outbox.commit(tasks=[EraseFacts(ann.account_id)])
    await town.work()
    gone = {ann.account_id, *names}
    assert not [fact for fact in facts_of(town) if {fact.actor, fact.author} & gone]
    assert net(facts_of(town), ("post",))


async def test_names_of_two_days_differ_and_keys_are_forgotten(town: Town) -> None:
    ports, now_ms = town.ports, town.clock.ms
    today = await ports.pseudonyms.of(ports.store, ports.clock, "reading", "day", now_ms)
    active = await ports.pseudonyms.of(ports.store, ports.clock, "active", "day", now_ms)
    assert today.name(7) == today.name(7)
    assert len({today.name(7), today.name(8), active.name(7), 7, 8}) == 5
    assert today.name(0) == 0
    ends_ms = period_of("day", now_ms).end_ms
    town.clock.ms = ends_ms + GRACE_MS
    await forget_keys(ports.store, ports.clock)
    assert await rows_of(town, FACT_KEYS) == []
    gone = await ports.pseudonyms.of(ports.store, ports.clock, "reading", "day", now_ms)
    assert gone.name(7) == 0
    tomorrow = await ports.pseudonyms.of(ports.store, ports.clock, "reading", "day", town.clock.ms)
    assert tomorrow.name(7) not in (0, today.name(7))


@pytest.mark.parametrize(
    ("span", "at", "start", "end"),
    [
        ("day", 1_793_000_000_000, "2026-10-26", "2026-10-27"),
        ("week", 1_793_000_000_000, "2026-10-26", "2026-11-02"),
        ("month", 1_793_000_000_000, "2026-10-01", "2026-11-01"),
        ("week", 0, "1969-12-29", "1970-01-05"),
        ("month", 951_782_400_000, "2000-02-01", "2000-03-01"),  # a leap day
    ],
)
def test_periods_are_those_of_the_calendar(span: Any, at: int, start: str, end: str) -> None:
    period = period_of(span, at)
    days = [datetime.fromtimestamp(ms / 1000, UTC).date().isoformat() for ms in (period.start_ms, period.end_ms)]
    assert days == [start, end]


# What is noted --------------------------------------------------------------------------------------------------------


async def flushed(town: Town) -> list[Fact]:
    await town.ports.facts.flush()
    await town.work()
    return facts_of(town)


def token(number: int, app: str = "") -> Token:
    return Token(
        token_hash=b"", token_id=number, account_id=1, client_id="", app_name=app, scopes=("read",), created_ms=0
    )


async def test_an_account_is_active_once_a_day_week_and_month(town: Town) -> None:
    ann = await town.person("ann")
    for number, app in ((1, "Ivory"), (2, "Tusky"), (1, "Ivory")):
        town.ports.facts.see(token(number, app), ann)
        await town.ports.facts.flush()
    town.ports.facts.see(token(3), None)  # a program
    told = await flushed(town)
    assert Counter(fact.kind for fact in told) == {"active_day": 1, "active_week": 1, "active_month": 1, "session": 2}
    assert {fact.app for fact in told if fact.kind == "session"} == {"Ivory", "Tusky"}
    assert ann.account_id not in {fact.actor for fact in told}
    (today,) = [fact for fact in told if fact.kind == "active_day"]
    assert (today.at_ms, today.label, today.cohort) == (
        period_of("day", town.clock.ms).start_ms,
        "user",
        ann.created_ms // 86_400_000,
    )
    town.clock.advance(seconds=86_400)  # from Monday to Tuesday, in the same month
    await town.ports.facts.flush()
    town.ports.facts.see(token(1, "Ivory"), ann)
    told = await flushed(town)
    assert Counter(fact.kind for fact in told) == {"active_day": 2, "active_week": 1, "active_month": 1, "session": 3}
    assert len({fact.actor for fact in told if fact.kind == "active_day"}) == 2


async def test_pages_beyond_what_a_flush_takes_are_stood_for(town: Town) -> None:
    ann, bob = await town.person("ann"), await town.person("bob")
    for n in range(3):
        await town.post(bob, f"post {n}")
    await town.post(ann, "my own is no impression")
    page = await timelines.public(town.ports, ann.account_id, Window(limit=20))
    assert len(page.views) == 4
    for _ in range(100):
        town.ports.facts.show(ann.account_id, page.views, "public")
    told = [fact for fact in await flushed(town) if fact.kind == "impression"]
    assert len(told) == 3 * PAGES_A_FLUSH
    assert sum(fact.value for fact in told) == 300
    assert {(fact.author, fact.label, fact.visibility) for fact in told} == {(bob.account_id, "public", "public")}
    assert len({fact.actor for fact in told}) == 1


async def test_a_sample_stands_for_all(town: Town) -> None:
    bob = await town.person("bob")
    await town.post(bob, "hi")
    page = await timelines.public(town.ports, 0, Window(limit=20))
    ports = replace(town.ports, settings=Settings(impression_sample=10))
    for _ in range(100):
        ports.facts.show(0, page.views, "public")
        await ports.facts.flush()
    told = [fact for fact in await flushed(town) if fact.kind == "impression"]
    assert [(fact.value, fact.actor) for fact in told] == [(10, 0)] * 10


async def test_what_the_queue_cannot_take_is_dropped_and_counted(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, desk = await town.person("ann"), town.ports.facts

    async def away(*_: Any) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(town.ports.queue, "put", away)
        desk.see(token(1), ann)
        desk.search(ann.account_id, {"accounts": 3})
        await desk.flush()
    assert desk.dropped == 5
    desk.see(token(1), ann)  # is told again, although it was seen
    assert Counter(fact.kind for fact in await flushed(town))["active_day"] == 1


async def test_what_the_clock_tells(town: Town) -> None:
    await town.ports.queue.put([Message(lane="mail", key=1, id=1, body=b"")])
    town.clock.advance(seconds=5)
    await note_queue(town.ports)
    await note_queue(town.ports)
    told = [fact for fact in await flushed(town) if fact.kind == "queue_age"]
    assert [(fact.label, fact.amount) for fact in told if fact.amount] == [("mail", 5_000)]
    await expire_facts(town.ports)
    assert facts_of(town) == told
    town.clock.advance(seconds=91 * 86_400)
    await expire_facts(town.ports)
    assert facts_of(town) == []


# Made again ----------------------------------------------------------------------------------------------------------


def sums(town: Town) -> Counter[Any]:
    """All that the facts of kinds that the store knows come to; ids apart."""
    counted: Counter[Any] = Counter()
    for fact in facts_of(town):
        if KINDS[fact.kind].rebuilt:
            counted[msgspec.structs.replace(fact, id=0, value=0)] += fact.value
    return Counter({key: n for key, n in counted.items() if n})


def quiet(table: str, facts: int) -> None:
    """Nobody looks."""


async def lived_town(town: Town) -> list[Account]:
    people = [await town.person(f"p{n}") for n in range(5)]
    posts = [(people[n % 3], await town.post(people[n % 3], f"post {n} #first")) for n in range(4)]
    for _ in range(100):
        await act(town, people, posts)
        if town.random.random() < 0.1:
            await town.work(disorder=True)
    await town.work()
    return people


@pytest.mark.parametrize("seed", range(3))
async def test_a_rebuild_makes_what_was_told(town: Town, seed: int) -> None:
    town.random.seed(seed)
    people = await lived_town(town)
    await town.ports.analytics.put([sign_up_fact(each) for each in people])  # who came by another way than signing up
    before, told = sums(town), facts_of(town)
    kept = [fact for fact in told if not KINDS[fact.kind].rebuilt]
    assert kept
    done = await rebuild(town.ports, say=quiet)
    assert sums(town) == before
    assert done.facts == len([fact for fact in facts_of(town) if KINDS[fact.kind].rebuilt])
    assert [fact for fact in facts_of(town) if not KINDS[fact.kind].rebuilt] == kept
    # Ids are the same, so facts that are told again and a rebuild into the same place change nothing.
    await town.ports.analytics.put(told)
    await rebuild(town.ports, since_ms=1, say=quiet)
    assert sums(town) == before
    assert await read_progress(town.ports.store) is None


async def test_a_rebuild_that_was_cut_off_goes_on(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.random.seed(9)
    people = await lived_town(town)
    await town.ports.analytics.put([sign_up_fact(each) for each in people])
    before = sums(town)

    def cut(table: str, facts: int) -> None:
        if table == "reactions":
            raise Unavailable("cut off")

    with pytest.raises(Unavailable):
        await rebuild(town.ports, say=cut)
    assert sums(town) == before  # the old place is asked as long as the new one is not whole
    # What is undone meanwhile is taken back in both.
    made = [row for row in await rows_of(town, AUTHOR_LOG) if row.on and not row.boost_of]
    for row in made[:3]:
        author = next(each for each in people if each.account_id == row.author)
        await statuses.delete(town.ports, author=author, status_id=row.status_id, delete_media=True)
    await town.work(disorder=True)
    after = sums(town)
    assert after != before
    tables: set[str] = set()
    await rebuild(town.ports, say=lambda table, facts: tables.add(table))
    assert tables == {"reactions", "followers"}
    assert sums(town) == after


async def test_a_rebuild_knows_nothing_of_who_is_gone(town: Town) -> None:
    people = await lived_town(town)
    await accounts.delete(town.ports, people[0].account_id)
    await town.work()
    await rebuild(town.ports, say=quiet)
    gone = people[0].account_id
    rebuilt = [fact for fact in facts_of(town) if KINDS[fact.kind].rebuilt]
    assert rebuilt
    assert not [fact for fact in rebuilt if gone in (fact.actor, fact.author)]
