"""Readiness is honest: what stands still is said within seconds, and said no more when it moves again. Logs do not
storm meanwhile."""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from deploy.embedded.ports import Ports
from deploy.embedded.stack import SERVICES, Stack
from deploy.faults.system import frozen
from tests.support.wire import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

SAID_WITHIN = 30  # the promise is 15 s on an idle machine


async def test_a_frozen_kafka_or_postgres_shows_in_every_service(session_folder: Path, anyio_backend: str) -> None:
    async with Stack(session_folder / "readiness", Ports.free()) as stack:
        await stack.start(*SERVICES)
        for name in SERVICES:
            await stack.wait_ready(name, 60)
        for part in ("kafka", "postgres"):
            before, began = lines(stack), time.monotonic()
            with frozen(stack.pid(part)):
                for name in SERVICES:
                    await eventually(lambda: says_so(stack, name), SAID_WITHIN, f"{name} unready without {part}")  # noqa: B023
                    assert await alive(stack, name)
                    print(f"{name} unready without {part} after {time.monotonic() - began:.1f} s")
                said, seconds = lines(stack) - before, time.monotonic() - began
                assert all(count <= seconds + 1 for count in said.values()), said
            for name in SERVICES:
                await eventually(lambda: ready(stack, name), 90, f"{name} ready again after {part}")  # noqa: B023


def lines(stack: Stack) -> Counter[tuple[str, str, str]]:
    """How often each service has written each line, by its cause: a cause may make one a second at most."""
    said: Counter[tuple[str, str, str]] = Counter()
    for name in SERVICES:
        for line in (stack.state.logs / f"{name}.log").read_text("utf-8").splitlines():
            cause = json.loads(line) if line.startswith("{") else {"logger": "", "message": line[:80]}
            said[name, cause["logger"], cause["message"]] += 1
    return said


async def says_so(stack: Stack, name: str) -> bool:
    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.get(f"{stack.addresses.http[name]}/readyz")
    return answer.status_code == 503 and bool(answer.json()["missing"])


async def ready(stack: Stack, name: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            return (await client.get(f"{stack.addresses.http[name]}/readyz")).status_code == 200
    except httpx.TransportError:
        await asyncio.sleep(0.2)  # it was restarted meanwhile
        return False


async def alive(stack: Stack, name: str) -> bool:
    async with httpx.AsyncClient(timeout=10) as client:
        return (await client.get(f"{stack.addresses.http[name]}/livez")).status_code == 200
