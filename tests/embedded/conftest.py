"""A stack of their own for the tests that break things."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack

INSTITUTIONS = Path(__file__).with_name("institutions.toml")


@pytest.fixture(scope="package")
def directory_file(session_folder: Path) -> Path:
    """A copy of the two institutions, to which a test may add."""
    copy = session_folder / "institutions.toml"
    copy.write_text(INSTITUTIONS.read_text(encoding="utf-8"), encoding="utf-8")
    return copy


@pytest.fixture(scope="package")
async def own_stack(anyio_backend: str, session_folder: Path, directory_file: Path) -> AsyncIterator[Stack]:
    """A stack that tests may hurt; it must run again when they end."""
    async with Stack(session_folder / "own", Ports.free(), directory_file=directory_file) as running:
        yield running
