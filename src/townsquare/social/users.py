"""Users: sign up, log in, change what only the person may change.

Box: social. Source: Mastodon API, /methods/accounts/#create
"""

from collections.abc import Callable

import msgspec

from townsquare.kit.emails import email_hash, parse_email
from townsquare.kit.snowflake import ms_of
from townsquare.model.account import Account, AccountStats, Role, User
from townsquare.model.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from townsquare.model.tasks import AnyTask, IndexAccount, SendMail
from townsquare.social import sign_up_form
from townsquare.social.facts import sign_up_fact, told
from townsquare.social.passwords import NOBODY
from townsquare.social.ports import Ports
from townsquare.social.sessions import drop_account_sessions
from townsquare.social.sign_up_form import TAKEN, refuse
from townsquare.social.tokens import revoke_all
from townsquare.store.port import Put
from townsquare.store.tables import (
    ACCOUNT_STATS,
    ACCOUNTS,
    HANDLES,
    LOGINS,
    SETTINGS,
    USERS,
    HandleRow,
    LoginRow,
    SettingRow,
)

UNCONFIRMED = "Your login is missing a confirmed e-mail address"
UNAPPROVED = "Your login is currently pending approval"
DISABLED = "Your login is currently disabled"
OWNER_SETTING = "owner"  # the account id of the first owner, in decimal
_CLAIM_MS = 60_000  # a name claimed this long ago by an account that never came is free again
_HURRY_MS = 30_000  # a sign-up that takes longer stops, so that it cannot meet one that took its name over
_TRIES = 10


async def sign_up(
    ports: Ports,
    *,
    username: str,
    email: str,
    password: str,
    agreed: bool,
    locale: str = "en",
    role: Role = Role.USER,
    confirmed: bool = False,
) -> tuple[Account, User]:
    """Make an account with its log-in. Where it is not `confirmed` (and the server asks for that), a mail goes out.

    A crash in the middle leaves nothing that a repeat does not finish.
    Raises: Invalid with details per field.
    """
    form = sign_up_form.check(
        username=username, email=email, password=password, agreed=agreed, locale=locale, may_reserve=role != Role.USER
    )
    confirmed = confirmed or ports.settings.test_mode or not ports.settings.confirm_email
    password_hash = await ports.passwords.hash(password)
    return await create_user(ports, form, password_hash=password_hash, role=role, confirmed=confirmed)


async def create_user(
    ports: Ports, form: sign_up_form.SignUp, *, password_hash: str, role: Role = Role.USER, confirmed: bool
) -> tuple[Account, User]:
    """`sign_up` from its second half on: the form is checked, the password hashed.

    Raises: Invalid where the name or the address is taken.
    """
    started_ms = ports.clock.now_ms()
    account_id = await _claim_email(ports, form)
    await _claim_name(ports, form, account_id)
    account = Account(account_id=account_id, username=form.username, created_ms=ms_of(account_id), role=role)
    if ports.clock.now_ms() - started_ms > _HURRY_MS:
        raise Unavailable("Signing up took too long; please try again")
    other = await ports.store.slow_put_if_absent(ACCOUNTS, account)
    if other is not None and other.username.lower() != account.username.lower():
        raise refuse("email", TAKEN)  # the same address, at the same time, for another name
    user = User(
        account_id=account_id,
        email=form.email,
        password_hash=password_hash,
        locale=form.locale,
        confirmed=confirmed,
        agreed_ms=started_ms,
    )
    tasks: list[AnyTask] = [IndexAccount(account_id=account_id), *told([sign_up_fact(other or account)])]
    if not confirmed:
        tasks.append(SendMail(mail_id=ports.new_id(), kind="confirm", account_id=account_id, to=form.email))
    if role == Role.OWNER:
        owner = SettingRow(name=OWNER_SETTING, value=str(account_id).encode())
        await ports.store.slow_put_if_absent(SETTINGS, owner)
    await ports.outbox.commit([Put(USERS, user), Put(ACCOUNT_STATS, AccountStats(account_id=account_id))], tasks=tasks)
    return other or account, user


async def _claim_email(ports: Ports, form: sign_up_form.SignUp) -> int:
    """The account id for the address: a new one, or that of a sign-up with it that did not come to its end."""
    row = LoginRow(email_hash=email_hash(form.email), account_id=ports.new_id())
    old = await ports.store.slow_put_if_absent(LOGINS, row)
    if old is None:
        return row.account_id
    account = await ports.store.get(ACCOUNTS, (old.account_id,))
    is_same_name = account is not None and account.username.lower() == form.username.lower()
    is_new = ports.clock.now_ms() - ms_of(old.account_id) < _CLAIM_MS
    if await ports.store.get(USERS, (old.account_id,)) is None:
        if is_same_name or (is_new and account is None):
            return old.account_id
        if not is_new and await ports.store.slow_compare_and_set(LOGINS, old, row):
            return row.account_id
    raise refuse("email", TAKEN)


async def _claim_name(ports: Ports, form: sign_up_form.SignUp, account_id: int) -> None:
    row = HandleRow(domain="", name=form.username.lower(), account_id=account_id)
    old = await ports.store.slow_put_if_absent(HANDLES, row)
    if old is None or old.account_id == account_id:
        return
    is_old = ports.clock.now_ms() - ms_of(old.account_id) > _CLAIM_MS
    # Old and without an account: whoever claimed it died on the way. One that was deleted still has its row.
    is_free = is_old and await ports.store.get(ACCOUNTS, (old.account_id,)) is None
    if is_free and await ports.store.slow_compare_and_set(HANDLES, old, row):
        return
    raise refuse("username", TAKEN)


async def authenticate(ports: Ports, *, login: str, password: str) -> tuple[Account, User]:
    """The account and user behind an e-mail address or a name, if the password is right.

    A wrong password and an unknown name give the same answer after the same work.
    Raises: Invalid where they do not match; Forbidden, only with the right password, where the log-in is closed.
    """
    account_id = await find_login(ports, login)
    user, account = await ports.store.get(USERS, (account_id,)), await ports.store.get(ACCOUNTS, (account_id,))
    is_right = await ports.passwords.is_right(user.password_hash if user else NOBODY, password)
    if not is_right or user is None or account is None or account.deleted:
        raise Invalid("Invalid e-mail address or password.")
    check_log_in(account, user)
    return account, user


def check_log_in(account: Account, user: User) -> None:
    """That this user may act at all.

    Raises: Forbidden with the reason.
    """
    if reason := closed_reason(account, user):
        raise Forbidden(reason)


def closed_reason(account: Account, user: User) -> str:
    """Why a user may not act just now; empty if they may."""
    if user.disabled or account.is_gone:
        return DISABLED
    if not user.confirmed:
        return UNCONFIRMED
    if not user.approved:
        return UNAPPROVED
    return ""


async def find_login(ports: Ports, login: str) -> int:
    """The account id, 0 for nobody. One read either way."""
    address = parse_email(login) if "@" in login else None
    if address is not None:
        row = await ports.store.get(LOGINS, (email_hash(address),))
        return row.account_id if row else 0
    name = login.strip().removeprefix("@").lower()
    handle = await ports.store.get(HANDLES, ("", name if sign_up_form.is_username(name) else ""))
    return handle.account_id if handle else 0


async def find_by_email(ports: Ports, email: str) -> User | None:
    """The user whose mailbox this is."""
    address = parse_email(email)
    row = await ports.store.get(LOGINS, (email_hash(address),)) if address else None
    return await ports.store.get(USERS, (row.account_id,)) if row else None


async def change_user(ports: Ports, account_id: int, change: Callable[[User], User]) -> User:
    """Change a user's row by what `change` makes of it; no change by others is lost. Sessions see it at once.

    Raises: NotFound where there is no such user; Conflict where others change it without end.
    """
    for _ in range(_TRIES):
        old = await ports.store.get(USERS, (account_id,))
        if old is None:
            raise NotFound
        new = change(old)
        if new == old or await ports.store.slow_compare_and_set(USERS, old, new):
            await drop_account_sessions(ports, account_id)
            return new
    raise Conflict("Somebody else is changing this user just now")


async def set_password(ports: Ports, account_id: int, password: str, *, keep_hash: bytes = b"") -> None:
    """Give a user a new password. All codes and links made before are dead, and all tokens but perhaps the present one.

    Raises: Invalid, NotFound.
    """
    sign_up_form.check_password(password)
    password_hash = await ports.passwords.hash(password)
    now_ms = ports.clock.now_ms()
    await change_user(
        ports, account_id, lambda user: msgspec.structs.replace(user, password_hash=password_hash, reset_ms=now_ms)
    )
    await revoke_all(ports, account_id, except_hash=keep_hash)


async def check_password(ports: Ports, user: User, password: str) -> None:
    """That this is the user's password.

    Raises: Invalid.
    """
    if not await ports.passwords.is_right(user.password_hash, password):
        raise refuse("password", ("ERR_INVALID", "is invalid"))


async def change_email(ports: Ports, account_id: int, email: str) -> User:
    """Give a user another address, which must be confirmed anew; the old one is free again.

    Raises: Invalid, NotFound.
    """
    address = sign_up_form.check_email(email)
    row = LoginRow(email_hash=email_hash(address), account_id=account_id)
    other = await ports.store.slow_put_if_absent(LOGINS, row)
    if other is not None and other.account_id != account_id:
        raise refuse("email", TAKEN)
    old = await ports.store.get(USERS, (account_id,))
    is_confirmed = ports.settings.test_mode or not ports.settings.confirm_email
    user = await change_user(
        ports, account_id, lambda user: msgspec.structs.replace(user, email=address, confirmed=is_confirmed)
    )
    if old is not None and email_hash(old.email) != row.email_hash:
        await ports.store.drop(LOGINS, (email_hash(old.email),))
    if not is_confirmed:
        await send_confirmation(ports, user)
    return user


async def forget_user(ports: Ports, account_id: int, *, frees_address: bool) -> None:
    """Remove what only the person gave: address, password. Nobody can log in; links and codes are dead.

    `frees_address` False keeps the address from being used again, as after a suspension.
    Raises: NotFound.
    """
    old = await ports.store.get(USERS, (account_id,))
    await change_user(
        ports, account_id, lambda user: User(account_id=account_id, email="", password_hash=NOBODY, disabled=True)
    )
    if old is not None and old.email and frees_address:
        await ports.store.drop(LOGINS, (email_hash(old.email),))


async def send_confirmation(ports: Ports, user: User) -> None:
    """Send the mail with the link that confirms the user's present address."""
    task = SendMail(mail_id=ports.new_id(), kind="confirm", account_id=user.account_id, to=user.email)
    await ports.outbox.commit([], tasks=[task])
