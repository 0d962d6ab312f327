"""Links that are sent to somebody and work once: confirm an address, choose a new password, become the owner.

Box: social.
"""

import msgspec

from townsquare.kit.emails import parse_email
from townsquare.kit.secrets import hash_secret, new_secret
from townsquare.model.account import Account, Role, User
from townsquare.model.errors import Invalid, NotFound
from townsquare.model.tasks import SendMail
from townsquare.social import sign_up_form
from townsquare.social.ports import Ports
from townsquare.social.users import OWNER_SETTING, change_user, set_password, sign_up
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNTS, SECRETS, SETTINGS, USERS, SecretRow

CONFIRM, RESET, OWNER = "confirm", "reset", "owner"
LIFE_MS = {CONFIRM: 7 * 86_400_000, RESET: 6 * 3_600_000, OWNER: 7 * 86_400_000}
_PATHS = {CONFIRM: "/auth/confirmation?confirmation_token=", RESET: "/auth/password/edit?token=", OWNER: "/owner/"}
_MAX_SECRET = 100  # characters


class LinkIsOver(NotFound):
    """The link was used, is too old, was sent to an address that has changed since, or never was one."""

    def __init__(self) -> None:
        super().__init__("This link does not work any more. Ask for a new one.")


async def make_link(ports: Ports, *, kind: str, account_id: int, email: str) -> str:
    """A new link's address. Its secret is kept as a hash."""
    secret = new_secret()
    row = SecretRow(
        secret_hash=hash_secret(secret), kind=kind, account_id=account_id, email=email, created_ms=ports.clock.now_ms()
    )
    await ports.store.write([Put(SECRETS, row)])
    return f"{ports.settings.url}{_PATHS[kind]}{secret}"


async def look_at(ports: Ports, *, kind: str, secret: str) -> SecretRow:
    """The link's row, if it still works. Nothing is used up.

    Raises: LinkIsOver.
    """
    row = await ports.store.get(SECRETS, (hash_secret(secret),)) if len(secret) <= _MAX_SECRET else None
    if row is None or row.kind != kind or row.used or ports.clock.now_ms() - row.created_ms > LIFE_MS[kind]:
        raise LinkIsOver
    if kind != OWNER:
        user = await ports.store.get(USERS, (row.account_id,))
        if user is None or user.email != row.email or (kind == RESET and user.reset_ms >= row.created_ms):
            raise LinkIsOver
    return row


async def confirm_email(ports: Ports, *, secret: str) -> User:
    """Confirm the address that the link was sent to, if it is still the user's.

    Raises: LinkIsOver.
    """
    return await _confirm(ports, await _use(ports, kind=CONFIRM, secret=secret))


async def _confirm(ports: Ports, row: SecretRow) -> User:
    return await change_user(
        ports,
        row.account_id,
        lambda user: msgspec.structs.replace(user, confirmed=True) if user.email == row.email else user,
    )


async def reset_password(ports: Ports, *, secret: str, password: str) -> None:
    """Set a new password by a link. Every session and token of the user ends; the address counts as confirmed.

    Raises: LinkIsOver; Invalid, and then the link still works.
    """
    sign_up_form.check_password(password)
    row = await _use(ports, kind=RESET, secret=secret)
    await set_password(ports, row.account_id, password)
    await _confirm(ports, row)


async def ask_for_mail(ports: Ports, *, kind: str, email: str) -> None:
    """Have a link sent to whoever has this address, if anybody has. The asker cannot tell, not even by the time."""
    task = SendMail(mail_id=ports.new_id(), kind=kind, account_id=0, to=parse_email(email) or "")
    await ports.outbox.commit([], tasks=[task])


async def owner_link(ports: Ports) -> str | None:
    """A link that makes its visitor the owner; None where there is one already."""
    if await ports.store.get(SETTINGS, (OWNER_SETTING,)) is not None:
        return None
    return await make_link(ports, kind=OWNER, account_id=0, email="")


async def become_owner(
    ports: Ports, *, secret: str, username: str, email: str, password: str, agreed: bool
) -> tuple[Account, User]:
    """Sign up as the owner by the link. Exactly one can.

    Raises: LinkIsOver; Invalid, and then the link still works.
    """
    await check_no_owner(ports)
    row = await _use(ports, kind=OWNER, secret=secret)
    try:
        account, user = await sign_up(
            ports, username=username, email=email, password=password, agreed=agreed, role=Role.OWNER, confirmed=True
        )
    except Invalid:
        await ports.store.slow_compare_and_set(SECRETS, msgspec.structs.replace(row, used=True), row)
        raise
    first = await ports.store.get(SETTINGS, (OWNER_SETTING,))
    if first is None or first.value != str(account.account_id).encode():
        await ports.store.write([Put(ACCOUNTS, msgspec.structs.replace(account, role=Role.USER))])
        raise LinkIsOver  # somebody was quicker, by another link
    return account, user


async def check_no_owner(ports: Ports) -> None:
    """That the server has no owner yet.

    Raises: LinkIsOver.
    """
    if await ports.store.get(SETTINGS, (OWNER_SETTING,)) is not None:
        raise LinkIsOver


async def _use(ports: Ports, *, kind: str, secret: str) -> SecretRow:
    row = await look_at(ports, kind=kind, secret=secret)
    if not await ports.store.slow_compare_and_set(SECRETS, row, msgspec.structs.replace(row, used=True)):
        raise LinkIsOver
    return row
