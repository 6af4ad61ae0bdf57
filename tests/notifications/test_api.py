"""What the notification service's API refuses before it asks the database."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from services.notifications import api

pytestmark = pytest.mark.anyio

NOT_CODES = ["%00", "icbf%00", "ICBF", "icbf%0A", "a" * 49, "icbf.santander", "icbf%20santander"]


async def status(method: str, path: str) -> int:
    """The answer of an API that has no database: a request that gets there fails."""

    async def missing() -> list[str]:
        return []

    no_database: Any = None
    app = api.build(no_database, missing, dict, lambda: None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        return (await client.request(method, path)).status_code


@pytest.mark.parametrize("code", NOT_CODES)
async def test_what_is_no_code_has_no_inbox(code: str) -> None:
    assert await status("GET", f"/v1/inbox/{code}") == 422
    assert await status("POST", f"/v1/inbox/{code}/{UUID(int=1)}/read") == 422


async def test_a_code_is_looked_up() -> None:
    assert await status("GET", "/v1/inbox/icbf-santander") == 404
    with pytest.raises(AttributeError):
        await status("POST", f"/v1/inbox/icbf-santander/{UUID(int=1)}/read")
