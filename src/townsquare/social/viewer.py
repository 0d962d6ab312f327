"""Who looks: whom they follow, block and mute. Made once, kept, and made anew when the graph changes.

Box: social. Design: one small blob per active viewer, so that no page asks about relations status by status.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from townsquare.cache.port import Kind
from townsquare.kit.id_set import IdSet
from townsquare.model.events import ViewersEvent, encode_event
from townsquare.social.ports import Ports
from townsquare.store.tables import FOLLOWING, RELATIONS

_IDS_A_MESSAGE = 1_000
_MOST = 10_000  # rows of each kind; the follow limit is below it


_NOBODY = IdSet()
_NONE: frozenset[int] = frozenset()
_NO_LANGUAGES: dict[int, tuple[str, ...]] = {}  # shared, never changed


class Viewer(msgspec.Struct, frozen=True, array_like=True):
    """One account's relations to others, as sets of account ids."""

    account_id: int  # 0: nobody is signed in
    following: IdSet = _NOBODY
    no_reblogs: frozenset[int] = frozenset()  # followed, but not their boosts
    blocking: frozenset[int] = frozenset()
    blocked_by: frozenset[int] = frozenset()
    muting: frozenset[int] = frozenset()
    muting_notices: frozenset[int] = frozenset()
    languages: dict[int, tuple[str, ...]] = {}
    left: frozenset[int] | None = frozenset()  # followed once, but not now; None where these are too many to know


ANONYMOUS = Viewer(0)


def _pack(value: Any) -> bytes:
    if isinstance(value, IdSet):
        return value.pack()
    raise NotImplementedError


def _unpack(kind: type, value: Any) -> IdSet:
    if kind is IdSet:
        return IdSet.unpack(value)
    raise NotImplementedError


VIEWER: Kind[Viewer] = Kind(
    name="v",
    encode=msgspec.msgpack.Encoder(enc_hook=_pack).encode,
    decode=msgspec.msgpack.Decoder(Viewer, dec_hook=_unpack).decode,
    ttl_s=3600,
    capacity=20_000,
)


async def viewer_of(ports: Ports, account_id: int) -> Viewer:
    """The viewer with this account; the anonymous one for 0. Cost: none when kept, else four range reads."""
    if not account_id:
        return ANONYMOUS
    kept = ports.cache.peek(VIEWER, account_id)
    if kept is not None:
        return kept

    async def load(ids: Sequence[int]) -> Sequence[Viewer]:
        return [await _load(ports, each) for each in ids]

    (viewer,) = await ports.cache.get_many(VIEWER, [account_id], load)
    return viewer or ANONYMOUS


async def drop_viewers(ports: Ports, account_ids: Sequence[int]) -> None:
    """Make these viewers anew at their next look, on every process; open streams follow."""
    await ports.cache.drop(VIEWER, account_ids)
    for start in range(0, len(account_ids), _IDS_A_MESSAGE):
        event = ViewersEvent(tuple(account_ids[start : start + _IDS_A_MESSAGE]))
        ports.streaming.publish(ViewersEvent.topic, encode_event(event))


async def _load(ports: Ports, account_id: int) -> Viewer:
    now = ports.clock.now_ms()
    follows = await ports.store.range(FOLLOWING, (account_id,), limit=_MOST)
    following = [row for row in follows if row.state == "on"]
    others = {}
    for kind in ("block", "blocked_by", "mute"):
        rows = await ports.store.range(RELATIONS, (account_id, kind), limit=_MOST)
        others[kind] = [row for row in rows if row.on and not row.is_over(now)]
    return Viewer(
        account_id,
        following=IdSet(row.target for row in following),
        no_reblogs=_ids(row.target for row in following if not row.reblogs),
        blocking=_ids(row.other for row in others["block"]),
        blocked_by=_ids(row.other for row in others["blocked_by"]),
        muting=_ids(row.other for row in others["mute"]),
        muting_notices=_ids(row.other for row in others["mute"] if row.notifications),
        languages={row.target: row.languages for row in following if row.languages} or _NO_LANGUAGES,
        left=_ids(row.target for row in follows if row.state != "on") if len(follows) < _MOST else None,
    )


def _ids(ids: Iterable[int]) -> frozenset[int]:
    """The ids. Most people have none of most kinds, and an empty set of one's own takes 216 bytes."""
    return frozenset(ids) or _NONE
