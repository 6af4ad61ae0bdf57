"""What the tests of the SDK on a running system share."""

from collections.abc import AsyncIterator

import pytest

from deploy.embedded.stack import Stack


@pytest.fixture(scope="module")
async def referrals(stack: Stack) -> AsyncIterator[Stack]:
    """The stack with the referral service; left running where other tests had started it."""
    ours = not any(status.name == "referrals" and status.pid for status in stack.statuses())
    if ours:
        await stack.start("referrals")
    await stack.wait_ready("referrals")
    yield stack
    if ours:
        await stack.stop("referrals")
