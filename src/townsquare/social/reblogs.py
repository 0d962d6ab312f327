"""Boosts: a status of one's own that shows another one.

Box: social. Source: Mastodon API, /methods/statuses/#boost
The actor's `mine` row is claimed first and names the boost, so that two requests at once make one.
"""

from townsquare.model.account import Account, User, Visibility
from townsquare.model.errors import Forbidden, Invalid, Unavailable
from townsquare.model.status import Status
from townsquare.model.tasks import ApplyReaction
from townsquare.render.status import StatusView
from townsquare.social import marks
from townsquare.social.hydrate import drop_flags
from townsquare.social.ports import Ports
from townsquare.social.statuses import commit, remove
from townsquare.store.reactions import mine
from townsquare.store.statuses import get_statuses, log_rows
from townsquare.store.tables import MINE, MineRow

KIND = "reblog"
_TRIES = 5
_AUDIENCES = (Visibility.PUBLIC, Visibility.UNLISTED, Visibility.PRIVATE)


async def reblog(
    ports: Ports, *, actor: Account, user: User, status_id: int, visibility: str | None = None
) -> StatusView:
    """Boost a status; the boost as the actor sees it. A repeat gives the same boost.

    Raises: NotFound where the actor may not see it; Forbidden for direct ones, another's private one, and where the
    actor blocks its author; Invalid for an unknown visibility.
    """
    target = await marks.target_of(ports, actor=actor, status_id=status_id)
    own = target.author == actor.account_id
    if target.visibility is Visibility.DIRECT or (target.visibility is Visibility.PRIVATE and not own):
        raise Forbidden
    audience = _audience(visibility, user, target, actor)
    row = await _claim(ports, actor.account_id, target.status_id)
    if (await log_rows(ports.store, [(actor.account_id, row.ref)]))[0] is None:
        boost = Status(
            status_id=row.ref,
            author=actor.account_id,
            visibility=audience,
            root=row.ref,
            boost_of=target.status_id,
            boost_of_author=target.author,
        )
        await commit(ports, boost, ApplyReaction(target.status_id, actor.account_id, KIND))
    await drop_flags(ports, actor.account_id, [target.status_id])
    return await marks.seen_by_actor(ports, actor=actor, status_id=row.ref, kind=KIND)


async def unreblog(ports: Ports, *, actor: Account, status_id: int) -> StatusView:
    """Take a boost back; the original as the actor sees it. A repeat changes nothing.

    Raises: NotFound.
    """
    target = await marks.shown_target(ports, actor=actor, status_id=status_id)
    row = await mine(ports.store, actor.account_id, target.status_id, KIND)
    if row is not None and row.on:
        (boost,) = await get_statuses(ports.store, [row.ref])
        if boost is not None and not boost.deleted:
            await remove(ports, boost, delete_media=False)
        await marks.end_reblog(ports, row)
    return await marks.seen_by_actor(ports, actor=actor, status_id=target.status_id, kind=KIND)


def _audience(asked: str | None, user: User, target: Status, actor: Account) -> Visibility:
    if asked and asked not in _AUDIENCES:
        raise Invalid("Validation failed: Visibility is not included in the list")
    if target.visibility is Visibility.PRIVATE:
        return Visibility.PRIVATE
    audience = Visibility(asked) if asked else user.privacy
    if audience is Visibility.DIRECT:
        return Visibility.PRIVATE
    return Visibility.UNLISTED if actor.limited and audience is Visibility.PUBLIC else audience


async def _claim(ports: Ports, actor_id: int, status_id: int) -> MineRow:
    """The row that says which boost of this status stands, or shall."""
    old = await mine(ports.store, actor_id, status_id, KIND)
    for _ in range(_TRIES):
        if old is not None and old.on:
            return old
        new = marks.mine_row(ports, actor_id, status_id, KIND, old=old, on=True, ref=ports.new_id())
        if old is None:
            old = await ports.store.slow_put_if_absent(MINE, new)
            if old is None:
                return new
        elif await ports.store.slow_compare_and_set(MINE, old, new):
            return new
        else:
            old = await mine(ports.store, actor_id, status_id, KIND)
    raise Unavailable("The post is being boosted and unboosted at the same time. Try again.")
