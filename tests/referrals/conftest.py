"""What tests of the referral service's transactions share."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from deploy.embedded.stack import Stack
from tests.support.database import connect, own_schema


@pytest.fixture
async def schema(stack: Stack) -> AsyncIterator[str]:
    """Tables of our own: what is invented here must not reach the relay of the running system."""
    async with own_schema(stack, "referrals") as name:
        yield name


@pytest.fixture
async def connection(stack: Stack, schema: str) -> AsyncIterator[asyncpg.Connection]:
    """The service's own role, as the service has it."""
    made = await connect(stack, "referrals_app", schema)
    yield made
    await made.close()
