"""The whole system on a Kafka and a PostgreSQL that take TLS only, as beyond one machine; every tool as well."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from contracts.directory import SEED, load
from deploy.compose.provision import answering
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.stack import SERVICES, Stack
from deploy.embedded.state import CHECKOUT, State
from deploy.provision import Target, administrator
from tests.support.tls import Certified

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
async def certified(session_folder: Path) -> Certified:
    folder = session_folder / "certificates"
    folder.mkdir()
    return Certified(folder)


@pytest.fixture(scope="module")
async def encrypted(anyio_backend: str, session_folder: Path, certified: Certified) -> AsyncIterator[Stack]:
    root = session_folder / "tls"
    async with Stack(root, Ports.free(), servers=certified.servers, ca_file=certified.ca_file) as stack:
        await stack.start(*SERVICES)
        for name in SERVICES:
            await stack.wait_ready(name, 60)
        yield stack


async def ruta(stack: Stack, *arguments: str) -> str:
    """Run one of the operator's commands on the stack."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "deploy", *arguments),
        env=os.environ | {"RUTA_STATE": str(stack.state.root), "PYTHONPATH": str(CHECKOUT)},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()[-2000:]
    return printed.decode()


async def test_a_declaration_goes_through(encrypted: Stack, certified: Certified) -> None:
    assert "applied" in await ruta(encrypted, "publish", "deploy/demo/files/requested.json", "--as", "personeria-giron")
    found = json.loads(await ruta(encrypted, "ledger", "--json"))
    assert found["ledger_ok"], found
    assert found["applied"] == 1
    assert "verified" in await ruta(encrypted, "audit", "verify")
    printed = await ruta(encrypted, "credentials", "personeria-giron", "--format", "java")
    assert "security.protocol=SASL_SSL" in printed
    assert f"ssl.truststore.location={certified.ca_file}" in printed


async def test_nothing_answers_in_the_clear(encrypted: Stack) -> None:
    target = encrypted.target
    plain = Target(target.state, target.kafka_bootstrap, target.database_host, target.database_port, target.directory)
    with pytest.raises((ConnectionError, asyncpg.PostgresError)):
        await administrator(plain)
    with pytest.raises(StackError, match="did not let us in"):
        await answering(plain, 3)


async def test_a_server_that_somebody_else_vouches_for_is_refused(encrypted: Stack, certified: Certified) -> None:
    target = encrypted.target
    stranger = Certified(certified.folder, "127.0.0.2").ca_file
    wrong = Target(
        *(target.state, target.kafka_bootstrap, target.database_host, target.database_port, target.directory),
        kafka_ca_file=stranger,
        database_ca_file=stranger,
    )
    with pytest.raises(StackError, match="did not let us in"):
        await answering(wrong, 3)


@pytest.mark.parametrize(("kafka", "database"), [("kafka.example:9093", "127.0.0.1"), ("127.0.0.1:9092", "db.example")])
def test_beyond_loopback_nothing_is_provisioned_without_tls(tmp_path: Path, kafka: str, database: str) -> None:
    with pytest.raises(StackError, match="beyond loopback needs TLS"):
        Target(State(tmp_path), kafka, database, 5432, load(SEED))
