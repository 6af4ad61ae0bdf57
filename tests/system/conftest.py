"""The three services beside the shared stack."""

from collections.abc import AsyncIterator

import pytest

from deploy.embedded.stack import SERVICES, Stack


@pytest.fixture(scope="session")
async def system(stack: Stack) -> AsyncIterator[Stack]:
    """The whole system, running. Tests share it, so each looks at its own records only."""
    await stack.start(*SERVICES)
    for name in SERVICES:
        await stack.wait_ready(name)
    yield stack
    await stack.stop(*SERVICES)
