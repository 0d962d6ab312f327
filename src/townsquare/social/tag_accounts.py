"""Who used a tag or shared a link on a day: each account once, by the first of its statuses that stands.

Box: social. Only the first statuses of a day are looked at: one that posts without end costs no more and counts once.
"""

from collections.abc import Iterable

import msgspec

from townsquare.kit.snowflake import first_id_at, month_at
from townsquare.model.account import Visibility
from townsquare.model.facts import DAY_MS, Fact, fact_id
from townsquare.social.facts import ended, status_facts
from townsquare.store.port import Store
from townsquare.store.statuses import get_statuses
from townsquare.store.tables import AUTHOR_LOG
from townsquare.store.together import all_of

_FIRST = 100  # statuses of an author and day
_KINDS = {"tag": "tag_account", "link": "link_account"}


async def tag_accounts(store: Store, told: Iterable[Fact], gone: Iterable[Fact] = ()) -> list[Fact]:
    """The facts of accounts that go with these of tags and links: of those that stand, and of those that do no longer.

    Cost: two reads for each author and day.
    """
    told, gone = [fact for fact in told if fact.kind in _KINDS], [fact for fact in gone if fact.kind in _KINDS]
    wanted = {(fact.actor, fact.at_ms // DAY_MS, fact.kind, fact.label) for fact in (*told, *gone)}
    days = dict.fromkeys((author, day) for author, day, _, _ in wanted)
    found = await all_of(_of_day(store, author, day) for author, day in days)
    first: dict[tuple[int, int, str, str], Fact] = {}
    for fact in (fact for facts in found for fact in facts):
        first.setdefault((fact.actor, fact.at_ms // DAY_MS, fact.kind, fact.label), fact)
    holders = [_account_fact(fact) for key, fact in first.items() if key in wanted]
    return [*holders, *ended(_account_fact(fact) for fact in gone)]


def _account_fact(fact: Fact) -> Fact:
    kind = _KINDS[fact.kind]
    return msgspec.structs.replace(fact, id=fact_id(kind, fact.id), kind=kind, object=0, language="")


async def _of_day(store: Store, author: int, day: int) -> list[Fact]:
    """Tags and links of an author's first statuses of a day that stand, in their order."""
    start_ms = day * DAY_MS
    rows = await store.range(
        AUTHOR_LOG,
        (author, month_at(start_ms)),
        above=first_id_at(start_ms) - 1,
        below=first_id_at(start_ms + DAY_MS),
        limit=_FIRST,
        reverse=True,
    )
    ids = [row.status_id for row in rows if row.visibility == Visibility.PUBLIC and not row.boost_of]
    found = await get_statuses(store, ids) if ids else []
    return [fact for status in found if status is not None for fact in status_facts(status) if fact.kind in _KINDS]
