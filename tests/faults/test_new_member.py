"""A new institution is read while the system runs, also when it is added while the referral service is away."""

from pathlib import Path

import pytest

from contracts.directory import SEED
from deploy import provision
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from tests.support import builders as make
from tests.support import hostile
from tests.support.wire import read_facts, send

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

NEW = """
[[institutions]]
code = "{code}"
name = "Una entidad nueva"
kind = "municipal"
territory = ["68001"]
contacts = [{{ channel = "email", address = "avisos@{code}.mesa.example", purpose = "Recepción" }}]
"""


async def test_a_member_added_to_a_running_and_to_a_stopped_system(session_folder: Path, anyio_backend: str) -> None:
    file = session_folder / "directory.toml"
    file.write_bytes(SEED.read_bytes())
    async with Stack(session_folder / "member", Ports.free(), directory_file=file) as stack:
        await stack.start("referrals")
        await stack.wait_ready("referrals", 60)
        await add(stack, file, "entidad-nueva")
        await answered(stack, "entidad-nueva")

        # Away for less than its session: Kafka gives a static member its old assignment back.
        await stack.stop("referrals")
        await add(stack, file, "entidad-segunda")
        await stack.start("referrals")
        await stack.wait_ready("referrals", 60)
        await answered(stack, "entidad-segunda")
        await answered(stack, make.SENDER, to="entidad-segunda")


async def add(stack: Stack, file: Path, code: str) -> None:
    file.write_text(file.read_text("utf-8") + NEW.format(code=code), "utf-8")
    await provision.provision_topics(stack.target)


async def answered(stack: Stack, code: str, to: str = make.RECIPIENT) -> None:
    """Its declaration is applied."""
    (offset,) = await send(stack, code, [hostile.sent(hostile.request(by=code, recipient=to))])
    facts = await read_facts(stack, code, lambda found: any(f.data.cause.offset == offset for f in found))
    assert [f.outcome for f in facts if f.data.cause.owner == code and f.data.cause.offset == offset] == ["applied"]
