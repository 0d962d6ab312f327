"""Several questions at once, of which an error stays what it is: a TaskGroup would wrap it, and nobody would know it.

Box: store.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def all_of(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all at once and wait for all; their results in order.

    Raises: the first error in their order, when all are done.
    """
    results = await asyncio.gather(*works, return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done
