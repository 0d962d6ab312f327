"""Authorization codes: a person allows a program, the program turns the code into a token, once.

Box: social. Source: RFC 6749, 4.1; RFC 7636; Mastodon API, /methods/oauth/
"""

import base64
import hashlib
import re

import msgspec

from townsquare.kit.secrets import hash_secret, is_same, new_secret
from townsquare.model.account import Account, App, Token
from townsquare.model.errors import Forbidden, TownsquareError
from townsquare.social.apps import may_redirect
from townsquare.social.ports import Ports
from townsquare.social.tokens import issue_token, revoke_hash, revoke_token
from townsquare.social.users import check_log_in
from townsquare.store.port import Put
from townsquare.store.tables import ACCOUNTS, CODES, USERS, CodeRow

CODE_LIFE_MS = 600_000
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class InvalidGrant(TownsquareError):
    """The code, or whatever else was offered, is not good (any more). One answer for all reasons."""

    def __init__(self) -> None:
        super().__init__(
            "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in "
            "the authorization request, or was issued to another client."
        )


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What a program asks a person for, checked."""

    app: App
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str = ""
    challenge: str = ""


def is_challenge(text: str) -> bool:
    """Whether this can be the S256 challenge of PKCE."""
    return _CHALLENGE.fullmatch(text) is not None


async def allow(ports: Ports, *, actor: Account, consent: Consent) -> str:
    """A new code for what the actor allows."""
    code = new_secret()
    row = CodeRow(
        code_hash=hash_secret(code),
        client_id=consent.app.client_id,
        redirect_uri=consent.redirect_uri,
        account_id=actor.account_id,
        scopes=consent.scopes,
        challenge=consent.challenge,
        created_ms=ports.clock.now_ms(),
    )
    await ports.store.write([Put(CODES, row)])
    return code


async def redeem(ports: Ports, *, app: App, code: str, redirect_uri: str, verifier: str) -> tuple[str, Token]:
    """A token for a code. A code that comes again ends the token that it was good for.

    Raises: InvalidGrant; Forbidden where the user may not log in any more.
    """
    row = await ports.store.get(CODES, (hash_secret(code),))
    if row is None or row.client_id != app.client_id:
        raise InvalidGrant
    if row.token_hash:
        await revoke_hash(ports, row.token_hash)
        raise InvalidGrant
    if ports.clock.now_ms() - row.created_ms > CODE_LIFE_MS or row.redirect_uri != redirect_uri:
        raise InvalidGrant
    if not may_redirect(app, redirect_uri) or not _is_proof(row.challenge, verifier):
        raise InvalidGrant
    await _check_user(ports, row)
    # The token is there before the code is marked, so that whoever comes second always finds it to end it.
    secret, token = await issue_token(ports, account_id=row.account_id, app=app, scopes=row.scopes)
    if await ports.store.slow_compare_and_set(CODES, row, msgspec.structs.replace(row, token_hash=token.token_hash)):
        return secret, token
    await revoke_token(ports, token)
    first = await ports.store.get(CODES, (row.code_hash,))
    if first is not None and first.token_hash:
        await revoke_hash(ports, first.token_hash)
    raise InvalidGrant


async def _check_user(ports: Ports, row: CodeRow) -> None:
    """That the code's user may still act, and that no new password was set since."""
    user = await ports.store.get(USERS, (row.account_id,))
    account = await ports.store.get(ACCOUNTS, (row.account_id,))
    if user is None or account is None or user.reset_ms > row.created_ms:
        raise InvalidGrant
    try:
        check_log_in(account, user)
    except Forbidden as exc:
        raise InvalidGrant from exc


def _is_proof(challenge: str, verifier: str) -> bool:
    if not challenge:
        return not verifier
    if not _VERIFIER.fullmatch(verifier):
        return False
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return is_same(made, challenge.encode())
