"""A walk over all rows of a table, for rebuilds, counts and copies: never within a request.

Box: store.
"""

from collections.abc import AsyncIterator

from townsquare.store.port import R, Stamped, Store, Table

_PAGE = 500  # rows


async def pages(store: Store, table: Table[R]) -> AsyncIterator[list[R]]:
    """The rows in the engine's order, some at a time. What is written meanwhile may be among them or not."""
    after = b""
    while True:
        rows, after = await store.scan(table, after=after, limit=_PAGE)
        yield rows
        if not after:
            return


async def stamped_pages(
    store: Store, table: Table[R], after: bytes = b""
) -> AsyncIterator[tuple[list[Stamped[R]], bytes]]:
    """The same with write times; with each page the token to go on after it, empty at the end."""
    while True:
        rows, after = await store.scan_stamped(table, after=after, limit=_PAGE)
        yield rows, after
        if not after:
            return
