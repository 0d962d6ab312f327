"""Tokens: given out once as a secret, kept as its hash, ended everywhere at once.

Box: social. Source: Mastodon API, /methods/oauth/
"""

from collections.abc import Sequence

import msgspec

from townsquare.kit.secrets import hash_secret, new_secret
from townsquare.model.account import App, Token
from townsquare.social.ports import Ports
from townsquare.social.sessions import drop_sessions
from townsquare.store.port import Delete, Put
from townsquare.store.tables import ACCOUNT_TOKENS, TOKENS, AccountTokenRow

_PAGE = 500


async def issue_token(ports: Ports, *, account_id: int, app: App | None, scopes: Sequence[str]) -> tuple[str, Token]:
    """A new token: its secret, told this once, and its row.

    `account_id` 0: of the app, no user; `app` None: a browser's session, or one made by the command line.
    """
    secret = new_secret()
    token = Token(
        token_hash=hash_secret(secret),
        token_id=ports.new_id(),
        account_id=account_id,
        client_id=app.client_id if app else "",
        app_name=app.name if app else "",
        app_website=app.website if app else "",
        scopes=tuple(scopes),
        created_ms=ports.clock.now_ms(),
    )
    found = [Put(ACCOUNT_TOKENS, AccountTokenRow(account_id=account_id, token_hash=token.token_hash))]
    await ports.store.write(found if account_id else [], [Put(TOKENS, token)])
    if account_id:
        ports.facts.log_in(account_id, token.token_id, token.app_name)
    return secret, token


async def revoke_token(ports: Ports, token: Token) -> None:
    """End one token; its streams close."""
    await _revoke(ports, token.account_id, [token])


async def revoke_hash(ports: Ports, token_hash: bytes) -> None:
    """End the token with this hash, if there is one."""
    token = await ports.store.get(TOKENS, (token_hash,))
    if token is not None:
        await revoke_token(ports, token)


async def revoke_all(ports: Ports, account_id: int, *, except_hash: bytes = b"") -> None:
    """End all tokens and sessions of a user, but perhaps the present one."""
    above: bytes | None = None
    while True:
        rows = await ports.store.range(ACCOUNT_TOKENS, (account_id,), above=above, limit=_PAGE)
        found = await ports.store.get_many(TOKENS, [(row.token_hash,) for row in rows])
        await _revoke(ports, account_id, [token for token in found if token and token.token_hash != except_hash])
        if len(rows) < _PAGE:
            return
        above = rows[-1].token_hash


async def _revoke(ports: Ports, account_id: int, tokens: Sequence[Token]) -> None:
    if not tokens:
        return
    await ports.store.write(
        [Put(TOKENS, msgspec.structs.replace(token, revoked=True)) for token in tokens],
        [Delete(ACCOUNT_TOKENS, (account_id, token.token_hash)) for token in tokens] if account_id else [],
    )
    await drop_sessions(ports, account_id, [token.token_hash for token in tokens])
