"""The store's promise: sorted rows in partitions, and only what Cassandra does well.

Box: store. Engines: memory, sqlite, cassandra, mongo. Suite: tests/contract/store.
"""

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

R = TypeVar("R", bound=msgspec.Struct)
Cell = int | str | bytes  # what a key is made of
Key = tuple[Cell, ...]  # partition columns, then clustering columns


class Table(msgspec.Struct, Generic[R], frozen=True, kw_only=True, eq=False):
    """One table as data. Key columns are fields of `row`; an engine makes its schema from this.

    The key columns' types (int, str, bytes) come from the row's annotations. Rows of a partition are kept in the
    order of their clustering columns, the newest (highest) first where `newest_first`.
    """

    name: str
    row: type[R]
    partition: tuple[str, ...]
    clustering: tuple[str, ...] = ()
    newest_first: bool = False
    ttl_s: int | None = None  # a row is gone this long after its write time
    written_once: bool = False  # a put that comes after the row's delete does no harm: nobody need remember the delete
    about: str  # what a row is and who reads it

    def key(self, row: R) -> Key:
        """The row's full key."""
        return tuple(getattr(row, column) for column in self.partition + self.clustering)


class Put(msgspec.Struct, Generic[R], frozen=True):
    """Write one row, replacing the one with its key unless that one was written later."""

    table: Table[R]
    row: R


class Delete(msgspec.Struct, frozen=True):
    """Remove one row by its full key. A put with an earlier time stamp does not bring it back."""

    table: Table[Any]
    key: Key


Write = Put[Any] | Delete


class Stamped(msgspec.Struct, Generic[R], frozen=True):
    """A row as it was written, or None in its place where it was deleted and the engine still knows that."""

    key: Key
    row: R | None
    at: int  # its write time, for last write wins and for its time to live, in Unix microseconds


class Store(Protocol):
    """Rows in partitions. Every method is safe to repeat. All raise `Unavailable` when the engine does not answer.

    Last write wins, by time stamp and row by row. There are no joins, no counters, no secondary indexes and no
    transactions over partitions.
    """

    async def get(self, table: Table[R], key: Key) -> R | None:
        """The row with this full key. Cost: one read of one partition."""

    async def get_many(self, table: Table[R], keys: Sequence[Key]) -> list[R | None]:
        """The rows with these full keys, in their order, None where there is none. Cost: one round trip."""

    async def range(
        self,
        table: Table[R],
        partition: Key,
        *,
        within: Key = (),
        above: Cell | None = None,
        below: Cell | None = None,
        limit: int,
        reverse: bool = False,
    ) -> list[R]:
        """Rows of one partition in the table's order (turned round by `reverse`), at most `limit`.

        `within` fixes the leading clustering columns; `above` and `below` bound the next one, both exclusive, by value
        (so `above` is the lower value whatever the order). Cost: one read of one partition.
        """

    async def range_many(self, table: Table[R], partitions: Sequence[Key], *, limit: int) -> list[list[R]]:
        """The first `limit` rows of each partition, in the table's order. Cost: one round trip."""

    async def write(self, *steps: Sequence[Write], at: int | None = None) -> None:
        """Do the steps in order; when this returns, all is durable.

        The writes of one step that share their partition's key (over one table or several) are one atomic mutation;
        different partitions of a step are independent, in any order. A step begins when the one before is durable, so
        the last step can be the commit point. An engine may make the whole call one transaction.
        `at`: time stamp in Unix microseconds for last write wins; the time of the call if not given.
        After an error any part may have been done: repeat the call.
        """

    async def slow_put_if_absent(self, table: Table[R], row: R) -> R | None:
        """Write the row if its key is free and return None; else return the row that is there. Cost: a consensus."""

    async def slow_compare_and_set(self, table: Table[R], old: R, new: R) -> bool:
        """Replace `old` by `new`, which has the same key, if the row still equals `old`. Cost: a consensus."""

    async def drop(self, table: Table[Any], partition: Key) -> None:
        """Remove a whole partition of one table. Cost: one write."""

    async def scan(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[R], bytes]:
        """Walk over all rows of all partitions, in the engine's order: for rebuilds, counts and copies, not requests.

        Returns up to `limit` rows and the token to go on with; an empty token means that this was the end.
        """

    async def scan_stamped(self, table: Table[R], *, after: bytes = b"", limit: int) -> tuple[list[Stamped[R]], bytes]:
        """The same walk, with write times and with what was deleted: for copies into another store.

        The token stays good when this process ends. To write a row with its `at` makes it what it is here.
        """

    async def close(self) -> None:
        """Finish what was accepted and let go of files and connections."""
