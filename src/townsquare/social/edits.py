"""Edits: change a status, see its versions and its source.

Box: social. Source: Mastodon API, /methods/statuses/#edit, #history, #source
"""

import msgspec

from townsquare.model.account import Account, User
from townsquare.model.errors import Invalid
from townsquare.model.facts import Fact
from townsquare.model.status import Media, Poll, Status
from townsquare.model.tasks import CountStatus, DeleteMedia, FanOutChange, FetchCard, IndexStatus, NotifyMentions
from townsquare.social import attachments
from townsquare.social.drafts import (
    MAX_MEDIA,
    PollDraft,
    check_language,
    check_poll,
    check_words,
    resolve_mentions,
)
from townsquare.social.facts import status_facts
from townsquare.social.hydrate import drop_totals, visible
from townsquare.social.media import check_description
from townsquare.social.ports import Ports
from townsquare.social.statuses import MEDIA_KEPT_MS, own_status, poll_timers, replace
from townsquare.social.timers import timer
from townsquare.social.viewer import Viewer
from townsquare.store.port import Put
from townsquare.store.statuses import timeline_rows
from townsquare.store.tables import MEDIA, POLL_COUNTS, POLL_VOTES, STATUS_EDITS, TIMELINES, EditRow

MAX_EDITS = 1000  # shown


class MediaChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one attachment."""

    media_id: int
    description: str | None = None
    focus: tuple[float, float] | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A status as it shall be; None leaves a part as it is."""

    text: str | None = None
    spoiler_text: str | None = None
    sensitive: bool | None = None
    language: str = ""
    media: tuple[int, ...] | None = None
    media_changes: tuple[MediaChange, ...] = ()
    poll: PollDraft | None = None


async def edit(ports: Ports, *, author: Account, user: User, status_id: int, change: Change) -> None:
    """Change a status; what it was stays in its history. Where nothing changes, nothing is kept.

    Raises: NotFound, Invalid, Conflict.
    """
    old = await own_status(ports, author=author, status_id=status_id)
    if old.boost_of:
        raise Invalid("Validation failed: A boost cannot be edited")
    media = old.media if change.media is None else change.media
    if len(media) > MAX_MEDIA:
        raise Invalid("Validation failed: Cannot attach more than 4 files")
    words = check_words(
        old.text if change.text is None else change.text,
        old.spoiler_text if change.spoiler_text is None else change.spoiler_text,
        attached=bool(media),
    )
    new = msgspec.structs.replace(
        old,
        text=words.text,
        spoiler_text=words.spoiler_text,
        sensitive=(old.sensitive if change.sensitive is None else change.sensitive) or bool(words.spoiler_text),
        language=check_language(change.language, user) if change.language else old.language,
        media=media,
        mentions=await resolve_mentions(ports, words.handles),
        tags=words.tags,
        poll=_poll(ports, old, change, media),
        card=words.link,
    )
    before = await ports.store.get_many(MEDIA, [(each,) for each in old.media])
    said = await _describe(ports, author, media, change.media_changes)
    ended = tuple(status_facts(old))
    if new != old or said:
        at_ms = max(ports.clock.now_ms(), (old.edited_ms or old.created_ms) + 1)
        await attachments.claim(ports, author.account_id, media, status_id=status_id)
        kept = _version(old, [row for row in before if row is not None])
        # Before the change and, below, after it: a crash between the two loses no task, and one that comes too soon
        # finds that the old facts still stand.
        await ports.outbox.commit(
            [Put(STATUS_EDITS, kept), *(Put(TIMELINES, row) for row in timeline_rows(new))],
            tasks=[CountStatus(new.author, status_id, ended=ended)],
        )
        new = msgspec.structs.replace(new, edited_ms=at_ms, version=old.version + 1)
        await replace(ports, old, new)
        await _let_go(ports, status_id, tuple(each for each in old.media if each not in media))
        if new.poll != old.poll:
            await _new_poll(ports, new)
    await _tell(ports, new, (*ended, *status_facts(new)))


async def _let_go(ports: Ports, status_id: int, media: tuple[int, ...]) -> None:
    """Media that the status no longer holds can be used anew for a day."""
    if media:
        due_ms = ports.clock.now_ms() + MEDIA_KEPT_MS
        await ports.store.write([timer(ports, DeleteMedia(media), due_ms=due_ms)])
        await attachments.release(ports, media, status_id=status_id)


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A status and its media as they were from a time on."""

    status: Status
    media: list[Media]
    at_ms: int


async def history(ports: Ports, status_id: int, viewer: Viewer) -> list[Version]:
    """The versions of a status, the present one last.

    Raises: NotFound.
    """
    view = await visible(ports, status_id, viewer)
    status = (view.reblog or view).status
    rows = await ports.store.range(STATUS_EDITS, (status.status_id,), limit=MAX_EDITS)
    rows = [row for row in rows if row.version < status.version]
    media = {each for row in rows for each in row.media} | set(status.media)
    found = await ports.store.get_many(MEDIA, [(each,) for each in media]) if media else []
    by_id = {row.media_id: row for row in found if row is not None}
    rows.append(_version(status, [by_id[each] for each in status.media if each in by_id]))
    return [_as_it_was(status, row, by_id) for row in rows]


def _as_it_was(status: Status, row: EditRow, media: dict[int, Media]) -> Version:
    then = msgspec.structs.replace(
        status, text=row.text, spoiler_text=row.spoiler_text, sensitive=row.sensitive, media=row.media, poll=row.poll
    )
    shown = [
        msgspec.structs.replace(media[each], description=said)
        for each, said in zip(row.media, row.descriptions, strict=False)
        if each in media
    ]
    return Version(status=then, media=shown, at_ms=row.at_ms)


def _version(status: Status, media: list[Media]) -> EditRow:
    return EditRow(
        status_id=status.status_id,
        version=status.version,
        text=status.text,
        spoiler_text=status.spoiler_text,
        sensitive=status.sensitive,
        media=status.media,
        descriptions=tuple(row.description for row in media),
        poll=status.poll,
        at_ms=status.edited_ms or status.created_ms,
    )


def _poll(ports: Ports, old: Status, change: Change, media: tuple[int, ...]) -> Poll | None:
    """The poll as it shall be: the old one, where its options stay, with its time."""
    if change.poll is None:
        return old.poll
    if media:
        raise Invalid("Validation failed: Cannot attach more than 4 files")
    poll = check_poll(change.poll, ports.clock.now_ms())
    if old.poll is not None and (poll.options, poll.multiple) == (old.poll.options, old.poll.multiple):
        return msgspec.structs.replace(old.poll, hide_totals=poll.hide_totals)
    return poll


async def _new_poll(ports: Ports, status: Status) -> None:
    """Other options: the votes were for something else."""
    await ports.store.drop(POLL_VOTES, (status.status_id,))
    await ports.store.drop(POLL_COUNTS, (status.status_id,))
    if status.poll is not None and status.poll.expires_ms is not None:
        await ports.store.write(poll_timers(ports, status.status_id, status.poll.expires_ms))
    await drop_totals(ports, [status.status_id])


async def _describe(ports: Ports, author: Account, media: tuple[int, ...], changes: tuple[MediaChange, ...]) -> bool:
    """Change what is said of attachments; whether anything was."""
    wanted = {change.media_id: change for change in changes if change.media_id in media}
    said = False
    for row in await ports.store.get_many(MEDIA, [(each,) for each in wanted]) if wanted else []:
        if row is None or row.account_id != author.account_id:
            continue
        change = wanted[row.media_id]
        description = row.description if change.description is None else change.description
        check_description(description)
        focus = change.focus or row.focus
        if (description, focus) != (row.description, row.focus):
            await attachments.describe(ports, row, description=description, focus=focus)
            said = True
    return said


async def _tell(ports: Ports, status: Status, facts: tuple[Fact, ...]) -> None:
    """The workers bring streams, index, card and notices into line. On a repeat too, so that a crash loses nothing."""
    card = [FetchCard(status.status_id)] if status.card else []
    await ports.outbox.commit(
        tasks=[
            FanOutChange(status.status_id, status.author, deleted=False, version=status.version),
            IndexStatus(status.status_id),
            NotifyMentions(status.status_id, status.author),
            CountStatus(status.author, status.status_id, ended=facts),
            *card,
        ]
    )
