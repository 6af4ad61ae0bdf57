"""What the referral service's API refuses before it asks the database."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from services.referrals import api

pytestmark = pytest.mark.anyio

NOT_CODES = ["%00", "icbf%00", "ICBF", "icbf%0A", "a" * 49, "icbf.santander", "icbf%20santander"]


async def status(path: str) -> int:
    """The answer of an API that has no database: a request that gets there fails."""

    async def missing() -> list[str]:
        return []

    no_database: Any = None
    transport = httpx.ASGITransport(api.build(no_database, missing))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get(path)).status_code


@pytest.mark.parametrize("code", [*NOT_CODES, ""])
async def test_referrals_of_what_is_no_code_are_refused(code: str) -> None:
    assert await status(f"/v1/referrals?institution={code}") == 422


@pytest.mark.parametrize("code", NOT_CODES)
async def test_outcomes_of_what_is_no_code_are_refused(code: str) -> None:
    assert await status(f"/v1/outcomes/{code}/{UUID(int=1)}") == 422


@pytest.mark.parametrize("path", ["/v1/referrals?institution=icbf-santander", f"/v1/outcomes/desk/{UUID(int=1)}"])
async def test_a_code_gets_to_the_database(path: str) -> None:
    with pytest.raises(AttributeError):
        await status(path)


@pytest.mark.parametrize("query", ["after=-1", "after=9223372036854775808", "limit=0", "limit=1001", "after=x"])
async def test_pages_that_are_none_are_refused(query: str) -> None:
    assert await status(f"/v1/referrals/{UUID(int=1)}?{query}") == 422
