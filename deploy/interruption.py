"""How a command that starts other programs is interrupted: in order, and with nothing left behind."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from deploy.embedded.errors import StackError

T = TypeVar("T")


class Interrupted(StackError):
    """Somebody asked for the end: at the terminal, by its end, or by a signal."""


def run(work: Coroutine[Any, Any, T], runner: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run) -> T:
    """Run the work in an event loop; SIGINT, SIGTERM and SIGHUP cancel it. Raises Interrupted when it has ended.

    SIGHUP does not where it is ignored: `nohup` means that the end of the terminal is to be outlived.
    """
    try:
        return runner(_listening(work))
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise Interrupted("Interrupted.") from None


async def _listening(work: Coroutine[Any, Any, T]) -> T:
    this, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert this is not None
    # SIGINT too: asyncio.run leaves it alone where a shell started us in the background with SIGINT ignored.
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, this.cancel)
    try:
        return await work
    finally:
        for number in numbers:  # there is nothing to cancel any more: the next one ends the program
            loop.remove_signal_handler(number)
