"""Who a secret speaks for: a token with its account and user, kept in the cache; and how sessions end everywhere.

Box: social.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from townsquare.cache.port import Kind
from townsquare.kit.secrets import hash_secret
from townsquare.model.account import Account, Token, User
from townsquare.social.ports import Ports
from townsquare.store.tables import ACCOUNT_TOKENS, ACCOUNTS, TOKENS, USERS

ENDED_TOPIC = "sessions"  # of the bus; payload: SessionsChanged
MAX_TOKENS = 10_000  # of one account
_KNOWN_SECRETS = 10_000


class Session(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Who a secret speaks for: a token, revoked or not, its account and user (None both for an app's own token)."""

    token: Token
    account: Account | None = None
    user: User | None = None


class SessionsChanged(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Says on the bus that these tokens must be looked at anew: revoked, or their user's state changed."""

    account_id: int
    token_hashes: tuple[bytes, ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Session)
_CHANGED = msgspec.msgpack.Decoder(SessionsChanged)

SESSIONS: Kind[Session] = Kind(
    name="se", encode=_ENCODER.encode, decode=_DECODER.decode, ttl_s=300, capacity=100_000
)  # key: the token's hash in hexadecimal


@lru_cache(_KNOWN_SECRETS)
def session_key(secret: str) -> str:
    """The cache's key for a secret. Those of busy ones are at hand: the hash costs more than what it finds."""
    return hash_secret(secret).hex()


async def find_session(ports: Ports, key: str) -> Session | None:
    """The session behind a `session_key`, None where no such token was ever given out. Cost: none where this process
    knows it."""
    known = ports.cache.peek(SESSIONS, key)
    if known is not None:
        return known

    async def load(keys: Sequence[str]) -> list[Session | None]:
        return [await _load(ports, bytes.fromhex(key)) for key in keys]

    return (await ports.cache.get_many(SESSIONS, [key], load))[0]


async def _load(ports: Ports, token_hash: bytes) -> Session | None:
    token = await ports.store.get(TOKENS, (token_hash,))
    if token is None:
        return None
    if not token.account_id:
        return Session(token=token)
    account = await ports.store.get(ACCOUNTS, (token.account_id,))
    user = await ports.store.get(USERS, (token.account_id,))
    return Session(token=token, account=account, user=user)


async def drop_sessions(ports: Ports, account_id: int, token_hashes: Sequence[bytes]) -> None:
    """Make all processes look at these tokens anew, open streams included."""
    await ports.cache.drop(SESSIONS, [token_hash.hex() for token_hash in token_hashes])
    for start in range(0, len(token_hashes), 1000):
        news = SessionsChanged(account_id=account_id, token_hashes=tuple(token_hashes[start : start + 1000]))
        ports.streaming.publish(ENDED_TOPIC, _ENCODER.encode(news))


async def drop_account_sessions(ports: Ports, account_id: int) -> None:
    """Make all processes look anew at every token of an account, because its account or user row changed."""
    rows = await ports.store.range(ACCOUNT_TOKENS, (account_id,), limit=MAX_TOKENS)
    await drop_sessions(ports, account_id, [row.token_hash for row in rows])


def read_changed(payload: bytes) -> SessionsChanged:
    """The news in a message of ENDED_TOPIC.

    Raises: msgspec.DecodeError, msgspec.ValidationError.
    """
    return _CHANGED.decode(payload)
