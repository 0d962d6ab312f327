"""Statuses: post, delete, pin, mute their conversation.

Box: social. Source: Mastodon API, /methods/statuses/
Writing the author's log row commits a post; a tombstone in `statuses` commits its deletion.
"""

import contextlib
from functools import partial

import msgspec
import numpy as np

from townsquare.feeds.port import Reason
from townsquare.kit.snowflake import month_of
from townsquare.model.account import Account, User, Visibility
from townsquare.model.errors import Conflict, Invalid, NotFound, Unavailable
from townsquare.model.status import Status
from townsquare.model.tasks import (
    AnyTask,
    CountReply,
    CountStatus,
    CountVote,
    DeleteMedia,
    FanOutChange,
    FanOutStatus,
    FetchCard,
    IndexStatus,
    NotifyMentions,
    PollEnded,
)
from townsquare.social import attachments
from townsquare.social.drafts import (
    MAX_KEY_LENGTH,
    MAX_MEDIA,
    QUOTE_POLICIES,
    Draft,
    Words,
    check_language,
    check_poll,
    check_quote_policy,
    check_visibility,
    check_words,
    resolve_mentions,
)
from townsquare.social.facts import status_facts
from townsquare.social.hydrate import drop_flags, drop_statuses, drop_totals, visible, visible_status
from townsquare.social.marks import end_reblog
from townsquare.social.ports import Ports
from townsquare.social.timers import timer
from townsquare.social.viewer import viewer_of
from townsquare.store.port import Put, Write
from townsquare.store.reactions import mine
from townsquare.store.standing import stand
from townsquare.store.statuses import claim_key, created_us, get_statuses, log_rows, making
from townsquare.store.tables import MINE, PINS, STATUSES, MineRow, PinRow

MAX_PINS = 5
MEDIA_KEPT_MS = 24 * 3600 * 1000  # of a deleted status, for who writes it anew


# Posting --------------------------------------------------------------------------------------------------------------


async def post(ports: Ports, *, author: Account, user: User, draft: Draft) -> int:
    """Post a status; its id. The same key again gives the same status.

    Raises: Invalid; NotFound where it answers a status that the author may not see.
    """
    if len(draft.media) > MAX_MEDIA or (draft.media and draft.poll):
        raise Invalid("Validation failed: Cannot attach more than 4 files")
    words = check_words(draft.text, draft.spoiler_text, attached=bool(draft.media))
    parent = await _parent(ports, author, draft.reply_to)
    visibility = check_visibility(draft.visibility, author, user, parent.visibility if parent else None)
    quote_policy = check_quote_policy(draft.quote_policy, user, visibility)
    poll = check_poll(draft.poll, ports.clock.now_ms()) if draft.poll else None
    mentions = await resolve_mentions(ports, words.handles)

    status_id, is_new = await _claim(ports, author, draft.key)
    if not is_new and (await log_rows(ports.store, [(author.account_id, status_id)]))[0] is not None:
        return status_id
    await attachments.claim(ports, author.account_id, draft.media, status_id=status_id)
    status = Status(
        status_id=status_id,
        author=author.account_id,
        text=words.text,
        spoiler_text=words.spoiler_text,
        visibility=visibility,
        sensitive=_is_sensitive(draft.sensitive, user, words),
        language=check_language(draft.language, user),
        reply_to=parent.status_id if parent else 0,
        reply_to_author=parent.author if parent else 0,
        root=(parent.root or parent.status_id) if parent else status_id,
        media=draft.media,
        mentions=mentions,
        tags=words.tags,
        poll=poll,
        card=words.link,
        app_name=draft.app_name,
        app_website=draft.app_website,
        quote_policy=quote_policy,
    )
    await commit(ports, status)
    return status_id


async def commit(ports: Ports, status: Status, *also: AnyTask) -> None:
    """Make a status, and show it to its author at once; `also`: further tasks. A repeat changes nothing."""
    before, last = making(status)
    tasks: list[AnyTask] = [
        *also,
        FanOutStatus(status.status_id, status.author),
        CountStatus(status.author, status.status_id),
    ]
    if not status.boost_of:
        tasks += (NotifyMentions(status.status_id, status.author), IndexStatus(status.status_id))
    if status.reply_to:
        tasks.append(CountReply(status.root, status.status_id))
    if status.card:
        tasks.append(FetchCard(status.status_id))
    if status.poll is not None and status.poll.expires_ms is not None:
        before += poll_timers(ports, status.status_id, status.poll.expires_ms)
    await ports.outbox.commit(before, last, tasks=tasks, at=created_us(status.status_id))
    with contextlib.suppress(Unavailable):  # the fan-out does it too, so it only comes later
        await ports.feeds.push(np.array([status.author], np.int64), status.status_id, Reason.SELF)


def poll_timers(ports: Ports, status_id: int, due_ms: int) -> list[Write]:
    """At the poll's end: count whatever vote was not counted, tell those concerned."""
    return [timer(ports, task, due_ms=due_ms) for task in (CountVote(status_id, 0), PollEnded(status_id))]


async def _parent(ports: Ports, author: Account, reply_to: int | None) -> Status | None:
    if reply_to is None:
        return None
    try:
        view = await visible(ports, reply_to, await viewer_of(ports, author.account_id))
    except NotFound as exc:
        raise NotFound("The post you are trying to reply to does not appear to exist.") from exc
    return (view.reblog or view).status


async def _claim(ports: Ports, author: Account, key: str) -> tuple[int, bool]:
    status_id = ports.new_id()
    if not key:
        return status_id, True
    if len(key) > MAX_KEY_LENGTH:
        raise Invalid(f"Validation failed: Idempotency-Key is longer than {MAX_KEY_LENGTH} characters")
    claimed = await claim_key(ports.store, author.account_id, key, status_id)
    return claimed, claimed == status_id


def _is_sensitive(asked: bool | None, user: User, words: Words) -> bool:
    return (user.sensitive if asked is None else asked) or bool(words.spoiler_text)


# Own statuses ---------------------------------------------------------------------------------------------------------


async def own_status(ports: Ports, *, author: Account, status_id: int) -> Status:
    """A status of the author's own.

    Raises: NotFound.
    """
    (status,) = await get_statuses(ports.store, [status_id])
    if status is None or status.deleted or status.author != author.account_id:
        raise NotFound
    return status


async def delete(ports: Ports, *, author: Account, status_id: int, delete_media: bool) -> Status:
    """Delete a status, everywhere at once; what it was. Its media can be used anew for a day unless `delete_media`.

    Raises: NotFound.
    """
    status = await own_status(ports, author=author, status_id=status_id)
    await remove(ports, status, delete_media=delete_media)
    if status.boost_of:
        row = await mine(ports.store, author.account_id, status.boost_of, "reblog")
        if row is not None and row.on and row.ref == status_id:
            await end_reblog(ports, row)
    return status


async def remove(ports: Ports, status: Status, *, delete_media: bool) -> None:
    """Leave a tombstone of the status; the workers bring counts, streams and the index into line."""
    tasks: list[AnyTask] = [
        FanOutChange(status.status_id, status.author, deleted=True, version=status.version + 1),
        CountStatus(status.author, status.status_id, ended=tuple(status_facts(status))),
    ]
    if not status.boost_of:
        tasks.append(IndexStatus(status.status_id))
    if status.reply_to:
        tasks.append(CountReply(status.root, status.status_id))
    before: list[Write] = []
    if status.media and delete_media:
        tasks.append(DeleteMedia(status.media))
    elif status.media:
        before.append(timer(ports, DeleteMedia(status.media), due_ms=ports.clock.now_ms() + MEDIA_KEPT_MS))
    gone = tombstone(status)
    settle = partial(stand, ports.store, STATUSES, gone)  # over an edit that is under way
    await ports.outbox.commit(before, [Put(STATUSES, gone)], tasks=tasks, settle=settle)
    if status.media and not delete_media:
        await attachments.release(ports, status.media, status_id=status.status_id)
    await drop_statuses(ports, [status.status_id])
    if status.reply_to:
        await drop_totals(ports, [status.reply_to])


def tombstone(status: Status) -> Status:
    """What is left of a deleted status: enough to take it out of the counts."""
    return Status(
        status_id=status.status_id,
        author=status.author,
        root=status.root,
        reply_to=status.reply_to,
        boost_of=status.boost_of,
        visibility=status.visibility,
        deleted=True,
        version=status.version + 1,
    )


async def set_quote_policy(ports: Ports, *, author: Account, status_id: int, policy: str) -> None:
    """Say who may quote a status.

    Raises: NotFound, Invalid.
    """
    if policy not in QUOTE_POLICIES:
        raise Invalid("Validation failed: Quote approval policy is not included in the list")
    status = await own_status(ports, author=author, status_id=status_id)
    if status.visibility in (Visibility.PRIVATE, Visibility.DIRECT):
        policy = "nobody"
    await replace(ports, status, msgspec.structs.replace(status, quote_policy=policy))


async def replace(ports: Ports, old: Status, new: Status) -> None:
    """Put a changed status in the place of the one that was read. So that no change brings back what was deleted
    meanwhile, nothing happens if it is no longer as it was read.

    Raises: Conflict, and a repeat is right; NotFound if it was deleted.
    """
    if not await ports.store.slow_compare_and_set(STATUSES, old, new):
        (there,) = await get_statuses(ports.store, [old.status_id])
        if there is None or there.deleted:
            raise NotFound
        raise Conflict("The post was changed at the same time. Try again.")
    await drop_statuses(ports, [old.status_id])


async def pin(ports: Ports, *, author: Account, status_id: int) -> None:
    """Pin a status to the author's profile; a repeat changes nothing.

    Raises: NotFound; Invalid for another's, a boost, a direct one, one too many.
    """
    status = await visible_status(ports, status_id, await viewer_of(ports, author.account_id))
    if status.author != author.account_id:
        raise Invalid("Validation failed: Someone else's post cannot be pinned")
    if status.boost_of:
        raise Invalid("Validation failed: A boost cannot be pinned")
    if status.visibility is Visibility.DIRECT:
        raise Invalid("Validation failed: Posts that are only visible to mentioned users cannot be pinned")
    pinned = await pinned_ids(ports, author.account_id)
    if status_id in pinned:
        return
    if len(pinned) >= MAX_PINS:
        raise Invalid("Validation failed: You have already pinned the maximum number of posts")
    await _set_pin(ports, author.account_id, status_id, on=True)


async def unpin(ports: Ports, *, author: Account, status_id: int) -> None:
    """Take a status off the profile; a repeat changes nothing.

    Raises: NotFound.
    """
    await visible_status(ports, status_id, await viewer_of(ports, author.account_id))
    if status_id in await pinned_ids(ports, author.account_id):
        await _set_pin(ports, author.account_id, status_id, on=False)


async def pinned_ids(ports: Ports, account_id: int) -> list[int]:
    """Statuses pinned to a profile, the last pinned first; deleted ones are not among them."""
    rows = [row for row in await ports.store.range(PINS, (account_id,), limit=1000) if row.on]
    rows.sort(key=lambda row: row.at_ms, reverse=True)
    statuses = await get_statuses(ports.store, [row.status_id for row in rows]) if rows else []
    return [row.status_id for row, status in zip(rows, statuses, strict=True) if status and not status.deleted]


async def _set_pin(ports: Ports, account_id: int, status_id: int, *, on: bool) -> None:
    now = ports.clock.now_ms()
    await ports.store.write(
        [
            Put(PINS, PinRow(author=account_id, status_id=status_id, on=on, at_ms=now)),
            Put(MINE, _mine(account_id, status_id, "pin", on=on, at_ms=now)),
        ]
    )
    await drop_flags(ports, account_id, [status_id])


async def mute_conversation(ports: Ports, *, actor: Account, status_id: int, on: bool) -> None:
    """Hear no more (or again) of the conversation that the status belongs to.

    Raises: NotFound.
    """
    view = await visible(ports, status_id, await viewer_of(ports, actor.account_id))
    status = (view.reblog or view).status
    root = status.root or status.status_id
    row = _mine(actor.account_id, root, "mute", on=on, at_ms=ports.clock.now_ms())
    await ports.store.write([Put(MINE, row)])
    await drop_flags(ports, actor.account_id, [root])


def _mine(account_id: int, status_id: int, kind: str, *, on: bool, at_ms: int) -> MineRow:
    month = month_of(status_id)
    return MineRow(account_id=account_id, month=month, status_id=status_id, kind=kind, on=on, ref=0, at_ms=at_ms)
