"""How a fault waits for what must follow it: by looking again and again, up to a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

LOOKED_AT_EVERY = 0.05


class Late(AssertionError):
    """What had to happen did not happen in time."""


class Broken(AssertionError):
    """The system did not do what it promises under a fault."""


async def eventually(check: Callable[[], Awaitable[Found | None]], within: float = 30, what: str = "it") -> Found:
    """The first truthy answer of ``check``. Raises Late, which names ``what`` and the last answer."""
    result: Found | None = None
    try:
        async with asyncio.timeout(within):
            while not (result := await check()):
                await asyncio.sleep(LOOKED_AT_EVERY)
            return result
    except TimeoutError:
        raise Late(f"{what} did not happen within {within:.0f} s; last seen: {result!r}") from None
