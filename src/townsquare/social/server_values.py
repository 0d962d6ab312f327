"""Values of the whole server: keys it made for itself, totals it counted.

Box: social.
"""

import base64
from collections.abc import Callable, Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from townsquare.cache.port import Kind
from townsquare.social.ports import Ports
from townsquare.store.port import Put
from townsquare.store.tables import SETTINGS, SettingRow

VALUE: Kind[SettingRow] = Kind(
    name="sv",
    encode=msgspec.msgpack.Encoder().encode,
    decode=msgspec.msgpack.Decoder(SettingRow).decode,
    ttl_s=300,
    capacity=1000,
)
_VAPID = "vapid"  # value: VapidKey


class VapidKey(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The P-256 key that Web Push messages are signed with."""

    private: bytes  # 32 bytes, big endian
    public: bytes  # the uncompressed point


async def read_value(ports: Ports, name: str) -> bytes | None:
    """A value, None where it was never written. Cost: none where this process knows it."""

    async def load(names: Sequence[str]) -> list[SettingRow | None]:
        return await ports.store.get_many(SETTINGS, [(each,) for each in names])

    row = (await ports.cache.get_many(VALUE, [name], load))[0]
    return row.value if row else None


async def write_value(ports: Ports, name: str, value: bytes) -> None:
    """Replace a value, for all processes."""
    await ports.store.write([Put(SETTINGS, SettingRow(name=name, value=value))])
    await ports.cache.drop(VALUE, [name])


async def value_made_once(ports: Ports, name: str, make: Callable[[], bytes]) -> bytes:
    """A value that whichever process first asks for it makes, then all have. Cost: one read where it is known."""
    value = await read_value(ports, name)
    if value is not None:
        return value
    made = SettingRow(name=name, value=make())
    return (await ports.store.slow_put_if_absent(SETTINGS, made) or made).value


async def vapid_public_key(ports: Ports) -> str:
    """The server's key for Web Push as clients take it: base64url with padding. Made at the first call, then kept."""
    value = await value_made_once(ports, _VAPID, lambda: msgspec.msgpack.encode(_new_key()))
    return base64.urlsafe_b64encode(msgspec.msgpack.decode(value, type=VapidKey).public).decode()


def _new_key() -> VapidKey:
    key = ec.generate_private_key(ec.SECP256R1())
    return VapidKey(
        private=key.private_numbers().private_value.to_bytes(32, "big"),
        public=key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    )
