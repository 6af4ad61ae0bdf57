"""Systems that only the benchmark's tests use: it holds the mail sink still and kills services."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.embedded.ports import Ports
from deploy.embedded.stack import SERVICES, Stack


@pytest.fixture(scope="session")
async def measured(anyio_backend: str, session_folder: Path) -> AsyncIterator[Stack]:
    """Ruta on a stack of its own."""
    async with Stack(session_folder / "measured", Ports.free()) as running:
        await running.start(*SERVICES)
        for name in SERVICES:
            await running.wait_ready(name, 60)
        yield running


@pytest.fixture(scope="session")
async def plain(anyio_backend: str, session_folder: Path) -> AsyncIterator[Stack]:
    """A stack without Ruta's services, for the plain ones."""
    async with Stack(session_folder / "plain", Ports.free()) as running:
        yield running
