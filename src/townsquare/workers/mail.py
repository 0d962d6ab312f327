"""Mail to users: each message once, its secret made when it goes out.

Box: workers.
"""

from townsquare.kit.secrets import hash_secret
from townsquare.mail.port import Mail
from townsquare.model.account import User
from townsquare.model.errors import Unavailable
from townsquare.model.tasks import SendMail
from townsquare.social.links import CONFIRM, RESET, make_link
from townsquare.social.ports import Ports
from townsquare.social.users import find_by_email
from townsquare.store.port import Delete
from townsquare.store.tables import SECRETS, USERS, SecretRow
from townsquare.workers.jobs import Job, Jobs

TAKEN = "taken"
_SENT = "sent"  # kind of the row that says that a message was handed over


async def send_mail(task: SendMail, ports: Ports) -> None:
    """Send one message, if its person still is who it was meant for. A repeat sends nothing.

    Raises: Unavailable; then nothing was sent, and a repeat sends it.
    """
    user = await _receiver(task, ports)
    if user is None or (task.kind == CONFIRM and user.confirmed):
        return
    claim = SecretRow(
        secret_hash=hash_secret(f"mail {task.mail_id}"),
        kind=_SENT,
        account_id=user.account_id,
        created_ms=ports.clock.now_ms(),
    )
    if await ports.store.slow_put_if_absent(SECRETS, claim) is not None:
        return
    try:
        await ports.mail.send(await _message(task.kind, user, ports))
    except Unavailable:
        await ports.store.write([Delete(SECRETS, (claim.secret_hash,))])
        raise


async def _receiver(task: SendMail, ports: Ports) -> User | None:
    if not task.account_id:
        return await find_by_email(ports, task.to)
    user = await ports.store.get(USERS, (task.account_id,))
    return user if user is not None and user.email == task.to else None


async def _message(kind: str, user: User, ports: Ports) -> Mail:
    title = " ".join(ports.settings.title.split())
    if kind == TAKEN:
        link = f"{ports.settings.url}/auth/password/new"
        subject, words = f"You have an account at {title} already", (
            "Somebody, perhaps you, tried to sign up with this address, which has an account already.\n"
            "If you forgot your password, ask for a new one here:"
        )  # fmt: skip
    elif kind == RESET:
        link = await make_link(ports, kind=RESET, account_id=user.account_id, email=user.email)
        subject, words = f"Choose a new password for {title}", (
            "Somebody, perhaps you, asked for a new password. Choose one here within six hours:"
        )  # fmt: skip
    else:
        link = await make_link(ports, kind=CONFIRM, account_id=user.account_id, email=user.email)
        subject, words = f"Confirm your e-mail address for {title}", "Open this link to confirm your address:"
    text = f"{words}\n\n{link}\n\nIf this was not you, you can ignore this mail.\n"
    return Mail(to=user.email, subject=subject, text=text)


JOBS: Jobs = {SendMail: Job(send_mail, tries=8)}
