"""A log is closed as what it is: cut off, without its key, or changed; nobody is told more of it than holds."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy import database, new_log, provision
from deploy.audit import verify_closed
from deploy.embedded.errors import StackError
from deploy.embedded.stack import Stack
from deploy.embedded.state import State
from deploy.keys import seen_file, signing_key_file
from deploy.provision import Target
from services.audit import keys, note
from services.audit.checks import Check
from services.audit.note import Signer
from services.audit.predecessor import Reason
from tests.audit.support import ORIGIN, Log, fill
from tests.audit.test_verify import CUT

pytestmark = pytest.mark.anyio

TABLES = ("entry", "sealed", "batch", "span", "checkpoint", "first_use", "tile")


@pytest.fixture
async def target(stack: Stack, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A log of 300 leaves, all of them seen, with the files that the operator has of it."""
    monkeypatch.setattr(provision, "administrator", partial(provision.administrator, database=log.database))
    monkeypatch.setattr(database, "DATABASE", log.database)
    made = replace(stack.target, state=State(tmp_path))
    shutil.copytree(stack.state.secrets / "database", tmp_path / "secrets" / "database")
    have(made, log.signer)
    await log.admin.execute("grant select on all tables in schema audit to ruta_operator")  # as provisioning does
    await fill(log)
    seen_file(made.state).write_text(await log.app.fetchval("select note from checkpoint where size = 300"))
    return made


def have(target: Target, signer: Signer) -> None:
    """This is the key of the log now."""
    signing_key_file(target.state).write_text(signer.text + "\n")


async def close(target: Target, **given: str) -> new_log.Refused:
    """As `./ruta audit begin-anew --yes` does it, after it has said the same without."""
    said = await new_log.begin(target, **given, accepted=False)  # type: ignore[arg-type]
    assert await new_log.begin(target, **given, accepted=True) == said  # type: ignore[arg-type]
    return said


async def test_a_log_that_fits_is_not_closed(target: Target) -> None:
    with pytest.raises(StackError, match="goes on"):
        await new_log.begin(target, accepted=True)


async def test_a_log_that_was_written_anew_under_its_own_key_never_counts_as_verified(log: Log, target: Target) -> None:
    await log.break_it(*(f"delete from {table}" for table in TABLES))
    log.offsets.clear()
    await fill(log)
    assert (await log.verify()).misfit is None, "it fits together; only what was seen shows it"
    said = await close(target)
    assert (said.log.reason, said.log.kept) == (Reason.CHANGED, 300)
    ((before, verdict),) = await verify_closed(target)
    assert before == said.log
    assert verdict.misfit is not None
    assert verdict.misfit.check is Check.SEEN


async def test_what_is_left_of_a_log_that_was_cut_off_is_kept_as_long_as_it_was(log: Log, target: Target) -> None:
    await log.break_it(*(f"delete from {what}" for what in CUT))
    said = await close(target)
    assert (said.log.reason, said.log.kept, said.log.published) == (Reason.SHORTER, 290, 300)
    ((_, verdict),) = await verify_closed(target)
    assert (verdict.misfit, verdict.leaves) == (None, 290)
    for table in TABLES:
        await log.admin.execute(f"alter table audit_closed_1.{table} disable trigger user")
    for what in ("entry where index >= 107", "sealed where index >= 107", "batch where first_index >= 107",
                 "span where first_index >= 107", "checkpoint where size > 107", "first_use where index >= 107",
                 "tile"):  # fmt: skip
        await log.admin.execute(f"delete from audit_closed_1.{what}")
    ((_, verdict),) = await verify_closed(target)
    assert verdict.misfit is not None
    assert (verdict.misfit.check, verdict.leaves) == (Check.PREDECESSOR, 107)


async def test_a_log_whose_key_is_lost_is_whole(log: Log, target: Target) -> None:
    have(target, note.signer(ORIGIN, Ed25519PrivateKey.generate()))
    with pytest.raises(StackError, match="--vkey"):
        await new_log.begin(target, accepted=True)
    said = await close(target, vkey=log.signer.verifier.vkey)
    assert (said.log.reason, said.log.kept, said.log.published) == (Reason.KEY_LOST, 300, 300)
    ((_, verdict),) = await verify_closed(target)
    assert (verdict.misfit, verdict.leaves) == (None, 300)


async def test_a_database_that_is_older_than_the_log_is_not_taken_for_it(log: Log, target: Target) -> None:
    """It was restored to before an earlier `begin-anew`: the log in it is the first one, key and file the second's."""
    state, second = target.state, note.signer(f"{ORIGIN}/2", Ed25519PrivateKey.generate())
    files = seen_file(state), signing_key_file(state)
    aside = {file: file.with_name(f"{file.name}.audit_closed_1") for file in files}
    for file, kept in aside.items():
        file.replace(kept)
    have(target, second)
    seen_file(state).write_text(note.sign(note.Checkpoint(f"{ORIGIN}/2", 9, bytes(32)).text, second))
    for given in ({}, {"vkey": log.signer.verifier.vkey}):
        with pytest.raises(StackError, match="--seen"):
            await new_log.begin(target, **given, accepted=True)  # type: ignore[arg-type]
    with pytest.raises(StackError, match="for ever"):
        await begun(target, log, aside[seen_file(state)], origin=f"{ORIGIN}/2")
    said = await begun(target, log, aside[seen_file(state)])
    assert (said.log.origin, said.log.schema, said.name) == (ORIGIN, "audit_closed_2", f"{ORIGIN}/3")
    names = {file.name: keys.load(file).verifier.name for file in state.secrets.glob("audit-signing-key*")}
    assert names == {
        "audit-signing-key": f"{ORIGIN}/3",
        "audit-signing-key.audit_closed_1": ORIGIN,
        "audit-signing-key.audit_closed_2": f"{ORIGIN}/2",
    }


async def begun(target: Target, log: Log, newest: Path, origin: str | None = None) -> new_log.Refused:
    return await new_log.begin(target, origin=origin, vkey=log.signer.verifier.vkey, newest=newest, accepted=True)
