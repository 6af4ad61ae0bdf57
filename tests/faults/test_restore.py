"""The drill: PostgreSQL is lost, and a backup is put in its place. State, positions and log go back together."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.keys import load
from deploy import commands_backup, new_log
from deploy.audit import verify_closed
from deploy.embedded.account import needed_account
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.postgres import Postgres
from deploy.embedded.stack import SERVICES, Stack
from deploy.keys import AUDIT_ORIGIN, ensure, overlay_file, seen_file, signing_key_file
from deploy.ledger import ledger
from deploy.provision import administrator
from services.audit import keys, leaf, merkle, note
from services.audit.note import Verifier
from tests.faults.load import SEED_OF_STORIES, loaded, under_load
from tests.support import builders as make
from tests.support import hostile
from tests.support.wire import eventually, read_facts, send

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

CONTENTS = {
    "facts": "select fact_id, kind, version, received_at from referrals.fact",
    "referrals": "select referral, version, state, changed_at from referrals.referral",
    "alerts": "select alert_id, kind from notifications.alert",
    "leaves": "select index, leaf from audit.entry",
}


async def test_a_lost_database_is_restored_and_reads_again_what_it_lacks(
    session_folder: Path, anyio_backend: str
) -> None:
    place, backup, ports = session_folder / "restored", session_folder / "backup", Ports.free()
    async with running(place, ports, *SERVICES) as stack:
        postgres = Postgres(stack.state, ports.postgres, None)
        with commands_backup.receiving(postgres, backup):
            async with under_load(stack) as flow:
                await asyncio.to_thread(commands_backup.base, postgres, backup)
                await flow.progress()  # this is in the write-ahead log only
            await stack.stop(*SERVICES)
            await everything_is_received(stack)
        whole = await contents(stack)

    # With all of the write-ahead log nothing is missing, and the log may go on.
    await asyncio.to_thread(put_back, postgres, backup)
    async with running(place, ports) as stack:
        assert await contents(stack) == whole
        asked = hostile.request()
        sealed = load(overlay_file(stack.target)).seal(b"{}", asked.envelope.referral, make.RECIPIENT)
        (offset,) = await send(stack, make.SENDER, [hostile.sent(replace(asked, sealed=sealed))])
        await started(stack, *SERVICES)
        found = await read_facts(
            stack, make.SENDER, lambda facts: any(f.data.cause.offset == offset for f in facts if f.answer)
        )
        assert found[-1].outcome == "applied"
        assert (await ledger.check(stack.target, within=120)).problems == ()
        async with loaded(stack.target, SEED_OF_STORIES + 1) as more, more.flowing():
            pass  # other stories than before
        await ledger.quiet(stack.target)
        newest = await contents(stack)

    # Now the backup is older than what was published.
    await asyncio.to_thread(put_back, postgres, backup)
    async with running(place, ports, "referrals", "notifications") as stack:

        async def caught_up() -> bool:
            now = await contents(stack)
            return all(now[name] == newest[name] for name in ("facts", "referrals", "alerts"))

        await eventually(caught_up, 60, "everything decided again as it had been")
        await stack.start("audit")
        log = stack.state.logs / "audit.log"

        async def refused() -> bool:
            return "the log is not continued" in log.read_text("utf-8")

        await eventually(refused, 30, "the log refusing to go on")
        assert (await contents(stack))["leaves"] == whole["leaves"]
        await a_new_log_begins(stack, len(whole["leaves"]))


async def a_new_log_begins(stack: Stack, kept: int) -> None:
    """As `./ruta audit begin-anew` does it: every record has its leaf in one log or the other, old proofs hold."""
    published = seen_file(stack.state).read_text("utf-8")
    old = keys.load(signing_key_file(stack.state)).verifier
    said = await new_log.begin(stack.target, accepted=False)
    assert (said.log.kept, said.log.checkpoint, said.name) == (kept, published, f"{AUDIT_ORIGIN}/2")
    assert keys.load(signing_key_file(stack.state)).verifier == old
    assert await new_log.begin(stack.target, accepted=True) == said
    await stack.wait_ready("audit", 60)
    async with loaded(stack.target, SEED_OF_STORIES + 2) as more, more.flowing():
        pass
    assert (await ledger.check(stack.target, within=120)).problems == ()
    ((closed, verdict),) = await verify_closed(stack.target)
    assert (verdict.leaves, verdict.misfit, closed.vkey) == (kept, None, old.vkey)

    async with httpx.AsyncClient(base_url=stack.addresses.http["audit"], timeout=30) as client:
        now = (await client.get("/v1/log")).json()
        assert now["origin"] == said.name
        (before,) = now["closed"]
        assert (before["origin"], before["kept"], before["checkpoint"]) == (old.name, kept, published)
        first = (await client.get("/v1/entries/0")).json()
        assert leaf.read(first["leaf"].encode())["log"] == note.read(published, [old])
        for path, verifier, size in (("", note.read_vkey(now["vkey"]), now["size"]), (before["path"], old, kept)):
            for index in (0, size - 1):
                assert proven((await client.get(f"{path}/v1/entries/{index}")).json(), verifier)
        assert old.name in (await client.get("/")).text
    await its_key_is_lost(stack, now["vkey"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(new_log, "FREE_WITHIN", 0.5)
        with pytest.raises(StackError):
            await new_log.begin(stack.target, accepted=True)


async def its_key_is_lost(stack: Stack, vkey: str) -> None:
    """Nobody can sign for the log any more: it is closed with the public key that everybody has."""
    await stack.stop("audit")
    signing_key_file(stack.state).unlink()
    ensure(stack.target)  # as the next `up` does
    with pytest.raises(StackError, match="--vkey"):
        await new_log.begin(stack.target, accepted=True)
    assert (await new_log.begin(stack.target, vkey=vkey, accepted=True)).name == f"{AUDIT_ORIGIN}/3"
    await started(stack, "audit")
    assert (await ledger.check(stack.target, within=120)).problems == ()
    assert [verdict.misfit for _, verdict in await verify_closed(stack.target)] == [None, None]


def proven(answer: dict[str, Any], by: Verifier) -> bool:
    """The leaf is in the tree that this key signed."""
    signed = note.read_checkpoint(note.read(answer["checkpoint"], [by]))
    path = [b64decode(one) for one in answer["proof"]]
    hashed = merkle.leaf_hash(answer["leaf"].encode())
    return merkle.included(hashed, answer["index"], signed.size, path, signed.root)


@asynccontextmanager
async def running(place: Path, ports: Ports, *names: str) -> AsyncIterator[Stack]:
    async with Stack(place, ports) as stack:
        await started(stack, *names)
        yield stack


async def started(stack: Stack, *names: str) -> None:
    await stack.start(*names)
    for name in names:
        await stack.wait_ready(name, 60)


def put_back(postgres: Postgres, backup: Path) -> None:
    """As `./ruta restore` does it."""
    stopped = Postgres(postgres.state, 0, needed_account())
    stopped.put_back(backup / commands_backup.BASE, backup / commands_backup.WAL)


async def everything_is_received(stack: Stack) -> None:
    """The receiver has every byte that was written before."""
    connection = await administrator(stack.target)
    try:
        written = await connection.fetchval("select pg_current_wal_flush_lsn()::text")

        async def received() -> bool:
            return bool(
                await connection.fetchval(
                    "select bool_or(flush_lsn >= $1::text::pg_lsn) from pg_stat_replication", written
                )
            )

        await eventually(received, 30, "the write-ahead log in the backup")
    finally:
        await connection.close()


async def contents(stack: Stack) -> dict[str, set[tuple[object, ...]]]:
    """What the services keep, but for the order in which it was stored."""
    connection = await administrator(stack.target)
    try:
        return {name: {tuple(row) for row in await connection.fetch(sql)} for name, sql in CONTENTS.items()}
    finally:
        await connection.close()
