"""Tasks: what the web leaves to the workers, as data. Web and workers meet only here.

Box: model. A task's `key` orders it (equal keys, one after another), its `id` names its effect.
"""

import zlib
from typing import ClassVar

import msgspec

from townsquare.model.facts import Fact

FACTS_AT_ONCE = 500  # so that a message stays small


class Task(msgspec.Struct, frozen=True, tag_field="task", tag=True):
    """Base of all tasks."""

    lane: ClassVar[str]

    def key(self) -> int:
        """What it must stay in order with."""
        raise TypeError("each task says its key")


class FanOutStatus(Task, frozen=True):
    """Put a new status into home timelines and on open streams; leave the notices and the rest to their own tasks."""

    lane: ClassVar[str] = "fan_out"
    status_id: int
    author: int

    def key(self) -> int:
        return self.author


class FanOutChange(Task, frozen=True):
    """Tell open streams and caches that a status was edited (`deleted` False) or is gone."""

    lane: ClassVar[str] = "fan_out"
    status_id: int
    author: int
    deleted: bool
    version: int

    def key(self) -> int:
        return self.author


class ApplyFollow(Task, frozen=True):
    """Bring the followers side, counts, requests, home timeline and notices into line with a `following` row."""

    lane: ClassVar[str] = "graph"
    follower: int
    target: int
    ended_id: int = 0  # `since_id` of a follow that this act ended; 0: none
    ended_ms: int = 0  # when

    def key(self) -> int:
        return self.target


class ApplyBlock(Task, frozen=True):
    """Bring follows and both caches into line with a block or mute row."""

    lane: ClassVar[str] = "graph"
    account_id: int
    target: int

    def key(self) -> int:
        return self.target


class ApplyReaction(Task, frozen=True):
    """Bring a status's reactions, counts and notices into line with an actor's `mine` row. A bookmark is only told to
    the analytics."""

    lane: ClassVar[str] = "counts"
    status_id: int
    actor: int
    kind: str  # favourite, reblog, bookmark
    undone_ref: int = 0  # `ref` and `at_ms` of what this act undid
    undone_ms: int = 0  # 0: nothing

    def key(self) -> int:
        return self.status_id


class CountReply(Task, frozen=True):
    """Count a reply of a thread, or take it out of the count when it is gone."""

    lane: ClassVar[str] = "counts"
    root: int
    status_id: int

    def key(self) -> int:
        return self.root


class CountStatus(Task, frozen=True):
    """Count an author's status (`author_log` row), and set the account's totals."""

    lane: ClassVar[str] = "counts"
    author: int
    status_id: int
    ended: tuple[Fact, ...] = ()  # facts of a version that may stand no longer

    def key(self) -> int:
        return self.author


class CountVote(Task, frozen=True):
    """Count one voter of a poll; `voter` 0: all of them anew."""

    lane: ClassVar[str] = "counts"
    poll_id: int
    voter: int

    def key(self) -> int:
        return self.poll_id


class Notify(Task, frozen=True):
    """Bring the notice that `actor` did something at `at_ms` into line with the act's own row: tell `recipient` if
    it stands (follow, follow_request, favourite, reblog: the row is on and its time is `at_ms`), else take the notice
    back. So the same task is sent when the act is undone, with the time of the act; twice is once."""

    lane: ClassVar[str] = "notify"
    recipient: int
    actor: int
    kind: str  # the API's notification types
    status_id: int  # 0: none
    at_ms: int

    def key(self) -> int:
        return self.recipient


class NotifyMentions(Task, frozen=True):
    """Mentions, replies and conversations of a new status, and those who asked to hear of its author."""

    lane: ClassVar[str] = "notify"
    status_id: int
    author: int

    def key(self) -> int:
        return self.author


class PollEnded(Task, frozen=True):
    """Tell the author and the voters that a poll is over."""

    lane: ClassVar[str] = "notify"
    poll_id: int

    def key(self) -> int:
        return self.poll_id


class ProcessMedia(Task, frozen=True):
    """Turn an upload into what is shown."""

    lane: ClassVar[str] = "media"
    media_id: int

    def key(self) -> int:
        return self.media_id


class ProcessFilm(Task, frozen=True):
    """Turn an uploaded film or sound into what is played."""

    lane: ClassVar[str] = "film"
    media_id: int

    def key(self) -> int:
        return self.media_id


class FetchCard(Task, frozen=True):
    """Fetch what the page behind a status's first link says of itself."""

    lane: ClassVar[str] = "cards"
    status_id: int

    def key(self) -> int:
        return self.status_id


class IndexStatus(Task, frozen=True):
    """Make a status findable, or no longer."""

    lane: ClassVar[str] = "index"
    status_id: int

    def key(self) -> int:
        return self.status_id


class IndexAccount(Task, frozen=True):
    """Make an account findable, or no longer."""

    lane: ClassVar[str] = "index"
    account_id: int

    def key(self) -> int:
        return self.account_id


class IndexAuthor(Task, frozen=True):
    """Index an account's statuses anew, a page at a time, because it changed who may find them."""

    lane: ClassVar[str] = "index"
    account_id: int
    below: int = 0  # the page starts under this status; 0: the newest

    def key(self) -> int:
        return self.account_id


class SendMail(Task, frozen=True):
    """Send one message to a user. Its secret is made when it is sent, so that none lies in a queue.

    `account_id` 0: to whoever has the address `to`, if anybody has; so the asker cannot tell.
    """

    lane: ClassVar[str] = "mail"
    mail_id: int  # names the message, so that it is sent once
    kind: str  # confirm, reset, taken (somebody tried to sign up with this address)
    account_id: int
    to: str

    def key(self) -> int:
        return self.mail_id


class DeleteStatuses(Task, frozen=True):
    """Delete an account's statuses and media, a page at a time, after the account was deleted."""

    lane: ClassVar[str] = "cleanup"
    account_id: int
    below: int = 0  # statuses from here on are done; 0: none yet

    def key(self) -> int:
        return self.account_id


class DeleteMedia(Task, frozen=True):
    """Remove the files of media that no status holds any more."""

    lane: ClassVar[str] = "cleanup"
    media_ids: tuple[int, ...]

    def key(self) -> int:
        return self.media_ids[0]


class DeleteFiles(Task, frozen=True):
    """Delete files of the media store that nothing names any more."""

    lane: ClassVar[str] = "cleanup"
    keys: tuple[str, ...]

    def key(self) -> int:
        return zlib.crc32(self.keys[0].encode())


class PurgeFiles(Task, frozen=True):
    """Have files that were deleted dropped by the CDN."""

    lane: ClassVar[str] = "cdn"
    keys: tuple[str, ...]

    def key(self) -> int:
        return zlib.crc32(self.keys[0].encode())


class RecordFacts(Task, frozen=True):
    """Add facts to the analytics: at most FACTS_AT_ONCE."""

    lane: ClassVar[str] = "facts"
    facts: tuple[Fact, ...]

    def key(self) -> int:
        return self.facts[0].id


class EraseFacts(Task, frozen=True):
    """Forget all facts about an account that is gone."""

    lane: ClassVar[str] = "facts"
    account_id: int

    def key(self) -> int:
        return self.account_id


class ExpireMute(Task, frozen=True):
    """End a mute whose time is over."""

    lane: ClassVar[str] = "graph"
    account_id: int
    target: int

    def key(self) -> int:
        return self.account_id


AnyTask = (
    FanOutStatus
    | FanOutChange
    | ApplyFollow
    | ApplyBlock
    | ApplyReaction
    | CountReply
    | CountStatus
    | CountVote
    | Notify
    | NotifyMentions
    | PollEnded
    | ProcessMedia
    | ProcessFilm
    | FetchCard
    | IndexStatus
    | IndexAccount
    | IndexAuthor
    | SendMail
    | DeleteStatuses
    | DeleteMedia
    | DeleteFiles
    | PurgeFiles
    | RecordFacts
    | EraseFacts
    | ExpireMute
)

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[AnyTask] = msgspec.msgpack.Decoder(AnyTask)


class _Origin(msgspec.Struct):
    """What a task's bytes carry beside the task."""

    request: str = ""


_ORIGIN_DECODER = msgspec.msgpack.Decoder(_Origin)
_SMALL_MAPS = range(0x80, 0x8F)  # MessagePack's first byte of a map with 0 to 14 pairs: one more has room


def encode_task(task: AnyTask, *, request: str = "") -> bytes:
    """A task as bytes for a queue or an outbox row; `request`: the id of the request that it comes from, for logs."""
    data = _ENCODER.encode(task)
    if not request or data[0] not in _SMALL_MAPS:
        return data
    return bytes((data[0] + 1,)) + data[1:] + _ENCODER.encode("request") + _ENCODER.encode(request)


def request_of_task(data: bytes) -> str:
    """The id of the request that these bytes of a task come from; empty where there was none."""
    try:
        return _ORIGIN_DECODER.decode(data).request
    except msgspec.DecodeError:
        return ""


def decode_task(data: bytes) -> AnyTask:
    """The task in these bytes.

    Raises: msgspec.DecodeError, msgspec.ValidationError.
    """
    return _DECODER.decode(data)
