"""Facts: what happened, as numbers for the analytics. KINDS declares the fields, unit, retention and privacy of each.

A fact is added once, however often it is told: its id names the happening. What is undone is not removed: a fact of
value -1 at the same time takes it back. So every number is a sum, and facts may come in any order and any number of
times.

Box: model.
"""

import hashlib
from typing import Literal

import msgspec

DAY_MS = 86_400_000

# Who may be named in a fact. "public": an act that others see, by the account's id. "private": an act that only the
# actor sees, under a pseudonym. "reading": what people look at, under a pseudonym that no two days share. "machine":
# about the server; nobody is named.
Privacy = Literal["public", "private", "reading", "machine"]


class Fact(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One happening. Fields that a kind does not declare stay empty."""

    id: int  # 1 to 2^63 - 1, by `fact_id`
    kind: str
    at_ms: int
    value: int = 1  # how often; -1 takes one back
    actor: int = 0  # account id, or a pseudonym (`Kind.privacy`)
    author: int = 0  # account id of the one whose status or profile it is about
    object: int = 0  # status, account or media id
    amount: int = 0  # in the kind's unit
    visibility: str = ""
    app: str = ""  # the client's name
    language: str = ""  # ISO 639
    label: str = ""  # what the kind says: a tag, a URL, a lane
    cohort: int = 0  # days from 1970 to the day when the actor signed up


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of fact means, and how long it is kept."""

    about: str
    fields: tuple[str, ...]  # beside id, kind, at_ms and value
    privacy: Privacy
    unit: str = ""  # of `amount`
    label: str = ""  # what `label` is
    days: int = 0  # kept so long; 0: always
    rebuilt: bool = False  # the store knows it: it can be made again


_STATUS = ("actor", "object", "visibility", "app", "language")
_REACTION = ("actor", "author", "object", "visibility")

KINDS: dict[str, Kind] = {
    # Engagement: told by the log of acts, so none is lost.
    "post": Kind(about="A status that is no reply and no boost.", fields=_STATUS, privacy="public", rebuilt=True),
    "reply": Kind(
        about="A reply. `object` is the status replied to, `author` who wrote that one.",
        fields=("actor", "author", "object", "visibility", "app", "language", "amount"),
        unit="seconds since the status replied to",
        privacy="public",
        rebuilt=True,
    ),
    "boost": Kind(about="A boost of a status.", fields=_REACTION, privacy="public", rebuilt=True),
    "favourite": Kind(about="A favourite on a status.", fields=_REACTION, privacy="public", rebuilt=True),
    "bookmark": Kind(about="A bookmark on a status.", fields=_REACTION, privacy="private"),
    "vote": Kind(about="A vote in a poll.", fields=_REACTION, privacy="private"),
    "tag": Kind(
        about="A hashtag of a public status.",
        fields=("actor", "object", "language", "label"),
        label="the tag in lower case",
        privacy="public",
        rebuilt=True,
    ),
    "link": Kind(
        about="The previewed link of a public status.",
        fields=("actor", "object", "language", "label"),
        label="the URL",
        privacy="public",
        rebuilt=True,
    ),
    "tag_account": Kind(
        about="An account that used a hashtag in public statuses of a day (UTC).",
        fields=("actor", "label"),
        label="the tag in lower case",
        privacy="public",
        rebuilt=True,
    ),
    "link_account": Kind(
        about="An account that shared a link in public statuses of a day (UTC).",
        fields=("actor", "label"),
        label="the URL",
        privacy="public",
        rebuilt=True,
    ),
    "follow": Kind(
        about="A follow of `author` that stands.", fields=("actor", "author"), privacy="public", rebuilt=True
    ),
    "unfollow": Kind(about="A follow of `author` that ended.", fields=("actor", "author"), privacy="public"),
    "past_follow": Kind(
        about="A follow of `author` that ended since, at the time when it began: with those that stand, all of them.",
        fields=("actor", "author"),
        privacy="public",
    ),
    "block": Kind(about="A block that was made; that it ended is not told.", fields=("actor",), privacy="private"),
    "mute": Kind(about="A mute that was made; that it ended is not told.", fields=("actor",), privacy="private"),
    "report": Kind(
        about="A report to the moderators.", fields=("actor", "label"), label="the category", privacy="private"
    ),
    "moderation": Kind(
        about="An act of a moderator.",
        fields=("amount", "label"),
        label="the act",
        unit="seconds since the report; 0: without one",
        privacy="machine",
    ),
    # People: counted once a period, under a name that only this period has. No two periods can be joined.
    "sign_up": Kind(about="A new account.", fields=("actor", "cohort"), privacy="public", rebuilt=True),
    "log_in": Kind(about="A new session.", fields=("actor", "app"), privacy="private", days=400),
    "active_day": Kind(
        about="An account seen on a day (UTC).", fields=("actor", "label", "cohort"), label="role", privacy="reading"
    ),
    "active_week": Kind(
        about="An account seen in an ISO week.", fields=("actor", "label", "cohort"), label="role", privacy="reading"
    ),
    "active_month": Kind(
        about="An account seen in a month.", fields=("actor", "label", "cohort"), label="role", privacy="reading"
    ),
    "session": Kind(
        about="An account seen on a day with one app.", fields=("actor", "app"), privacy="reading", days=400
    ),
    # Reading: sent in batches, sampled where said (`value` is then the number that one stands for); may be lost.
    "impression": Kind(
        about="A status sent to a reader.",
        fields=("actor", "author", "object", "visibility", "label"),
        label="where: home, public, tag, thread, profile, page",
        privacy="reading",
        days=400,
    ),
    "profile_view": Kind(about="A profile that was opened.", fields=("actor", "author"), privacy="reading", days=400),
    "link_click": Kind(
        about="A link that was followed, of an author who wants to know.",
        fields=("author", "object", "label"),
        label="the URL",
        privacy="reading",
        days=400,
    ),
    "search": Kind(
        about="A search; never its words.",
        fields=("actor", "amount", "label"),
        label="accounts, statuses or hashtags",
        unit="results",
        privacy="reading",
        days=400,
    ),
    # The server itself.
    "media": Kind(
        about="An upload that was made fit to be shown.",
        fields=("amount", "label"),
        label="image, gifv, video or audio",
        unit="bytes",
        privacy="machine",
    ),
    "delivery": Kind(
        about="A status that is in all home timelines.",
        fields=("amount",),
        unit="ms since it was posted",
        privacy="machine",
        days=400,
    ),
    "push": Kind(about="A push message.", fields=("label",), label="sent, gone or failed", privacy="machine", days=400),
    "request": Kind(
        about="Answered requests of a class.",
        fields=("amount", "label"),
        label="class and status family, such as api 2xx",
        unit="ms, the mean",
        privacy="machine",
        days=90,
    ),
    "error": Kind(about="A fault of ours.", fields=("label",), label="web or the lane", privacy="machine", days=400),
    "queue_age": Kind(
        about="How long the oldest message of a lane waits; taken each minute, each ten where none waits.",
        fields=("amount", "label"),
        label="the lane",
        unit="ms",
        privacy="machine",
        days=90,
    ),
    "storage": Kind(
        about="What is stored; taken each hour. The store where it is a file of ours.",
        fields=("amount", "label"),
        label="store or facts",
        unit="bytes",
        privacy="machine",
    ),
}


def fact_id(*parts: object) -> int:
    """The id of what these parts name: the same on each machine and in each year."""
    data = "\x1f".join(str(part) for part in parts).encode()
    return (int.from_bytes(hashlib.blake2b(data, digest_size=8).digest()) >> 1) or 1


def taken_back(fact: Fact) -> Fact:
    """The fact that undoes this one."""
    return msgspec.structs.replace(fact, id=fact_id("taken back", fact.id), value=-fact.value)


def band_of(amount: int) -> int:
    """A band of amounts for distributions: 0 for 0, then four bands to each doubling. Amounts under 0 count as 0."""
    if amount <= 0:
        return 0
    octave = amount.bit_length() - 1
    return 1 + 4 * octave + ((amount << 2 >> octave) & 3)


def band_start(band: int) -> float:
    """The least amount of a band; `band_of` the other way round."""
    if band <= 0:
        return 0.0
    octave, quarter = divmod(band - 1, 4)
    return 2.0**octave * (1 + quarter / 4)
