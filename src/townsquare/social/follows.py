"""Follows: ask, follow, stop, answer requests, and what an account is to others.

Box: social. Source: Mastodon API, /methods/accounts/#follow and /methods/follow_requests/
The `following` row of the one who follows is the truth. Here it is written; the graph worker brings the other side,
counts, notices and home timeline into line.
"""

from collections.abc import Sequence

import msgspec

from townsquare.model.account import Account
from townsquare.model.errors import Forbidden, Invalid, NotFound
from townsquare.model.paging import Window
from townsquare.model.tasks import ApplyFollow
from townsquare.render.relationship import Relation
from townsquare.social.accounts import shown, standing
from townsquare.social.hydrate import people
from townsquare.social.outbox import MOST_TASKS
from townsquare.social.ports import Ports
from townsquare.social.viewer import drop_viewers
from townsquare.store import follows as rows
from townsquare.store import relations
from townsquare.store.follows import OFF, ON, REQUESTED
from townsquare.store.port import Put, Write
from townsquare.store.tables import FOLLOWING, FOLLOWING_COUNTS, RELATIONS, FollowingRow, RelationRow

MAX_FOLLOWS = 7_500
_ENDED = 500  # followers at once
_LANGUAGES = 100
_FAMILIAR = 40  # named of each account
_KINDS = ("block", "blocked_by", "mute", "note")


class FollowOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What of the other one is wanted; None leaves it as it is."""

    reblogs: bool | None = None
    notify: bool | None = None
    languages: tuple[str, ...] | None = None


async def follow(ports: Ports, *, actor: Account, target_id: int, options: FollowOptions) -> None:
    """Follow an account, or ask to where it is locked; where it is followed already, change the options.

    Raises: NotFound; Forbidden for oneself and where one blocks the other; Invalid over the limit of follows.
    """
    target = (await standing(ports, target_id)).account
    if target_id == actor.account_id:
        raise Forbidden
    (others,) = await relations.relations(ports.store, actor.account_id, ("block", "blocked_by"), [target_id])
    if others:
        raise Forbidden
    old = await rows.follow_row(ports.store, actor.account_id, target_id)
    if old is None or old.state == OFF:
        await _check_limit(ports, actor.account_id)
        old = FollowingRow(
            account_id=actor.account_id,
            target=target_id,
            state=REQUESTED if target.locked or actor.limited else ON,
            since_id=ports.new_id(),
            bucket=old.bucket if old else await rows.open_bucket(ports.store, target_id),
        )
    await _write(ports, _with_options(old, options))


def _with_options(row: FollowingRow, options: FollowOptions) -> FollowingRow:
    return msgspec.structs.replace(
        row,
        reblogs=row.reblogs if options.reblogs is None else options.reblogs,
        notify=row.notify if options.notify is None else options.notify,
        languages=row.languages if options.languages is None else options.languages[:_LANGUAGES],
    )


async def _check_limit(ports: Ports, account_id: int) -> None:
    count = await ports.store.get(FOLLOWING_COUNTS, (account_id,))
    if count is not None and count.n >= MAX_FOLLOWS:
        raise Invalid(f"Validation failed: You cannot follow more than {MAX_FOLLOWS} people")


async def unfollow(ports: Ports, *, actor: Account, target_id: int) -> None:
    """Stop to follow, or take a request back; a repeat changes nothing.

    Raises: NotFound.
    """
    await shown(ports, target_id)
    await _end(ports, actor.account_id, target_id, states=(ON, REQUESTED))


async def remove_follower(ports: Ports, *, actor: Account, follower_id: int) -> None:
    """Make another one no longer follow the actor; a repeat changes nothing.

    Raises: NotFound.
    """
    await shown(ports, follower_id)
    await _end(ports, follower_id, actor.account_id, states=(ON,))


async def authorize(ports: Ports, *, actor: Account, follower_id: int) -> None:
    """Let somebody who asked follow the actor.

    Raises: NotFound where nobody asked.
    """
    row = await _request(ports, follower_id, actor.account_id)
    # `since_id` stays: by it the notice of the request is found, which becomes the notice of the follow.
    await _write(ports, msgspec.structs.replace(row, state=ON))


async def reject(ports: Ports, *, actor: Account, follower_id: int) -> None:
    """Refuse somebody who asked.

    Raises: NotFound where nobody asked.
    """
    row = await _request(ports, follower_id, actor.account_id)
    await _write(ports, msgspec.structs.replace(row, state=OFF))


async def authorize_all(ports: Ports, *, actor: Account) -> None:
    """Let all who asked follow the actor, who no longer wants to be asked."""
    below = None
    while True:
        window = Window(below=below, limit=200)
        asked = await relations.relation_page(ports.store, actor.account_id, "request", window, ports.clock.now_ms())
        for each in asked:
            row = await rows.follow_row(ports.store, each.other, actor.account_id)
            if row is not None and row.state == REQUESTED:
                await authorize(ports, actor=actor, follower_id=each.other)
        if len(asked) < window.limit:
            return
        below = asked[-1].other


async def _request(ports: Ports, follower_id: int, target_id: int) -> FollowingRow:
    row = await rows.follow_row(ports.store, follower_id, target_id)
    if row is None or row.state != REQUESTED:
        raise NotFound
    return row


async def _end(ports: Ports, follower: int, target: int, *, states: Sequence[str]) -> None:
    row = await rows.follow_row(ports.store, follower, target)
    if row is not None and row.state in states:
        await _write(ports, msgspec.structs.replace(row, state=OFF), ended=row)


async def _write(ports: Ports, row: FollowingRow, *, ended: FollowingRow | None = None) -> None:
    """Commit a follow's new state, with the other side's list of requests, so that both see it in the next answer.
    `ended`: what stood before."""
    await ports.outbox.commit(
        [Put(RELATIONS, request_row(row))],
        [Put(FOLLOWING, row)],
        tasks=[end_of(ended, ports.clock.now_ms()) if ended else ApplyFollow(row.account_id, row.target)],
    )
    await drop_viewers(ports, [row.account_id])


def end_of(row: FollowingRow, at_ms: int) -> ApplyFollow:
    """The task to the end of a follow, or of a request for one."""
    ended_id = row.since_id if row.state == ON else 0
    return ApplyFollow(row.account_id, row.target, ended_id=ended_id, ended_ms=at_ms if ended_id else 0)


def request_row(row: FollowingRow) -> RelationRow:
    """The entry in the target's list of those who ask."""
    return RelationRow(
        account_id=row.target, kind="request", other=row.account_id, on=row.state == REQUESTED, at_id=row.since_id
    )


def severed(row: FollowingRow | None) -> list[Write]:
    """What ends a follow of which one side blocks the other."""
    if row is None or row.state == OFF:
        return []
    off = msgspec.structs.replace(row, state=OFF)
    return [Put(FOLLOWING, off), Put(RELATIONS, request_row(off))]


async def end_all(ports: Ports, account_id: int) -> None:
    """End all follows of an account that is gone, both ways, so that others' totals are right. Safe to repeat."""
    mine = [row for row in await rows.all_following(ports.store, account_id) if row.state != OFF]
    await _end_rows(ports, mine)
    below = None
    while True:
        page = await rows.followers_page(ports.store, account_id, Window(below=below, limit=_ENDED))
        found = await rows.follow_rows(ports.store, [(row.follower, account_id) for row in page]) if page else []
        await _end_rows(ports, [row for row in found if row is not None and row.state != OFF])
        if len(page) < _ENDED:
            return
        below = page[-1].follower


async def _end_rows(ports: Ports, ended: Sequence[FollowingRow]) -> None:
    for start in range(0, len(ended), MOST_TASKS):
        some = ended[start : start + MOST_TASKS]
        await ports.outbox.commit(
            [write for row in some for write in severed(row)],
            tasks=[end_of(row, ports.clock.now_ms()) for row in some],
        )
        await drop_viewers(ports, [row.account_id for row in some])


# What accounts are to each other --------------------------------------------------------------------------------------


async def relationships(
    ports: Ports, *, actor: Account, ids: Sequence[int], with_suspended: bool = True
) -> list[Relation]:
    """What the actor and each of these accounts are to each other; unknown ids are left out.

    Cost: three round trips, however many.
    """
    ids = list(dict.fromkeys(ids))
    if not ids:
        return []
    me = actor.account_id
    persons = await people(ports, ids)
    ids = [
        each
        for each, person in zip(ids, persons, strict=True)
        if person and not person.account.deleted and (with_suspended or not person.account.suspended)
    ]
    found = await rows.follow_rows(ports.store, [(me, each) for each in ids] + [(each, me) for each in ids])
    kinds = await relations.relations(ports.store, me, _KINDS, ids)
    now_ms = ports.clock.now_ms()
    return [
        Relation(account_id=each, to=to, back=back, kinds=_in_force(kind, now_ms))
        for each, to, back, kind in zip(ids, found[: len(ids)], found[len(ids) :], kinds, strict=True)
    ]


def _in_force(kinds: dict[str, RelationRow], now_ms: int) -> dict[str, RelationRow]:
    return {kind: row for kind, row in kinds.items() if not row.is_over(now_ms)}


async def followers_and_following(
    ports: Ports, *, account_id: int, viewer_id: int, side: str, window: Window
) -> list[int]:
    """Ids of those who follow an account (`side` followers) or whom it follows; none where it hides them or blocks
    the viewer.

    Raises: NotFound.
    """
    person = await standing(ports, account_id)
    if viewer_id != account_id and person.account.hide_collections:
        return []
    if viewer_id and viewer_id != account_id:
        row = await relations.relation(ports.store, viewer_id, "blocked_by", account_id)
        if row is not None and row.on:
            return []
    if side == "followers":
        return [row.follower for row in await rows.followers_page(ports.store, account_id, window)]
    return [row.target for row in await rows.following_page(ports.store, account_id, window)]


async def requests(ports: Ports, *, actor: Account, window: Window) -> list[int]:
    """Who asks to follow the actor."""
    now_ms = ports.clock.now_ms()
    return [
        row.other for row in await relations.relation_page(ports.store, actor.account_id, "request", window, now_ms)
    ]


async def familiar(ports: Ports, *, actor: Account, ids: Sequence[int]) -> list[tuple[int, list[int]]]:
    """For each account, who of those whom the actor follows follows it too.

    Cost: one read of the actor's follows, one round trip an account.
    """
    mine = [row.target for row in await rows.all_following(ports.store, actor.account_id) if row.state == ON]
    found: list[tuple[int, list[int]]] = []
    for account_id, person in zip(ids, await people(ports, ids), strict=True):
        if person is None or person.account.is_gone:
            continue
        if person.account.hide_collections or account_id == actor.account_id:
            found.append((account_id, []))
            continue
        both = await rows.follow_rows(ports.store, [(each, account_id) for each in mine if each != account_id])
        found.append((account_id, [row.account_id for row in both if row and row.state == ON][:_FAMILIAR]))
    return found
