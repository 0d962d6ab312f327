"""Keys as bytes that sort like the keys themselves, for engines that know only bytes.

An integer is its 8 bytes, big end first, with the sign turned; text and bytes have each zero byte escaped and end with
a mark that no other byte pattern holds. So a key is a prefix of all that begin with the same columns.

Box: store.
"""

from collections.abc import Sequence

from townsquare.model.errors import Invalid
from townsquare.store.port import Cell, Key

MAX_KEY_BYTES = 1024  # what MongoDB indexed for long, and far under Cassandra's 64 KiB

_BIAS = 1 << 63
_ESCAPED_ZERO = b"\x00\xff"
_END = b"\x00\x01"


def encode(cells: Key) -> bytes:
    """The cells as bytes, in the order of the cells.

    Raises: Invalid for an integer outside 64 bits, text that is no Unicode, or more than `MAX_KEY_BYTES`.
    """
    try:
        key = b"".join([(c + _BIAS).to_bytes(8, "big") if isinstance(c, int) else _text(c) for c in cells])
    except (OverflowError, UnicodeEncodeError) as exc:
        raise Invalid("This cannot be a key") from exc
    if len(key) > MAX_KEY_BYTES:
        raise Invalid("This key is too long")
    return key


def _text(cell: str | bytes) -> bytes:
    raw = cell.encode() if isinstance(cell, str) else cell
    return raw.replace(b"\x00", _ESCAPED_ZERO) + _END


def decode(key: bytes, kinds: Sequence[type[Cell]]) -> Key:
    """The cells of a full key that `encode` made; `kinds`: their types."""
    cells: list[Cell] = []
    place = 0
    for kind in kinds:
        if kind is int:
            cells.append(int.from_bytes(key[place : place + 8], "big") - _BIAS)
            place += 8
            continue
        end = place
        while key[end : end + 2] != _END:
            end += 2 if key[end] == 0 else 1
        raw = key[place:end].replace(_ESCAPED_ZERO, b"\x00")
        cells.append(raw.decode() if kind is str else raw)
        place = end + 2
    return tuple(cells)


def after_prefix(prefix: bytes) -> bytes:
    """The lowest bytes above every key that begins with `prefix`."""
    stem = prefix.rstrip(b"\xff")
    if not stem:  # nothing but 0xff: above every key that we accept, as they are no longer than this
        return b"\xff" * (len(prefix) + MAX_KEY_BYTES)
    return stem[:-1] + bytes((stem[-1] + 1,))


def span(partition: Key, within: Key = (), above: Cell | None = None, below: Cell | None = None) -> tuple[bytes, bytes]:
    """The bounds (first included, second not) of the keys that `Store.range` asks for."""
    prefix = encode((*partition, *within))
    low = prefix if above is None else after_prefix(prefix + encode((above,)))
    high = after_prefix(prefix) if below is None else prefix + encode((below,))
    return low, high
