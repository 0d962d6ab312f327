"""From ids to what a page needs, in a fixed number of round trips, whatever the page.

Box: social. Statuses, accounts, totals and flags are kept by the cache under their own keys; whoever changes a row
drops its key here. Flags: `pin` and `vote` are kinds of `mine` rows too; a muted conversation is a `mute` row of its
root.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

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
from townsquare.social.views import PERSON, STATUS, TOTALS, Parts, Plain
from townsquare.store.reactions import buckets_of
from townsquare.store.tables import (
    ACCOUNT_STATS,
    ACCOUNTS,
    CARDS,
    MEDIA,
    MINE,
    POLL_COUNTS,
    POLL_VOTES,
    REPLY_COUNTS,
    STATUSES,
)

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
_MOST_FLAGS = 10_000  # of one account on statuses of one month
_NO_TOTALS = totals(StatusCounts())


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
    me = viewer.account_id
    plains = await _plain_views(ports, ids, signed_in=me != 0)
    flags = await _flags(ports, me, set(chain(*{each.months for each in plains}))) if me else {}
    trusted = not is_at_odds(viewer, chain.from_iterable([each.authors for each in plains]))
    views: list[Any] = [each.view for each in plains]
    own = [
        place
        for place, each in enumerate(plains)
        if me in each.authors or each.status_id in flags or each.root in flags or not each.is_same_for_all
    ]
    for place in own if trusted else range(len(plains)):
        plain = plains[place]
        bits = flags.get(plain.status_id, 0) | flags.get(plain.root, 0) & MUTED
        if trusted and plain.is_same_for_all:
            views[place] = _marked(plain, me, bits)
        else:
            views[place] = await _view_of(ports, plain.parts, me, bits) if _passes(gate, viewer, plain.parts) else None
    return views if all(views) else [each for each in views if each]


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
    return await _flags(ports, account_id, {month_of(each) for each in status_ids})


async def _flags(ports: Ports, account_id: int, months: set[int]) -> dict[int, int]:
    if len(months) == 1:
        (month,) = months
        kept = ports.cache.peek(FLAGS, (account_id, month))
        if kept is not None:
            return kept
    merged: dict[int, int] = {}
    keys = [(account_id, month) for month in months]
    for kept in await ports.cache.get_many(FLAGS, keys, _Loader(ports).flags) if keys else ():
        if kept and len(keys) == 1:
            return kept
        merged.update(kept or {})
    return merged


async def _plain_views(ports: Ports, ids: Sequence[int], *, signed_in: bool) -> list[Plain]:
    """The statuses as they are for one who has nothing to do with them; without those that are gone."""
    kept = ports.views.signed_in if signed_in else ports.views.anonymous
    there: list[Any] = list(map(kept.get, ids))
    if all(there):  # a view is never empty, so this asks for None, quickly
        return there
    found: dict[int, Plain] = {each: plain for each, plain in zip(ids, there, strict=True) if plain}
    missing = [each for each in ids if each not in found]
    for parts in await _read_parts(ports, missing):
        plain = found[parts.fragment.status.status_id] = _plain(parts, signed_in=signed_in)
        if parts.are_kept(ports.cache):
            ports.views.keep(plain, signed_in=signed_in)
    return [found[each] for each in ids if each in found]


async def _read_parts(ports: Ports, ids: Sequence[int]) -> list[Parts]:
    """What the views of these statuses are made of; without those of which something is gone."""
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
    counted = dict(zip(targets, totals_found, strict=True))
    every = []
    for each in found:
        status, original, original_author = each.status, None, None
        if status.boost_of:
            original = originals[status.boost_of]
            original_author = persons[original.status.author] if original else None
            if original_author is None:
                continue
        person = persons[status.author]
        if person is not None:
            total = counted[status.boost_of or status.status_id] or _NO_TOTALS
            every.append(Parts(each, person, original, original_author, total))
    return every


def _plain(parts: Parts, *, signed_in: bool) -> Plain:
    status = parts.fragment.status
    authors: tuple[int, ...] = (status.author,)
    target = status
    to_all = is_open(status, parts.author.account)
    if parts.original is not None and parts.original_author is not None:
        target = parts.original.status
        authors = (status.author, target.author)
        to_all = to_all and is_open(target, parts.original_author.account)
    view = put_together(_view(parts, signed_in=signed_in))
    months = {month_of(each) for each in (target.status_id, target.root) if each}
    same = to_all and target.poll is None
    return Plain(view, parts, target.status_id, target.root, authors, same, _shared_months(*sorted(months)), {})


@lru_cache(10_000)
def _shared_months(*months: int) -> tuple[int, ...]:
    """One tuple for all views of the same months."""
    return months


def _passes(gate: Gate, viewer: Viewer, parts: Parts) -> bool:
    if not gate(viewer, parts.fragment.status, parts.author.account):
        return False
    if parts.original is None or parts.original_author is None:
        return True
    return gate(viewer, parts.original.status, parts.original_author.account)


def _marked(plain: Plain, me: int, bits: int) -> StatusView:
    """The view with the viewer's flags, as one who may be an author: kept, for there are few that differ."""
    mark = bits << 2 | (me == plain.authors[0]) << 1 | (me == plain.authors[-1])
    view = plain.marked.get(mark)
    if view is None:
        view = plain.marked[mark] = put_together(_view(plain.parts, flags=bits, me=me, signed_in=me != 0))
    return view


async def _view_of(ports: Ports, parts: Parts, me: int, bits: int) -> StatusView:
    """The view with the viewer's flags, and with the poll as the viewer sees it."""
    status = (parts.original or parts.fragment).status
    poll = None if status.poll is None else await _poll(ports, status, parts.totals, bits, me)
    return _view(parts, flags=bits, poll=poll, me=me, signed_in=me != 0)


async def _poll(ports: Ports, status: Status, total: Totals, bits: int, me: int) -> bytes:
    own: tuple[int, ...] | None = None
    if bits & VOTED:
        row = await ports.store.get(POLL_VOTES, (status.status_id, me))
        own = row.choices if row else None
    elif me == status.author:
        own = ()
    assert status.poll is not None
    return poll_json(
        status.status_id,
        status.poll,
        votes=total.votes,
        voters=total.voters,
        now_ms=ports.clock.now_ms(),
        own=own,
        signed_in=me != 0,
    )


def _view(
    parts: Parts, *, flags: int = 0, poll: bytes | None = None, me: int = 0, signed_in: bool = False
) -> StatusView:
    """The view of these parts. `me`: its viewer, who may be an author; 0 for the view of all who are not."""

    def view(fragment: Fragment, author: Person, reblog: StatusView | None) -> StatusView:
        status = fragment.status
        own, shown_id = me != 0 and status.author == me, status.boost_of or status.status_id
        return StatusView(fragment, author, parts.totals, status.author, shown_id, flags, poll, reblog, own, signed_in)

    if parts.original is None or parts.original_author is None:
        return view(parts.fragment, parts.author, None)
    return view(parts.fragment, parts.author, view(parts.original, parts.original_author, None))


class _Loader:
    """Reads what the cache does not have."""

    def __init__(self, ports: Ports) -> None:
        self._ports, self._base = ports, ports.settings.base

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
        for counts in await buckets_of(self._ports.store, status_id):
            for kind, n in counts.items():
                sums[kind] = sums.get(kind, 0) + n
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
