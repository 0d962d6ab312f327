"""What may be mailed, and a message in the form in which mail travels.

Box: mail.
"""

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from townsquare.mail.port import Mail

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\\\"]+@[^\s@,;:<>()\[\]\\\"]+")
_LONGEST_ADDRESS = 254
_LONGEST_SUBJECT = 500


def checked(mail: Mail) -> Mail:
    """The mail, if no header of it can carry another one.

    Raises: ValueError.
    """
    if len(mail.to) > _LONGEST_ADDRESS or _CONTROL.search(mail.to) or not _ADDRESS.fullmatch(mail.to):
        raise ValueError("not one e-mail address")
    if len(mail.subject) > _LONGEST_SUBJECT or _CONTROL.search(mail.subject):
        raise ValueError("not a subject of one line")
    return mail


def message_bytes(mail: Mail, *, sender: str, now_ms: int) -> bytes:
    """A checked mail as bytes with the headers that every message needs."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(now_ms / 1000, UTC))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text.encode("utf-8", "replace").decode(), cte="quoted-printable")
    return message.as_bytes()
