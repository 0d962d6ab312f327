"""Blocks, mutes and private notes.

Box: social. Source: Mastodon API, /methods/accounts/#block, #mute, #note
A block holds from the answer on: both sides and the follows between them are written before it; the graph worker only
counts.
"""

from collections.abc import Sequence

from townsquare.model.account import Account
from townsquare.model.errors import Forbidden, Invalid
from townsquare.model.paging import Window
from townsquare.model.tasks import AnyTask, ApplyBlock, ApplyFollow, ExpireMute
from townsquare.social.accounts import shown
from townsquare.social.follows import end_of, severed
from townsquare.social.hydrate import people
from townsquare.social.ports import Ports
from townsquare.social.timers import timer
from townsquare.social.viewer import drop_viewers
from townsquare.store.follows import follow_rows
from townsquare.store.port import Put, Write
from townsquare.store.relations import relation, relation_page
from townsquare.store.tables import RELATIONS, RelationRow

MAX_NOTE = 2_000  # characters
_MAX_DURATION_S = 10 * 366 * 86_400


async def block(ports: Ports, *, actor: Account, target_id: int) -> None:
    """Block an account and end the follows both ways; a repeat changes nothing.

    Raises: NotFound; Forbidden for oneself.
    """
    await _other(ports, actor, target_id)
    me = actor.account_id
    pairs = [(me, target_id), (target_id, me)]
    follows = await follow_rows(ports.store, pairs)
    ended = [write for row in follows for write in severed(row)]
    old = await relation(ports.store, me, "block", target_id)
    at_id = old.at_id if old is not None and old.on else ports.new_id()
    tasks: list[AnyTask] = [ApplyBlock(account_id=me, target=target_id)]
    if ended:
        now_ms = ports.clock.now_ms()
        tasks += [end_of(row, now_ms) if row else ApplyFollow(*pair) for pair, row in zip(pairs, follows, strict=True)]
    await ports.outbox.commit([*ended, *_sides(me, target_id, on=True, at_id=at_id)], tasks=tasks)
    await drop_viewers(ports, [me, target_id])


async def unblock(ports: Ports, *, actor: Account, target_id: int) -> None:
    """End a block; a repeat changes nothing.

    Raises: NotFound.
    """
    await shown(ports, target_id)
    me = actor.account_id
    old = await relation(ports.store, me, "block", target_id)
    if old is None or not old.on:
        return
    writes = _sides(me, target_id, on=False, at_id=old.at_id)
    await ports.outbox.commit(writes, tasks=[ApplyBlock(account_id=me, target=target_id)])
    await drop_viewers(ports, [me, target_id])


def _sides(me: int, target: int, *, on: bool, at_id: int) -> list[Write]:
    """Both sides of a block."""
    return [
        Put(RELATIONS, RelationRow(account_id=target, kind="blocked_by", other=me, on=on, at_id=at_id)),
        Put(RELATIONS, RelationRow(account_id=me, kind="block", other=target, on=on, at_id=at_id)),
    ]


async def mute(ports: Ports, *, actor: Account, target_id: int, notifications: bool, duration_s: int) -> None:
    """Mute an account, for `duration_s` seconds or (0) until further notice; a repeat sets both anew.

    Raises: NotFound; Forbidden for oneself; Invalid for a duration that is none.
    """
    if not 0 <= duration_s <= _MAX_DURATION_S:
        raise Invalid("Validation failed: Duration is out of range")
    await _other(ports, actor, target_id)
    me = actor.account_id
    expires_ms = ports.clock.now_ms() + duration_s * 1000 if duration_s else 0
    row = RelationRow(
        account_id=me,
        kind="mute",
        other=target_id,
        on=True,
        at_id=ports.new_id(),
        expires_ms=expires_ms,
        notifications=notifications,
    )
    writes: list[Write] = [Put(RELATIONS, row)]
    if expires_ms:
        writes.append(timer(ports, ExpireMute(account_id=me, target=target_id), due_ms=expires_ms))
    await ports.outbox.commit(writes, tasks=[ApplyBlock(account_id=me, target=target_id)])
    await drop_viewers(ports, [me])


async def unmute(ports: Ports, *, actor: Account, target_id: int) -> None:
    """End a mute; a repeat changes nothing.

    Raises: NotFound.
    """
    await shown(ports, target_id)
    me = actor.account_id
    old = await relation(ports.store, me, "mute", target_id)
    if old is None or not old.on:
        return
    row = RelationRow(account_id=me, kind="mute", other=target_id, on=False, at_id=old.at_id)
    await ports.outbox.commit([Put(RELATIONS, row)], tasks=[ApplyBlock(account_id=me, target=target_id)])
    await drop_viewers(ports, [me])


async def note(ports: Ports, *, actor: Account, target_id: int, comment: str) -> None:
    """Keep a remark about an account that only the actor sees; an empty one removes it.

    Raises: NotFound; Invalid where it is too long.
    """
    if len(comment) > MAX_NOTE:
        raise Invalid(f"Validation failed: Comment is too long (maximum is {MAX_NOTE} characters)")
    await shown(ports, target_id)
    row = RelationRow(
        account_id=actor.account_id,
        kind="note",
        other=target_id,
        on=bool(comment),
        at_id=ports.new_id(),
        comment=comment,
    )
    await ports.outbox.commit([Put(RELATIONS, row)])


async def listed(ports: Ports, *, actor: Account, kind: str, window: Window) -> list[RelationRow]:
    """Whom the actor blocks (`kind` block) or mutes (mute), the highest account id first."""
    return await relation_page(ports.store, actor.account_id, kind, window, ports.clock.now_ms())


async def standing_of(ports: Ports, ids: Sequence[int]) -> dict[int, bytes]:
    """The JSON of those accounts that still are there, by id."""
    persons = await people(ports, ids)
    return {
        person.account.account_id: person.json
        for person in persons
        if person is not None and not person.account.deleted
    }


async def _other(ports: Ports, actor: Account, target_id: int) -> None:
    await shown(ports, target_id)
    if target_id == actor.account_id:
        raise Forbidden
