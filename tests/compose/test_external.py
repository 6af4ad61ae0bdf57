"""Compose on a Kafka and a PostgreSQL that run elsewhere and take TLS only."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.commands_compose import external_servers
from deploy.compose.external import External
from deploy.compose.prepare import prepare
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.state import State, make_folder
from tests.compose.system import System, ran
from tests.support.engine import compose_command, missing_image, no_engine
from tests.support.tls import Certified

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1200)]


def compose_knows_reset() -> bool:
    """Whether compose is new enough to take something out of a file that came before."""
    command = compose_command()
    version = re.search(r"v?(\d+)\.(\d+)\.\d+", ran([*command, "version"])) if command else None
    return version is not None and (int(version[1]), int(version[2])) >= (2, 24)


@pytest.fixture
async def system(anyio_backend: str, session_folder: Path) -> AsyncIterator[System]:
    if lacking := no_engine():
        pytest.skip(lacking)
    if not compose_knows_reset():
        pytest.skip("there is no docker compose from 2.24 on")
    if lacking := missing_image("RUTA_PYTHON_IMAGE"):
        pytest.skip(lacking)
    folder = session_folder / "elsewhere"
    make_folder(folder, 0o711)
    certified = Certified(folder)
    servers, ports = State(folder / "servers"), Ports.free()
    external = External(f"127.0.0.1:{ports.kafka}", certified.ca_file, f"127.0.0.1:{ports.postgres}", certified.ca_file)
    made = System(
        prepare(folder / "state", Ports.free(), external=external), ("compose.yaml", "external.yaml"), servers=()
    )
    make_folder(servers.root, 0o711)
    for part in (servers.kafka, servers.logs):
        make_folder(part, 0o700)
    servers.secrets.symlink_to(made.prepared.state.secrets)
    async with certified.servers(servers, ports):
        yield made


async def test_a_declaration_goes_through(system: System) -> None:
    def drive() -> None:
        with system.up():
            assert not {"kafka", "postgres"} & system.inspect().keys()
            printed = system.ruta("publish", "deploy/demo/files/requested.json", "--as", "personeria-giron")
            assert "applied" in printed
            found = json.loads(system.ruta("ledger", "--json"))
            assert found["ledger_ok"], found
            assert found["mails"] >= 1

    await asyncio.to_thread(drive)


def test_all_four_of_them_are_named_or_none(tmp_path: Path) -> None:
    assert external_servers(None, None, None, None) is None
    with pytest.raises(StackError, match="need all four"):
        external_servers("kafka.example:9093", tmp_path, None, None)


def test_a_database_without_a_port_is_told(tmp_path: Path) -> None:
    external = External("kafka.example:9093", tmp_path, "db.example", tmp_path)
    with pytest.raises(ValueError, match="needs host and port"):
        prepare(tmp_path / "state", Ports.based_on(26000), external=external)
