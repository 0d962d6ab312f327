"""Whose turn it is to make the tables in a server that many processes share.

Box: store.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from townsquare.model.errors import Unavailable

LEASE_S = 120
LOOK_EVERY_S = 0.5


@asynccontextmanager
async def only_one(
    take: Callable[[str], Awaitable[bool]], give_back: Callable[[str], Awaitable[object]]
) -> AsyncIterator[None]:
    """Wait for the lease and hold it. `take` says whether the holder named has it now, for `LEASE_S`.

    Raises: Unavailable where another does not come to an end.
    """
    holder = str(uuid4())
    for _ in range(int(2 * LEASE_S / LOOK_EVERY_S)):
        if await take(holder):
            break
        await asyncio.sleep(LOOK_EVERY_S)
    else:
        raise Unavailable("Another process does not come to the end of making the tables")
    try:
        yield
    finally:
        await give_back(holder)
