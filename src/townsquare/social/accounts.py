"""Accounts: find them, change them, end them; and their statuses as others may see them.

Box: social. Source: Mastodon API, /methods/accounts/
"""

from collections.abc import Callable, Sequence

import msgspec

from townsquare.model.account import Account
from townsquare.model.errors import Conflict, NotFound
from townsquare.model.paging import Window
from townsquare.model.status import Status
from townsquare.model.tasks import AnyTask, DeleteFiles, DeleteStatuses, IndexAccount, IndexAuthor
from townsquare.render.status import Person, StatusView
from townsquare.social.cdn import picture_keys
from townsquare.social.hydrate import drop_accounts, people, statuses
from townsquare.social.ports import Ports
from townsquare.social.seeing import may_list, may_see
from townsquare.social.sessions import drop_account_sessions
from townsquare.social.tokens import revoke_all
from townsquare.social.users import forget_user
from townsquare.social.viewer import Viewer
from townsquare.store import accounts as rows
from townsquare.store.author_log import log_page, pinned
from townsquare.store.tables import ACCOUNTS, LogRow

_TRIES = 10
_STEPS = 5  # readings for one page whose rows are hidden from the viewer


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of an author's statuses are asked for."""

    only_media: bool = False
    exclude_replies: bool = False
    exclude_reblogs: bool = False
    tagged: str = ""

    def takes(self, row: LogRow) -> bool:
        """Whether the row is one of them. An author's replies to themself are no replies."""
        return not (
            (self.only_media and (not row.media or row.boost_of))
            or (self.exclude_replies and row.reply_to and row.reply_to_author != row.author)
            or (self.exclude_reblogs and row.boost_of)
            or (self.tagged and self.tagged.lower() not in (tag.lower() for tag in row.tags))
        )


async def standing(ports: Ports, account_id: int) -> Person:
    """An account that is neither deleted nor suspended.

    Raises: NotFound.
    """
    (person,) = await people(ports, [account_id])
    if person is None or person.account.is_gone:
        raise NotFound
    return person


async def shown(ports: Ports, account_id: int) -> Person:
    """An account as its page shows it: a suspended one says so, a deleted one is not there.

    Raises: NotFound.
    """
    (person,) = await people(ports, [account_id])
    if person is None or person.account.deleted:
        raise NotFound
    return person


async def standing_people(ports: Ports, ids: Sequence[int]) -> list[Person]:
    """Those of the accounts that people may see in lists, in the ids' order."""
    return [person for person in await people(ports, ids) if person is not None and not person.account.is_gone]


async def shown_jsons(ports: Ports, ids: Sequence[int]) -> list[bytes]:
    """The JSON of those accounts that people may see in lists, in the ids' order."""
    return [person.json for person in await standing_people(ports, ids)]


async def lookup(ports: Ports, handle: str) -> Person:
    """The account of `name` or `name@this.server`, with or without @ before it, in any case.

    Raises: NotFound.
    """
    account = await find_handle(ports, handle)
    if account is None:
        raise NotFound
    return await shown(ports, account.account_id)


async def find_handle(ports: Ports, handle: str) -> Account | None:
    """The account of a handle; None where there is none or it was deleted."""
    name, _, domain = handle.strip().removeprefix("@").partition("@")
    if domain.lower() in (ports.settings.domain.lower(), ports.settings.domain.lower().partition(":")[0]):
        domain = ""
    if not name or len(name) > 100 or len(domain) > 255:
        return None
    account = await rows.by_handle(ports.store, name, domain)
    return None if account is None or account.deleted else account


# Statuses of an account -----------------------------------------------------------------------------------------------


async def account_statuses(
    ports: Ports, *, account_id: int, viewer: Viewer, window: Window, wanted: LogFilter
) -> tuple[list[StatusView], int | None]:
    """What the viewer may see of an account's statuses, newest first, and the id from which the next page goes on
    (None where there is no more). Hidden statuses do not shorten a page.

    Raises: NotFound.
    """
    await standing(ports, account_id)
    if account_id in viewer.blocked_by:
        return [], None
    gate = _page_gate(account_id)
    found: list[StatusView] = []
    for _ in range(_STEPS):
        page, last = await log_page(ports.store, account_id, window, wanted.takes)
        views = await statuses(ports, [row.status_id for row in page], viewer, gate=gate)
        room = window.limit - len(found)
        found += views[:room]
        if len(views) > room:
            last = found[-1].status.status_id
        if last is None or len(found) >= window.limit:
            break
        window = window.beyond(last)
    return window.newest_first(found), last


def _page_gate(account_id: int) -> Callable[[Viewer, Status, Account], bool]:
    """Who opens a profile wants to see it, also of somebody muted; but not what it boosts of others who are."""

    def gate(viewer: Viewer, status: Status, author: Account) -> bool:
        return (may_see if status.author == account_id else may_list)(viewer, status, author)

    return gate


async def pinned_statuses(ports: Ports, *, account_id: int, viewer: Viewer, limit: int) -> list[StatusView]:
    """An account's pinned statuses that the viewer may see.

    Raises: NotFound.
    """
    await standing(ports, account_id)
    if account_id in viewer.blocked_by:
        return []
    return await statuses(ports, await pinned(ports.store, account_id, limit=limit), viewer, gate=may_see)


# Changes --------------------------------------------------------------------------------------------------------------


async def change_account(
    ports: Ports, account_id: int, change: Callable[[Account], Account], *, tasks: Sequence[AnyTask] = ()
) -> Account:
    """Change an account's row by what `change` makes of it; no change by others is lost. All see it at once.

    Raises: NotFound where there is no such account; Conflict where others change it without end.
    """
    for _ in range(_TRIES):
        old = await ports.store.get(ACCOUNTS, (account_id,))
        if old is None or old.deleted:
            raise NotFound
        new = change(old)
        if new != old:
            new = msgspec.structs.replace(new, version=old.version + 1)
            if not await ports.store.slow_compare_and_set(ACCOUNTS, old, new):
                continue
        # On a repeat too: whoever wrote the same before may have died right after.
        await ports.outbox.commit(tasks=[IndexAccount(account_id=account_id), *tasks])
        await drop_accounts(ports, [account_id])
        await drop_account_sessions(ports, account_id)
        return new
    raise Conflict("Somebody else is changing this account just now")


async def suspend(ports: Ports, account_id: int, *, suspended: bool = True) -> None:
    """Hide an account and all it wrote from everybody, or show it again. Its tokens stay but open nothing.

    Raises: NotFound.
    """
    anew = [IndexAuthor(account_id)]
    await change_account(ports, account_id, lambda old: msgspec.structs.replace(old, suspended=suspended), tasks=anew)


async def delete(ports: Ports, account_id: int) -> None:
    """End an account for good: gone from every page at once, its tokens dead, its name taken for ever. What it wrote
    is removed by the workers.

    Raises: NotFound.
    """

    def empty(old: Account) -> Account:
        return Account(
            account_id=old.account_id,
            username=old.username,
            domain=old.domain,
            created_ms=old.created_ms,
            deleted=True,
            suspended=True,
        )

    (person,) = await people(ports, [account_id])
    was_suspended = person is not None and person.account.suspended
    tasks: list[AnyTask] = [DeleteStatuses(account_id=account_id)]
    if person is not None and (keys := picture_keys(person.account)):
        tasks.append(DeleteFiles(keys))
    await change_account(ports, account_id, empty, tasks=tasks)
    await forget_user(ports, account_id, frees_address=not was_suspended)
    await revoke_all(ports, account_id)
