"""What all tests share: asyncio tests run in one event loop, and one embedded stack serves the whole run.

pytestmark = pytest.mark.anyio

async def test_something(stack: Stack) -> None: ...
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from deploy.embedded.ports import Ports
from deploy.embedded.stack import Servers, Stack
from tests.support.engine import no_servers

# Machines are shared: how long one example takes says nothing. The seed of a failure is printed.
hypothesis.settings.register_profile("ruta", deadline=None, print_blob=True)
# Before a release: ./ruta test <tests> --hypothesis-profile=long --timeout=0
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("ruta"), max_examples=2_000)
hypothesis.settings.load_profile("ruta")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Session-wide, so that session-wide asynchronous fixtures and all tests share one loop in the main thread."""
    return "asyncio"


@pytest.fixture(scope="session")
def session_folder() -> Iterator[Path]:
    """A folder for throwaway states. Unlike tmp_path it may be entered by PostgreSQL's account when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="ruta-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def stack(anyio_backend: str, session_folder: Path) -> AsyncIterator[Stack]:
    """Kafka, PostgreSQL and the mail sink, provisioned; no services. Tests share it: leave it running and usable."""
    async with Stack(session_folder / "shared", Ports.free(), servers=_servers()) as running:
        yield running


def _servers() -> Servers | None:
    """Where RUTA_TEST_STACK is "containers", Kafka and PostgreSQL of the shared stack are; else child processes."""
    kind = os.environ.get("RUTA_TEST_STACK", "embedded")
    if kind == "embedded":
        return None
    if kind != "containers":
        pytest.exit(f"RUTA_TEST_STACK is embedded or containers, not {kind}", 2)
    if lacking := no_servers():
        pytest.exit(f"RUTA_TEST_STACK=containers: {lacking}", 2)
    from tests.support.containers import in_containers

    return in_containers
