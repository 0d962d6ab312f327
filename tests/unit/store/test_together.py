"""Several questions at once."""

import asyncio

import pytest

from townsquare.model.errors import Unavailable
from townsquare.store.together import all_of


async def test_results_come_in_order_and_an_error_as_itself_when_all_are_done() -> None:
    done: list[int] = []

    async def work(n: int) -> int:
        await asyncio.sleep(0)
        if n == 1:
            raise Unavailable("away")
        await asyncio.sleep(0)
        done.append(n)
        return n

    assert await all_of(work(n) for n in (3, 2)) == [3, 2]
    with pytest.raises(Unavailable):
        await all_of(work(n) for n in (0, 1, 2))
    assert done == [3, 2, 0, 2]
