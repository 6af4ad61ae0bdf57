"""The services beside the shared stack, for clients that are not ours; they log in with what the command prints."""

from collections.abc import AsyncIterator, Callable

import pytest

from deploy.embedded.stack import SERVICES, Stack
from tests.foreign.credentials import printed


@pytest.fixture(scope="package")
async def running(stack: Stack) -> AsyncIterator[Stack]:
    """The whole system; services that were not running before are stopped again, as others start their own."""
    theirs = {status.name for status in stack.statuses() if status.pid}
    ours = [name for name in SERVICES if name not in theirs]
    await stack.start(*ours)
    for name in SERVICES:
        await stack.wait_ready(name)
    yield stack
    await stack.stop(*ours)


@pytest.fixture(scope="package")
def credentials(running: Stack) -> Callable[[str, str], str]:
    """What ``./ruta credentials INSTITUTION --format FORMAT`` prints."""
    kept: dict[tuple[str, str], str] = {}

    def of(institution: str, form: str) -> str:
        if (institution, form) not in kept:
            kept[institution, form] = printed(running, institution, form)
        return kept[institution, form]

    return of
