"""From ids to what a page needs, in a fixed number of round trips, whatever the page.

Box: social. Statuses, accounts, totals and flags are kept by the cache under their own keys; whoever changes a row
drops its key here. Flags: `pin` and `vote` are kinds of `mine` rows too; a muted conversation is a `mute` row of its
root.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from townsquare.cache.port import Kind
from townsquare.kit.snowflake import month_of
from townsquare.kit.urls import url_hash
from townsquare.model.account import Account, AccountStats
from townsquare.model.errors import NotFound
from townsquare.model.status import Status, StatusCounts
from townsquare.render.account import account_json, account_url
from townsquare.render.poll import poll_json
from townsquare.render.status import (
    BOOKMARKED,
    FAVOURITED,
    MUTED,
    PINNED,
    REBLOGGED,
    VOTED,
    Fragment,
    Person,
    StatusView,
    Totals,
    fragment,
    put_together,
    status_json,
    totals,
)
from townsquare.social.ports import Ports
from townsquare.social.seeing import is_at_odds, is_open, may_list, may_see
from townsquare.social.viewer import Viewer
from townsquare.social.views import Parts, Plain
from townsquare.store.tables import (
    ACCOUNT_STATS,
    ACCOUNTS,
    CARDS,
    MEDIA,
    MINE,
    POLL_COUNTS,
    POLL_VOTES,
    REACTION_COUNTS,
    REPLY_COUNTS,
    STATUSES,
)

S = TypeVar("S", bound=msgspec.Struct)
# Every gate lets in what is open, where the viewer is at odds with nobody: see seeing.py.
Gate = Callable[[Viewer, Status, Account], bool]

_BITS = {
    "favourite": FAVOURITED,
    "reblog": REBLOGGED,
    "bookmark": BOOKMARKED,
    "mute": MUTED,
    "pin": PINNED,
    "vote": VOTED,
}
_BUCKETS = 64  # of reactions that are summed: 3.2 million reactions
_MOST_FLAGS = 10_000  # of one account on statuses of one month
_NO_TOTALS = totals(StatusCounts())


def _kind(name: str, shape: type[S], ttl_s: int, capacity: int) -> Kind[S]:
    return Kind(
        name=name,
        encode=msgspec.msgpack.Encoder().encode,
        decode=msgspec.msgpack.Decoder(shape).decode,
        ttl_s=ttl_s,
        capacity=capacity,
    )


STATUS = _kind("s", Fragment, 2 * 86_400, 50_000)
PERSON = _kind("a", Person, 86_400, 20_000)
TOTALS = _kind("n", Totals, 2 * 86_400, 50_000)
FLAGS: Kind[dict[int, int]] = Kind(
    name="f",
    encode=msgspec.msgpack.Encoder().encode,
    decode=msgspec.msgpack.Decoder(dict[int, int]).decode,
    ttl_s=3600,
    capacity=20_000,
)


# Accounts -------------------------------------------------------------------------------------------------------------


async def people(ports: Ports, ids: Sequence[int]) -> list[Person | None]:
    """The accounts, each with its JSON; None where there is none. Cost: two reads of all that is not kept."""
    return await ports.cache.get_many(PERSON, ids, _Loader(ports).people)


async def account_jsons(ports: Ports, ids: Sequence[int]) -> list[bytes | None]:
    """The accounts as JSON, None where there is none."""
    return [person.json if person else None for person in await people(ports, ids)]


async def drop_accounts(ports: Ports, ids: Sequence[int]) -> None:
    """The account or its totals changed."""
    await ports.cache.drop(PERSON, ids)


# Statuses -------------------------------------------------------------------------------------------------------------


async def fragments(ports: Ports, ids: Sequence[int]) -> list[Fragment | None]:
    """The statuses with their kept bytes, whoever asks; None where there is none or it was deleted."""
    return await ports.cache.get_many(STATUS, ids, _Loader(ports).fragments)


async def statuses(ports: Ports, ids: Sequence[int], viewer: Viewer, *, gate: Gate = may_list) -> list[StatusView]:
    """What the viewer may see of these statuses, in their order; the others are left out.

    A boost shows if both it and the original pass the gate. Cost: at most four round trips when nothing is kept.
    """
    found = [each for each in await fragments(ports, ids) if each is not None]
    if not found:
        return []
    originals: dict[int, Fragment | None] = {}
    if boosted := [each.status.boost_of for each in found if each.status.boost_of]:
        originals = dict(zip(boosted, await fragments(ports, boosted), strict=True))
    authors = {each.status.author for each in (*found, *originals.values()) if each is not None}
    persons = dict(zip(authors, await people(ports, list(authors)), strict=True))
    targets = list({each.status.boost_of or each.status.status_id for each in found})
    totals_found = await ports.cache.get_many(TOTALS, targets, _Loader(ports).totals)
    counted = {target: each or _NO_TOTALS for target, each in zip(targets, totals_found, strict=True)}
    flags: dict[int, int] = {}
    if viewer.account_id:
        roots = {(originals.get(each.status.boost_of) or each).status.root for each in found}
        flags = await flags_of(ports, viewer.account_id, [*targets, *roots])
    page = _Page(ports, viewer, flags)
    trusted = not is_at_odds(viewer, authors)
    views = []
    for each in found:
        parts = _parts(each, originals, persons, counted)
        if parts is None:
            continue
        plain = page.plain(parts)
        if (trusted and plain.is_open) or _passes(gate, viewer, parts):
            views.append(await page.marked(plain))
    return views


async def status_jsons(ports: Ports, ids: Sequence[int], viewer: Viewer, *, gate: Gate = may_list) -> list[bytes]:
    """The statuses that the viewer may see, as JSON."""
    return [status_json(view) for view in await statuses(ports, ids, viewer, gate=gate)]


async def visible(ports: Ports, status_id: int, viewer: Viewer) -> StatusView:
    """One status that the viewer asked for by its id.

    Raises: NotFound, also where it is there but not for this viewer.
    """
    views = await statuses(ports, [status_id], viewer, gate=may_see)
    if not views:
        raise NotFound
    return views[0]


async def visible_status(ports: Ports, status_id: int, viewer: Viewer) -> Status:
    """As `visible`, the row alone."""
    return (await visible(ports, status_id, viewer)).status


async def drop_statuses(ports: Ports, ids: Sequence[int]) -> None:
    """The status, its media or its card changed, or it was deleted."""
    await ports.cache.drop(STATUS, ids)


async def drop_totals(ports: Ports, ids: Sequence[int]) -> None:
    """Replies, boosts, favourites or votes of these statuses were counted."""
    await ports.cache.drop(TOTALS, ids)


async def drop_flags(ports: Ports, account_id: int, status_ids: Iterable[int]) -> None:
    """The account's `mine` rows about these statuses changed."""
    await ports.cache.drop(FLAGS, list({(account_id, month_of(each)) for each in status_ids}))


async def flags_of(ports: Ports, account_id: int, status_ids: Sequence[int]) -> dict[int, int]:
    """What the account did with these statuses: bits of render/status.py by status id; none stands for 0."""
    known = [each for each in status_ids if each]
    if not known:
        return {}
    first, last = month_of(min(known)), month_of(max(known))
    months = [(account_id, last)] if first == last else list({(account_id, month_of(each)) for each in known})
    merged: dict[int, int] = {}
    for kept in await ports.cache.get_many(FLAGS, months, _Loader(ports).flags):
        if kept and len(months) == 1:
            return kept
        merged.update(kept or {})
    return merged


def _parts(
    each: Fragment,
    originals: dict[int, Fragment | None],
    persons: dict[int, Person | None],
    counted: dict[int, Totals],
) -> Parts | None:
    """What the view of a status is made of; None where something is gone."""
    status = each.status
    person = persons.get(status.author)
    if person is None:
        return None
    if not status.boost_of:
        return Parts(each, person, None, None, counted[status.status_id])
    original = originals.get(status.boost_of)
    author = None if original is None else persons.get(original.status.author)
    return None if author is None else Parts(each, person, original, author, counted[status.boost_of])


def _passes(gate: Gate, viewer: Viewer, parts: Parts) -> bool:
    if not gate(viewer, parts.fragment.status, parts.author.account):
        return False
    if parts.original is None or parts.original_author is None:
        return True
    return gate(viewer, parts.original.status, parts.original_author.account)


class _Page:
    """Makes views for one viewer: plain ones where there is nothing to mark, as these are kept for all."""

    def __init__(self, ports: Ports, viewer: Viewer, flags: dict[int, int]) -> None:
        self._ports, self._me, self._flags = ports, viewer.account_id, flags
        self._kept = ports.views.signed_in if viewer.account_id else ports.views.anonymous

    def plain(self, parts: Parts) -> Plain:
        """The view as it is for one who did not write it and did nothing with it."""
        status_id = parts.fragment.status.status_id
        plain = self._kept.get(status_id)
        # Parts that are the same objects are equal at once; others are compared, and equal ones do no harm.
        if plain is None or plain.parts != parts:
            view = put_together(_view(parts, signed_in=bool(self._me)))
            plain = self._kept[status_id] = Plain(parts, view, _is_open(parts))
        return plain

    async def marked(self, plain: Plain) -> StatusView:
        """The same with the viewer's flags and the poll as the viewer sees it, where there are any."""
        parts, me = plain.parts, self._me
        status = parts.fragment.status
        target = status if parts.original is None else parts.original.status
        bits = 0
        if flags := self._flags:
            bits = flags.get(target.status_id, 0) | flags.get(target.root, 0) & MUTED
        if not bits and target.poll is None and (not me or me not in (status.author, target.author)):
            return plain.view
        poll = None if target.poll is None else await self._poll(target, parts.totals, bits)
        return _view(parts, flags=bits, poll=poll, me=me, signed_in=bool(me))

    async def _poll(self, status: Status, total: Totals, bits: int) -> bytes:
        own: tuple[int, ...] | None = None
        if bits & VOTED:
            row = await self._ports.store.get(POLL_VOTES, (status.status_id, self._me))
            own = row.choices if row else None
        elif self._me == status.author:
            own = ()
        assert status.poll is not None
        return poll_json(
            status.status_id,
            status.poll,
            votes=total.votes,
            voters=total.voters,
            now_ms=self._ports.clock.now_ms(),
            own=own,
            signed_in=bool(self._me),
        )


def _is_open(parts: Parts) -> bool:
    if not is_open(parts.fragment.status, parts.author.account):
        return False
    if parts.original is None or parts.original_author is None:
        return True
    return is_open(parts.original.status, parts.original_author.account)


def _view(
    parts: Parts, *, flags: int = 0, poll: bytes | None = None, me: int = 0, signed_in: bool = False
) -> StatusView:
    """The view of these parts. `me`: its viewer, who may be an author; 0 for the view of all who are not."""

    def view(fragment: Fragment, author: Person, reblog: StatusView | None) -> StatusView:
        own = me != 0 and fragment.status.author == me
        return StatusView(fragment, author, parts.totals, flags, poll, reblog, own, signed_in)

    if parts.original is None or parts.original_author is None:
        return view(parts.fragment, parts.author, None)
    return view(parts.fragment, parts.author, view(parts.original, parts.original_author, None))


class _Loader:
    """Reads what the cache does not have."""

    def __init__(self, ports: Ports) -> None:
        self._ports, self._base = ports, ports.settings.url

    async def people(self, ids: Sequence[int]) -> list[Person | None]:
        store = self._ports.store
        keys = [(each,) for each in ids]
        accounts = await store.get_many(ACCOUNTS, keys)
        stats = await store.get_many(ACCOUNT_STATS, keys)
        return [
            None
            if account is None
            else Person(account, account_json(account, stat or AccountStats(account_id=account.account_id), self._base))
            for account, stat in zip(accounts, stats, strict=True)
        ]

    async def fragments(self, ids: Sequence[int]) -> list[Fragment | None]:
        store = self._ports.store
        rows = [row if row and not row.deleted else None for row in await store.get_many(STATUSES, [(i,) for i in ids])]
        live = [row for row in rows if row is not None]
        named = dict.fromkeys(i for row in live for i in (row.author, *(m.account_id for m in row.mentions)))
        accounts = {a.account_id: a for a in await store.get_many(ACCOUNTS, [(i,) for i in named]) if a is not None}
        media_ids = [i for row in live for i in row.media]
        media = (
            {m.media_id: m for m in await store.get_many(MEDIA, [(i,) for i in media_ids]) if m} if media_ids else {}
        )
        hashes = [url_hash(row.card) for row in live if row.card]
        cards = {c.url_hash: c for c in await store.get_many(CARDS, [(h,) for h in hashes]) if c} if hashes else {}
        addresses = {i: account_url(account, self._base) for i, account in accounts.items() if not account.deleted}
        return [
            None
            if row is None or row.author not in accounts
            else fragment(
                row,
                accounts[row.author],
                media=[media[i] for i in row.media if i in media],
                card=cards.get(url_hash(row.card)) if row.card else None,
                mentioned=addresses,
                base=self._base,
            )
            for row in rows
        ]

    async def totals(self, ids: Sequence[int]) -> list[Totals | None]:
        store = self._ports.store
        rows = await store.get_many(STATUSES, [(i,) for i in ids])
        replies = await store.get_many(
            REPLY_COUNTS, [(row.root or row.status_id, row.status_id) if row else (0, 0) for row in rows]
        )
        reactions = [await self._reactions(i) for i in ids]
        polls = {row.status_id for row in rows if row and row.poll}
        votes = {v.poll_id: v for v in await store.get_many(POLL_COUNTS, [(i,) for i in polls]) if v} if polls else {}
        return [
            totals(
                StatusCounts(reply.n if reply else 0, sums.get("reblog", 0), sums.get("favourite", 0)),
                votes=votes[i].votes if i in votes else (),
                voters=votes[i].voters if i in votes else 0,
            )
            for i, reply, sums in zip(ids, replies, reactions, strict=True)
        ]

    async def _reactions(self, status_id: int) -> dict[str, int]:
        """Sums over the buckets; most statuses have one."""
        sums: dict[str, int] = {}
        for bucket in range(_BUCKETS):
            rows = await self._ports.store.range(REACTION_COUNTS, (status_id, bucket), limit=10)
            if not rows:
                break
            for row in rows:
                sums[row.kind] = sums.get(row.kind, 0) + row.n
        return sums

    async def flags(self, keys: Sequence[tuple[int, int]]) -> list[dict[int, int] | None]:
        kept: list[dict[int, int] | None] = []
        for key in keys:
            bits: dict[int, int] = {}
            for row in await self._ports.store.range(MINE, key, limit=_MOST_FLAGS):
                if row.on:
                    bits[row.status_id] = bits.get(row.status_id, 0) | _BITS.get(row.kind, 0)
            kept.append(bits)
        return kept
