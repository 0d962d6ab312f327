"""Every table as data. Engines make their schemas from TABLES; the questions stand in the noun's own file.

Box: store. Rules: every write is an upsert with a fixed key; what is counted stands in a table with the same partition
key as the set it counts, so that both change in one atomic step; rows that come and go are switched by `on`.
"""

from typing import Any

import msgspec

from townsquare.model.account import Account, AccountStats, App, Token, User
from townsquare.model.status import Card, Media, Poll, Status
from townsquare.store.port import Table


class _Row(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Base of rows that are nobody's noun."""


# Accounts -------------------------------------------------------------------------------------------------------------


class HandleRow(_Row, frozen=True, kw_only=True):
    """Whose a name is. Written once, by `slow_put_if_absent`; never given again."""

    domain: str  # empty: local
    name: str  # lower case
    account_id: int


class LoginRow(_Row, frozen=True, kw_only=True):
    """Whose an e-mail address is, under a hash of its canonical form."""

    email_hash: bytes
    account_id: int


class AccountTokenRow(_Row, frozen=True, kw_only=True):
    """A user's token, to find them all."""

    account_id: int
    token_hash: bytes


class CodeRow(_Row, frozen=True, kw_only=True):
    """An OAuth authorization code, under its hash; `token_hash` is set when it is used, once."""

    code_hash: bytes
    client_id: str
    redirect_uri: str
    account_id: int
    scopes: tuple[str, ...]
    challenge: str = ""  # PKCE S256
    created_ms: int
    token_hash: bytes = b""


class SecretRow(_Row, frozen=True, kw_only=True):
    """A link sent to somebody: confirm an address, choose a new password, become the owner. Used once."""

    secret_hash: bytes
    kind: str
    account_id: int
    email: str = ""  # the address it was sent to; the only one that it confirms
    used: bool = False
    created_ms: int = 0


class SettingRow(_Row, frozen=True, kw_only=True):
    """A value of the whole server: keys it made for itself, totals it counted."""

    name: str
    value: bytes


class TrendReviewRow(_Row, frozen=True, kw_only=True):
    """What the staff said of a trend."""

    noun: str  # tags, links, statuses
    key: str  # the tag in lower case, the URL, the status's id
    approved: bool
    by: int
    at_ms: int


class MarkerRow(_Row, frozen=True, kw_only=True):
    """How far a user has read a timeline."""

    account_id: int
    timeline: str
    last_read_id: int
    version: int
    updated_ms: int


# Statuses -------------------------------------------------------------------------------------------------------------


class EditRow(_Row, frozen=True, kw_only=True):
    """What a status was before or after an edit. Version 0 is the first text."""

    status_id: int
    version: int
    text: str
    spoiler_text: str
    sensitive: bool
    media: tuple[int, ...] = ()
    descriptions: tuple[str, ...] = ()  # of the media, as they were
    poll: Poll | None = None
    at_ms: int


class LogRow(_Row, frozen=True, kw_only=True):
    """An author's status. Writing this row commits the post. `counted`: the total holds it."""

    author: int
    month: int
    status_id: int
    visibility: str
    reply_to: int = 0
    reply_to_author: int = 0
    boost_of: int = 0
    media: bool = False
    tags: tuple[str, ...] = ()
    on: bool = True
    counted: bool = False
    link: str = ""  # the first one, as posted; of a public status


class LogCountRow(_Row, frozen=True, kw_only=True):
    """How many of a month's statuses are counted."""

    author: int
    month: int
    n: int


class MonthRow(_Row, frozen=True, kw_only=True):
    """A month in which an author posted."""

    author: int
    month: int


class PinRow(_Row, frozen=True, kw_only=True):
    """A status pinned to its author's profile."""

    author: int
    status_id: int
    on: bool
    at_ms: int


class ThreadRow(_Row, frozen=True, kw_only=True):
    """A reply of a thread (the root is not among them)."""

    root: int
    status_id: int
    parent: int
    author: int
    visibility: str
    on: bool = True
    counted: bool = False


class ReplyCountRow(_Row, frozen=True, kw_only=True):
    """How many direct replies a status of this thread has."""

    root: int
    parent: int
    n: int


class MineRow(_Row, frozen=True, kw_only=True):
    """What an account did with a status: favourite, reblog, bookmark, mute, vote. This row is the truth of it."""

    account_id: int
    month: int  # of the status
    status_id: int
    kind: str
    on: bool
    ref: int  # the boost's id, or the id of the mark in `marks`
    at_ms: int


class MarkRow(_Row, frozen=True, kw_only=True):
    """An account's favourites or bookmarks, in the order in which they were made."""

    account_id: int
    kind: str
    year: int  # of the mark
    mark_id: int
    status_id: int


class ReactionRow(_Row, frozen=True, kw_only=True):
    """Who favourited or boosted a status. `counted`: the total holds it."""

    status_id: int
    bucket: int
    kind: str
    account_id: int
    on: bool
    ref: int
    at_ms: int
    counted: bool


class ReactionCountRow(_Row, frozen=True, kw_only=True):
    """How many reactions of one kind in a bucket are counted."""

    status_id: int
    bucket: int
    kind: str
    n: int


class VoteRow(_Row, frozen=True, kw_only=True):
    """What an account chose in a poll. `counted`: the totals hold it."""

    poll_id: int
    voter: int
    choices: tuple[int, ...]
    counted: bool = False
    vote_id: int = 0  # with its time; 0: of a version that gave none


class VoteCountRow(_Row, frozen=True, kw_only=True):
    """Totals of a poll."""

    poll_id: int
    votes: tuple[int, ...]  # by option
    voters: int


class TagRow(_Row, frozen=True, kw_only=True):
    """A hashtag that was used, under the number it has in the index."""

    tag_id: int
    name: str  # lower case
    shown: str  # as first typed


class TimelineRow(_Row, frozen=True, kw_only=True):
    """A status in a timeline that all share: `local` or `#tag` (lower case), cut by month or day."""

    timeline: str
    period: int  # tags: month; local: day
    shard: int
    status_id: int
    author: int
    media: bool = False


# Graph ----------------------------------------------------------------------------------------------------------------


class FollowingRow(_Row, frozen=True, kw_only=True):
    """Whom an account follows, or asks to. This row is the truth of a follow."""

    account_id: int
    target: int
    state: str  # on, requested, off
    since_id: int  # orders lists; new with each follow
    reblogs: bool = True
    notify: bool = False
    languages: tuple[str, ...] = ()
    bucket: int = 0  # of `followers`


class FollowingCountRow(_Row, frozen=True, kw_only=True):
    """How many an account follows."""

    account_id: int
    n: int


class FollowerRow(_Row, frozen=True, kw_only=True):
    """Who follows an account. `counted`: the totals hold it."""

    account_id: int
    bucket: int
    follower: int
    on: bool
    since_id: int
    reblogs: bool = True
    notify: bool = False
    languages: tuple[str, ...] = ()
    counted: bool = False


class FollowerCountRow(_Row, frozen=True, kw_only=True):
    """How many of a bucket's followers are counted."""

    account_id: int
    bucket: int
    n: int


class FollowerDirectoryRow(_Row, frozen=True, kw_only=True):
    """Which bucket takes new followers of an account."""

    account_id: int
    open_bucket: int


class RelationRow(_Row, frozen=True, kw_only=True):
    """block, blocked_by, mute, request (somebody asks to follow me), notify (somebody wants a notice of each of my
    statuses), note, let_in (its notices come whatever the policy says): towards one other account."""

    account_id: int
    kind: str
    other: int
    on: bool
    at_id: int  # orders lists
    expires_ms: int = 0  # 0: never
    notifications: bool = True  # mute: also its notices
    comment: str = ""  # note

    def is_over(self, now_ms: int) -> bool:
        """Whether its time has run out."""
        return 0 < self.expires_ms <= now_ms


# Notices --------------------------------------------------------------------------------------------------------------


class NotificationRow(_Row, frozen=True, kw_only=True):
    """Something an account should know. The id is made from what happened, so that a repeat is the same row."""

    account_id: int
    month: int
    notification_id: int
    kind: str
    actor: int
    status_id: int = 0
    on: bool = True
    filtered: bool = False  # held back by the account's policy, until it is let in


class NotificationPolicyRow(_Row, frozen=True, kw_only=True):
    """What an account does with notices of whom: accept, filter (hold back), drop."""

    account_id: int
    not_following: str = "accept"
    not_followers: str = "accept"
    new_accounts: str = "accept"
    private_mentions: str = "accept"
    limited_accounts: str = "accept"


class ConversationRow(_Row, frozen=True, kw_only=True):
    """Direct statuses among some accounts, as one of them sees it."""

    account_id: int
    conversation_id: int  # the thread's root
    last_status: int
    others: tuple[int, ...]
    unread: bool
    on: bool = True


# Work -----------------------------------------------------------------------------------------------------------------


class IdempotencyRow(_Row, frozen=True, kw_only=True):
    """The status that an Idempotency-Key of an account stands for."""

    account_id: int
    key_hash: bytes
    status_id: int


class OutboxRow(_Row, frozen=True, kw_only=True):
    """Tasks of one act that must reach the queue, written before or with the act's commit point.

    Deleted once the queue has them; the relay gives the queue what is there for longer. A task that finds that its act
    was never committed does nothing, since every task works from the rows.
    """

    shard: int  # 0 to 15, from the id
    tick: int  # 10 s of the id
    event_id: int
    tasks: tuple[bytes, ...]


class CursorRow(_Row, frozen=True, kw_only=True):
    """How far a reader has come: the relay, a rebuild."""

    name: str
    position: int


class LeaseRow(_Row, frozen=True, kw_only=True):
    """Who holds a role of which there is one."""

    name: str
    owner: str
    until_ms: int


class FactKeyRow(_Row, frozen=True, kw_only=True):
    """The random key that a period's pseudonyms are made with; gone when the period is over."""

    name: str  # the period
    key: bytes


class TimerRow(_Row, frozen=True, kw_only=True):
    """A task for a later time."""

    shard: int
    minute: int  # due, Unix minutes
    due_ms: int
    timer_id: int
    task: bytes


_DAY = 86_400

ACCOUNTS = Table(name="accounts", row=Account, partition=("account_id",), about="Anyone, as others may know them.")
USERS = Table(name="users", row=User, partition=("account_id",), about="A local log-in and its defaults.")
ACCOUNT_STATS = Table(
    name="account_stats", row=AccountStats, partition=("account_id",), about="Totals shown on a profile."
)
HANDLES = Table(name="handles", row=HandleRow, partition=("domain", "name"), about="Account of a name.")
LOGINS = Table(name="logins", row=LoginRow, partition=("email_hash",), about="Account of an e-mail address.")
APPS = Table(name="apps", row=App, partition=("client_id",), about="Registered client programs.")
TOKENS = Table(name="tokens", row=Token, partition=("token_hash",), about="Access tokens and sessions.")
ACCOUNT_TOKENS = Table(
    name="account_tokens",
    row=AccountTokenRow,
    partition=("account_id",),
    clustering=("token_hash",),
    about="All tokens of a user, to end them.",
)
CODES = Table(name="codes", row=CodeRow, partition=("code_hash",), ttl_s=_DAY, about="OAuth codes, good once.")
SECRETS = Table(name="secrets", row=SecretRow, partition=("secret_hash",), ttl_s=7 * _DAY, about="Links sent by mail.")
SETTINGS = Table(name="settings", row=SettingRow, partition=("name",), about="Values of the whole server.")
TREND_REVIEWS = Table(
    name="trend_reviews", row=TrendReviewRow, partition=("noun", "key"), about="What the staff said of trends."
)
MARKERS = Table(
    name="markers", row=MarkerRow, partition=("account_id",), clustering=("timeline",), about="Read positions."
)

STATUSES = Table(name="statuses", row=Status, partition=("status_id",), about="A status by id.")
STATUS_EDITS = Table(
    name="status_edits", row=EditRow, partition=("status_id",), clustering=("version",), about="Versions of a status."
)
AUTHOR_LOG = Table(
    name="author_log",
    row=LogRow,
    partition=("author", "month"),
    clustering=("status_id",),
    newest_first=True,
    about="A profile's statuses; the commit point of a post; what home timelines are made again from.",
)
AUTHOR_LOG_COUNTS = Table(
    name="author_log_counts", row=LogCountRow, partition=("author", "month"), about="Counted statuses of a month."
)
AUTHOR_MONTHS = Table(
    name="author_months",
    row=MonthRow,
    partition=("author",),
    clustering=("month",),
    newest_first=True,
    about="Months of `author_log` that exist.",
)
PINS = Table(name="pins", row=PinRow, partition=("author",), clustering=("status_id",), about="Pinned statuses.")
THREADS = Table(
    name="threads", row=ThreadRow, partition=("root",), clustering=("status_id",), about="Replies of a thread."
)
REPLY_COUNTS = Table(
    name="reply_counts", row=ReplyCountRow, partition=("root",), clustering=("parent",), about="Direct replies."
)
MINE = Table(
    name="mine",
    row=MineRow,
    partition=("account_id", "month"),
    clustering=("status_id", "kind"),
    about="Flags of an account on statuses of a month.",
)
MARKS = Table(
    name="marks",
    row=MarkRow,
    partition=("account_id", "kind", "year"),
    clustering=("mark_id",),
    newest_first=True,
    about="Favourites and bookmarks in order.",
)
REACTIONS = Table(
    name="reactions",
    row=ReactionRow,
    partition=("status_id", "bucket"),
    clustering=("kind", "account_id"),
    about="Who favourited or boosted.",
)
REACTION_COUNTS = Table(
    name="reaction_counts",
    row=ReactionCountRow,
    partition=("status_id", "bucket"),
    clustering=("kind",),
    about="How many favourited or boosted.",
)
POLL_VOTES = Table(
    name="poll_votes", row=VoteRow, partition=("poll_id",), clustering=("voter",), about="Votes of a poll."
)
POLL_COUNTS = Table(name="poll_counts", row=VoteCountRow, partition=("poll_id",), about="Totals of a poll.")
TIMELINES = Table(
    name="timelines",
    row=TimelineRow,
    partition=("timeline", "period", "shard"),
    clustering=("status_id",),
    newest_first=True,
    about="Local and hashtag timelines.",
)
TAGS = Table(name="tags", row=TagRow, partition=("tag_id",), about="Hashtags, to name what a search found.")
MEDIA = Table(name="media", row=Media, partition=("media_id",), about="Uploaded files.")
CARDS = Table(name="cards", row=Card, partition=("url_hash",), about="Preview cards of links.")

FOLLOWING = Table(
    name="following", row=FollowingRow, partition=("account_id",), clustering=("target",), about="Whom I follow."
)
FOLLOWING_COUNTS = Table(
    name="following_counts", row=FollowingCountRow, partition=("account_id",), about="How many I follow."
)
FOLLOWERS = Table(
    name="followers",
    row=FollowerRow,
    partition=("account_id", "bucket"),
    clustering=("follower",),
    about="Who follows me: what the fan-out reads.",
)
FOLLOWER_COUNTS = Table(
    name="follower_counts", row=FollowerCountRow, partition=("account_id", "bucket"), about="Counted followers."
)
FOLLOWER_DIRECTORY = Table(
    name="follower_directory", row=FollowerDirectoryRow, partition=("account_id",), about="The open bucket."
)
RELATIONS = Table(
    name="relations",
    row=RelationRow,
    partition=("account_id", "kind"),
    clustering=("other",),
    about="Blocks, mutes, requests, notes.",
)

NOTIFICATIONS = Table(
    name="notifications",
    row=NotificationRow,
    partition=("account_id", "month"),
    clustering=("notification_id",),
    newest_first=True,
    about="Notices of an account.",
)
NOTIFICATION_POLICIES = Table(
    name="notification_policies",
    row=NotificationPolicyRow,
    partition=("account_id",),
    about="Whose notices an account holds back.",
)
CONVERSATIONS = Table(
    name="conversations",
    row=ConversationRow,
    partition=("account_id",),
    clustering=("conversation_id",),
    about="Direct conversations of an account.",
)

IDEMPOTENCY = Table(
    name="idempotency",
    row=IdempotencyRow,
    partition=("account_id", "key_hash"),
    ttl_s=_DAY,
    about="What an Idempotency-Key was used for.",
)
OUTBOX = Table(
    name="outbox",
    row=OutboxRow,
    partition=("shard", "tick"),
    clustering=("event_id",),
    ttl_s=2 * _DAY,
    written_once=True,
    about="Tasks on their way to the queue.",
)
CURSORS = Table(name="cursors", row=CursorRow, partition=("name",), about="Read positions of our own readers.")
LEASES = Table(name="leases", row=LeaseRow, partition=("name",), about="Roles of which there is one.")
TIMERS = Table(
    name="timers",
    row=TimerRow,
    partition=("shard", "minute"),
    clustering=("due_ms", "timer_id"),
    about="Tasks for later.",
)
FACT_KEYS = Table(
    name="fact_keys",
    row=FactKeyRow,
    partition=("name",),
    ttl_s=40 * _DAY,
    about="Keys of the pseudonyms of a day, a week, a month; deleted when it is over.",
)

TABLES: tuple[Table[Any], ...] = (
    ACCOUNTS, USERS, ACCOUNT_STATS, HANDLES, LOGINS, APPS, TOKENS, ACCOUNT_TOKENS, CODES, SECRETS, SETTINGS,
    TREND_REVIEWS, MARKERS,
    STATUSES, STATUS_EDITS, AUTHOR_LOG, AUTHOR_LOG_COUNTS, AUTHOR_MONTHS, PINS, THREADS, REPLY_COUNTS, MINE, MARKS,
    REACTIONS, REACTION_COUNTS, POLL_VOTES, POLL_COUNTS, TIMELINES, TAGS, MEDIA, CARDS,
    FOLLOWING, FOLLOWING_COUNTS, FOLLOWERS, FOLLOWER_COUNTS, FOLLOWER_DIRECTORY, RELATIONS,
    NOTIFICATIONS, NOTIFICATION_POLICIES, CONVERSATIONS, IDEMPOTENCY, OUTBOX, CURSORS, LEASES, TIMERS, FACT_KEYS,
)  # fmt: skip
