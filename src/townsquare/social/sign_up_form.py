"""What a person types to sign up, checked as Mastodon checks it: codes and words per field.

Box: social. Source: Mastodon API, /methods/accounts/#create
"""

import re

import msgspec

from townsquare.kit.emails import parse_email
from townsquare.model.errors import Invalid

USERNAME_CHARACTERS = 30
PASSWORD_CHARACTERS = (8, 256)
RESERVED = frozenset({
    "abuse", "account", "accounts", "admin", "administration", "administrator", "admins", "help", "helpdesk",
    "instance", "mod", "moderator", "moderators", "mods", "owner", "root", "security", "server", "staff", "support",
    "webmaster",
})  # fmt: skip
_USERNAME = re.compile(r"[A-Za-z0-9_]+")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")

Fault = tuple[str, str]  # code, words
BLANK: Fault = ("ERR_BLANK", "can't be blank")
TAKEN: Fault = ("ERR_TAKEN", "has already been taken")
_LABELS = {
    "username": "Username",
    "email": "E-mail address",
    "password": "Password",
    "agreement": "Service agreement",
    "locale": "Locale",
    "reason": "Reason",
}


class SignUp(msgspec.Struct, frozen=True, kw_only=True):
    """A checked form, without the password."""

    username: str
    email: str  # parsed
    locale: str


def check(*, username: str, email: str, password: str, agreed: bool, locale: str, may_reserve: bool) -> SignUp:
    """The form, if all of it can be used.

    Raises: Invalid with every fault.
    """
    faults = {
        "username": _username_fault(username, may_reserve=may_reserve),
        "email": _email_fault(email),
        "password": _password_fault(password),
        "agreement": None if agreed else ("ERR_ACCEPTED", "must be accepted"),
        "locale": None if _LOCALE.fullmatch(locale) else ("ERR_INCLUSION", "is not included in the list"),
    }
    refuse_all({field: fault for field, fault in faults.items() if fault})
    return SignUp(username=username, email=parse_email(email) or "", locale=locale)


def check_password(password: str) -> None:
    """That a password can be used.

    Raises: Invalid.
    """
    fault = _password_fault(password)
    refuse_all({"password": fault} if fault else {})


def check_email(email: str) -> str:
    """The address as it is kept.

    Raises: Invalid.
    """
    address, fault = parse_email(email), _email_fault(email)
    refuse_all({"email": fault} if fault else {})
    return address or ""


def refuse(field: str, fault: Fault) -> Invalid:
    """The error for one fault."""
    return _error({field: fault})


def refuse_all(faults: dict[str, Fault]) -> None:
    """Raise the error for these faults, if there are any.

    Raises: Invalid.
    """
    if faults:
        raise _error(faults)


def is_username(text: str) -> bool:
    """Whether a local account could have this name."""
    return len(text) <= USERNAME_CHARACTERS and _USERNAME.fullmatch(text) is not None


def _error(faults: dict[str, Fault]) -> Invalid:
    sentence = ", ".join(f"{_LABELS[field]} {words}" for field, (_, words) in faults.items())
    return Invalid(f"Validation failed: {sentence}", {field: [fault] for field, fault in faults.items()})


def _username_fault(username: str, *, may_reserve: bool) -> Fault | None:
    if not username:
        return BLANK
    if len(username) > USERNAME_CHARACTERS:
        return ("ERR_TOO_LONG", f"is too long (maximum is {USERNAME_CHARACTERS} characters)")
    if not _USERNAME.fullmatch(username):
        return ("ERR_INVALID", "must contain only letters, numbers and underscores")
    if username.lower() in RESERVED and not may_reserve:
        return ("ERR_RESERVED", "is reserved")
    return None


def _email_fault(email: str) -> Fault | None:
    if not email.strip():
        return BLANK
    return None if parse_email(email) else ("ERR_INVALID", "is invalid")


def _password_fault(password: str) -> Fault | None:
    shortest, longest = PASSWORD_CHARACTERS
    if not password:
        return BLANK
    if len(password) < shortest:
        return ("ERR_TOO_SHORT", f"is too short (minimum is {shortest} characters)")
    if len(password) > longest:
        return ("ERR_TOO_LONG", f"is too long (maximum is {longest} characters)")
    return None
