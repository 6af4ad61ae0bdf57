"""A new institution is read while the system runs, also under load and when the referral service is away meanwhile."""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.directory import SEED
from contracts.facts import Fact
from contracts.keys import load
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from deploy.keys import overlay_file
from tests.faults.load import under_load
from tests.support import builders as make
from tests.support import hostile
from tests.support.wire import read_facts, send

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

READ_WITHIN = 30  # seconds; a few, on an idle machine

NEW = """
[[institutions]]
code = "{code}"
name = "Una entidad nueva"
kind = "municipal"
territory = ["68001"]
contacts = [{{ channel = "email", address = "avisos@{code}.mesa.example", purpose = "Recepción" }}]
"""

SILENT_ADMIN = """
import sys
from pathlib import Path

if "services.referrals" in sys.orig_argv:
    from services.runtime import kafka

    cluster = kafka.Admin.cluster

    async def silent(admin):
        if Path({file!r}).exists():
            raise TimeoutError
        return await cluster(admin)

    kafka.Admin.cluster = silent
"""
"""Python runs this before the service: once the file is there, Kafka no longer says which topics it has."""


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_member_added_under_load(session_folder: Path, anyio_backend: str, workers: int) -> None:
    file = session_folder / f"directory-{workers}.toml"
    file.write_bytes(SEED.read_bytes())
    ports = Ports.free(workers)
    async with Stack(session_folder / f"member-{workers}", ports, directory_file=file) as stack:
        await stack.start(*stack.services)
        for name in stack.services:
            await stack.wait_ready(name, 60)
        async with under_load(stack) as load:
            for code in ("entidad-nueva", "una-segunda"):  # one at each end of the order in which topics are divided
                await load.progress()
                await add(stack, file, code)
                await answered(stack, code)
                await answered(stack, make.SENDER, to=code)
                load.others.update((code, make.SENDER))
                load.in_our_names += 1
            await load.progress()
        assert not any(status.restarts for status in stack.statuses())


async def test_a_member_added_while_the_service_is_away(session_folder: Path, anyio_backend: str) -> None:
    """Away for less than its session: Kafka gives a static member its old assignment back."""
    file = session_folder / "directory.toml"
    file.write_bytes(SEED.read_bytes())
    async with Stack(session_folder / "member", Ports.free(), directory_file=file) as stack:
        await stack.start("referrals")
        await stack.wait_ready("referrals", 60)
        await stack.stop("referrals")
        await add(stack, file, "entidad-nueva")
        await stack.start("referrals")
        await stack.wait_ready("referrals", 60)
        await answered(stack, "entidad-nueva")
        await answered(stack, make.SENDER, to="entidad-nueva")


async def test_a_member_without_topics_costs_no_question_to_kafka(session_folder: Path, anyio_backend: str) -> None:
    """It is in the directory, `./ruta topics apply` has not run. The answer may take Kafka longer than a transaction
    may stand open, so what a batch needs to know is known before."""
    file, silent, early = (session_folder / name for name in ("directory-ahead.toml", "silent-admin", "silent"))
    file.write_bytes(SEED.read_bytes())
    early.mkdir()
    (early / "sitecustomize.py").write_text(SILENT_ADMIN.format(file=str(silent)))
    environment = {"PYTHONPATH": f"{early}:{CHECKOUT}"}
    root = session_folder / "member-without-topics"
    async with Stack(root, Ports.free(), directory_file=file, extra_environment=environment) as stack:
        await stack.start("referrals")
        await stack.wait_ready("referrals", 60)
        await answered(stack, make.SENDER)
        file.write_text(file.read_text("utf-8") + NEW.format(code="sin-topicos"), "utf-8")
        silent.touch()
        await answered(stack, make.SENDER)


async def add(stack: Stack, file: Path, code: str) -> None:
    """As the operator does it: the directory file is edited, then `./ruta topics apply`."""
    file.write_text(file.read_text("utf-8") + NEW.format(code=code), "utf-8")
    environment = os.environ | {"RUTA_STATE": str(stack.state.root)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "topics", "apply"),
        cwd=CHECKOUT, env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert f"+ topic ruta.in.{code}.v1 (1 partitions)" in output.decode().splitlines()


async def answered(stack: Stack, code: str, to: str = make.RECIPIENT) -> None:
    """Its declaration, sealed for the recipient's key, is applied."""
    made = hostile.request(by=code, recipient=to)
    overlay = load(overlay_file(stack.target))
    assert to in overlay.institutions
    sealed = overlay.seal(b"{}", made.envelope.referral, to)
    (offset,) = await send(stack, code, [hostile.sent(replace(made, sealed=sealed))])

    def ours(found: list[Fact]) -> list[Fact]:
        return [f for f in found if f.data.cause.owner == code and f.data.cause.offset == offset]

    facts = await read_facts(stack, code, lambda found: bool(ours(found)), READ_WITHIN)
    assert [f.outcome for f in ours(facts)] == ["applied"]
