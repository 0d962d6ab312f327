"""The policy of an account: whose notices come, whose are held back, whose are dropped.

Box: social. Source: Mastodon API, /methods/notifications/#get-policy
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from townsquare.kit.snowflake import ms_of
from townsquare.model.account import Account, Visibility
from townsquare.model.errors import Conflict, Invalid
from townsquare.model.tasks import Notify
from townsquare.social.ports import Ports
from townsquare.social.viewer import viewer_of
from townsquare.store.follows import ON, follow_row
from townsquare.store.relations import relation
from townsquare.store.tables import ACCOUNTS, NOTIFICATION_POLICIES, STATUSES, NotificationPolicyRow

RULES = ("not_following", "not_followers", "new_accounts", "private_mentions", "limited_accounts")
LET_IN = "let_in"
_HELD_KINDS = ("mention", "status", "reblog", "follow", "follow_request", "favourite")
_TRIES = 10
_NEW_ACCOUNT_MS = 30 * 86_400_000
_NEW_FOLLOWER_MS = 3 * 86_400_000


class Verdict(StrEnum):
    """What becomes of a notice, in the API's words, the mildest first."""

    ACCEPT = "accept"
    FILTER = "filter"
    DROP = "drop"


async def read_policy(ports: Ports, account_id: int) -> NotificationPolicyRow:
    """The policy of an account; all is accepted where it never chose."""
    row = await ports.store.get(NOTIFICATION_POLICIES, (account_id,))
    return row if row is not None else NotificationPolicyRow(account_id=account_id)


async def change_policy(ports: Ports, *, actor: Account, to: Mapping[str, str]) -> NotificationPolicyRow:
    """Change the rules that are named, for notices from now on.

    Raises: Invalid for a word that is none, Conflict where other devices change it without end.
    """
    for rule, word in to.items():
        if word not in list(Verdict):
            name = f"for_{rule}"
            text = f"{name.replace('_', ' ').capitalize()} is not included in the list"
            raise Invalid(f"Validation failed: {text}", {name: [("ERR_INCLUSION", "is not included in the list")]})
    for _ in range(_TRIES):
        old = await ports.store.get(NOTIFICATION_POLICIES, (actor.account_id,))
        new = msgspec.structs.replace(old or NotificationPolicyRow(account_id=actor.account_id), **to)
        if new == old:
            return new
        if old is None:
            if await ports.store.slow_put_if_absent(NOTIFICATION_POLICIES, new) is None:
                return new
        elif await ports.store.slow_compare_and_set(NOTIFICATION_POLICIES, old, new):
            return new
    raise Conflict("Conflict during update, please try again")


async def verdict_on(ports: Ports, told: Notify) -> Verdict:
    """What the recipient's policy says to a notice. Cost: one read where all is accepted."""
    if told.kind not in _HELD_KINDS:
        return Verdict.ACCEPT
    policy = await read_policy(ports, told.recipient)
    strict = [rule for rule in RULES if getattr(policy, rule) != Verdict.ACCEPT]
    if not strict:
        return Verdict.ACCEPT
    let_in = await relation(ports.store, told.recipient, LET_IN, told.actor)
    if let_in is not None and let_in.on:
        return Verdict.ACCEPT
    words = {getattr(policy, rule) for rule in await _met(ports, told, strict)}
    return next((word for word in (Verdict.DROP, Verdict.FILTER) if word in words), Verdict.ACCEPT)


async def _met(ports: Ports, told: Notify, rules: list[str]) -> list[str]:
    """Which of the rules the notice falls under."""
    stranger = told.actor not in (await viewer_of(ports, told.recipient)).following
    actor = await ports.store.get(ACCOUNTS, (told.actor,))
    now = ports.clock.now_ms()
    met = {
        "not_following": stranger,
        "new_accounts": stranger and actor is not None and now - actor.created_ms < _NEW_ACCOUNT_MS,
        "limited_accounts": stranger and actor is not None and actor.limited,
        "private_mentions": "private_mentions" in rules and stranger and await _is_unasked(ports, told),
        "not_followers": "not_followers" in rules and not await _follows_for_long(ports, told, now),
    }
    return [rule for rule in rules if met[rule]]


async def _is_unasked(ports: Ports, told: Notify) -> bool:
    """Whether it is a direct status that does not answer the recipient."""
    status = await ports.store.get(STATUSES, (told.status_id,)) if told.kind == "mention" else None
    return status is not None and status.visibility is Visibility.DIRECT and status.reply_to_author != told.recipient


async def _follows_for_long(ports: Ports, told: Notify, now: int) -> bool:
    """Whether the actor has followed the recipient for three days."""
    row = await follow_row(ports.store, told.actor, told.recipient)
    return row is not None and row.state == ON and now - ms_of(row.since_id) >= _NEW_FOLLOWER_MS
