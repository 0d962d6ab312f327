"""Facts of what people do, made from rows: here only, so that the workers and a rebuild tell the same.

Box: social. An id names the happening by what the rows of it keep, so it is the same whoever makes it. Acts that only
the actor sees are named by the id of their row, which says nothing of the actor. Direct statuses leave no facts, nor
does what is done with them.
"""

from collections.abc import Iterable, Sequence

import msgspec

from townsquare.kit.snowflake import ms_of
from townsquare.model.account import Account, Visibility
from townsquare.model.facts import DAY_MS, Fact, fact_id, taken_back
from townsquare.model.status import Media, Status
from townsquare.model.tasks import FACTS_AT_ONCE, RecordFacts

BOOKMARK = "bookmark"
_ROOM, _FACT_BYTES = 200_000, 300  # of a message; of a fact without its label, at most
_KINDS = {"favourite": "favourite", "reblog": "boost"}  # of reactions


def told(facts: Sequence[Fact]) -> list[RecordFacts]:
    """The tasks that bring these facts into the analytics, as few as may be: a message has its limits."""
    tasks, some, room = list[RecordFacts](), list[Fact](), _ROOM
    for fact in facts:
        needs = _FACT_BYTES + 4 * len(fact.label)
        if some and (len(some) == FACTS_AT_ONCE or needs > room):
            tasks.append(RecordFacts(tuple(some)))
            some, room = [], _ROOM
        some.append(fact)
        room -= needs
    return [*tasks, RecordFacts(tuple(some))] if some else tasks


def ended(facts: Iterable[Fact]) -> list[Fact]:
    """Facts of what no longer stands, each with its taking back: whether it was ever told or not, it counts nothing."""
    return [each for fact in facts for each in (fact, taken_back(fact))]


# What others see ------------------------------------------------------------------------------------------------------


def status_facts(status: Status) -> list[Fact]:
    """A status that stands: itself, and where it is public its tags and its link. An edit makes other facts of it."""
    if status.deleted or status.boost_of or status.visibility is Visibility.DIRECT:
        return []
    facts = [_status_fact(status)]
    if status.visibility is Visibility.PUBLIC:
        labels = [("tag", tag) for tag in dict.fromkeys(tag.lower() for tag in status.tags)]
        labels += [("link", status.card)] if status.card else []
        facts += [
            Fact(
                id=fact_id(kind, status.author, status.status_id, status.created_ms, status.version, label),
                kind=kind,
                at_ms=status.created_ms,
                actor=status.author,
                object=status.status_id,
                language=status.language,
                label=label,
            )
            for kind, label in labels
        ]
    return facts


def _status_fact(status: Status) -> Fact:
    kind = "reply" if status.reply_to else "post"
    waited_ms = status.created_ms - ms_of(status.reply_to) if status.reply_to else 0
    return Fact(
        id=fact_id(kind, status.author, status.status_id, status.created_ms, status.version),
        kind=kind,
        at_ms=status.created_ms,
        actor=status.author,
        author=status.reply_to_author,
        object=status.reply_to or status.status_id,
        amount=max(0, waited_ms) // 1000,
        visibility=status.visibility.value,
        app=status.app_name,
        language=status.language,
    )


def reaction_facts(kind: str, actor: int, at_ms: int, status: Status | None) -> list[Fact]:
    """A favourite or a boost (`kind` favourite, reblog); none where the status is direct. A deleted one is good."""
    if status is None or status.visibility is Visibility.DIRECT or kind not in _KINDS:
        return []
    return [
        Fact(
            id=fact_id(_KINDS[kind], actor, status.status_id, at_ms),
            kind=_KINDS[kind],
            at_ms=at_ms,
            actor=actor,
            author=status.author,
            object=status.status_id,
            visibility=status.visibility.value,
        )
    ]


def follow_fact(follower: int, target: int, since_id: int) -> Fact:
    """A follow that stands."""
    at_ms = ms_of(since_id)
    return Fact(
        id=fact_id("follow", follower, target, since_id), kind="follow", at_ms=at_ms, actor=follower, author=target
    )


def unfollow_facts(follower: int, target: int, since_id: int, at_ms: int) -> list[Fact]:
    """A follow that ended at this time: it is taken back, and that it began and that it ended are facts."""
    begun = follow_fact(follower, target, since_id)
    past, end = (
        msgspec.structs.replace(begun, id=fact_id(kind, follower, target, since_id), kind=kind, at_ms=when_ms)
        for kind, when_ms in (("past_follow", begun.at_ms), ("unfollow", at_ms))
    )
    return [*ended([begun]), past, end]


def sign_up_fact(account: Account) -> Fact:
    """A new account."""
    return Fact(
        id=fact_id("sign_up", account.account_id),
        kind="sign_up",
        at_ms=account.created_ms,
        actor=account.account_id,
        cohort=cohort_of(account),
    )


def cohort_of(account: Account) -> int:
    """The day on which the account signed up, in days since 1970."""
    return account.created_ms // DAY_MS


# What only the actor sees: `nym` is the actor's pseudonym, 0 where it is known no more ------------------------------


def bookmark_facts(nym: int, mark_id: int, at_ms: int, status: Status | None) -> list[Fact]:
    """A bookmark; none where the status is direct."""
    if status is None or status.visibility is Visibility.DIRECT:
        return []
    return [_private(BOOKMARK, nym, mark_id, at_ms, status)]


def vote_facts(nym: int, vote_id: int, status: Status) -> list[Fact]:
    """A vote in a poll; none of a time when votes had no ids, and none where the status is direct."""
    if not vote_id or status.visibility is Visibility.DIRECT:
        return []
    return [_private("vote", nym, vote_id, ms_of(vote_id), status)]


def _private(kind: str, nym: int, act_id: int, at_ms: int, status: Status) -> Fact:
    return Fact(
        id=fact_id(kind, act_id),
        kind=kind,
        at_ms=at_ms,
        actor=nym,
        author=status.author,
        object=status.status_id,
        visibility=status.visibility.value,
    )


def relation_fact(kind: str, nym: int, at_id: int) -> Fact:
    """A block or a mute. Its end is no fact: that it was made is what is counted."""
    return Fact(id=fact_id(kind, at_id), kind=kind, at_ms=ms_of(at_id), actor=nym)


# The server -----------------------------------------------------------------------------------------------------------


def media_fact(row: Media, size: int) -> Fact:
    """An upload that is ready; `size` in bytes, as it came."""
    return Fact(id=fact_id("media", row.media_id), kind="media", at_ms=ms_of(row.media_id), amount=size, label=row.kind)


def delivery_fact(status: Status, now_ms: int) -> Fact:
    """A status that is in all home timelines now."""
    return Fact(
        id=fact_id("delivery", status.status_id),
        kind="delivery",
        at_ms=status.created_ms,
        amount=max(0, now_ms - status.created_ms),
    )
