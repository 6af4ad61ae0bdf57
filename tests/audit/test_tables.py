"""What the database refuses: changes by anybody, a second sequencer, a log that does not end as it should."""

from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import keyring, note, seen, store, tree
from services.audit.sequence import Head
from tests.audit.support import CLUSTER, ORIGIN, Log, declared, fill

pytestmark = pytest.mark.anyio

TABLES = [
    "batch", "span", "entry", "sealed", "tile", "first_use", "checkpoint", "predecessor", "predecessor_position",
]  # fmt: skip
CHANGES = ["update {t} set {c} = {c}", "delete from {t}", "truncate {t}"]
FIRST_COLUMN = dict(
    zip(TABLES, ["n", "partition", "kind", "index", "n", "index", "size", "kept", "next_offset"], strict=True)
)


def change(statement: str, table: str) -> str:
    return statement.format(t=table, c=FIRST_COLUMN[table])


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", CHANGES)
async def test_nobody_changes_the_log(log: Log, table: str, statement: str) -> None:
    """Not the service, not the owner, not a superuser who plays replica; only who disables a trigger can."""
    text = change(statement, table)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await log.app.execute(text)
    await log.admin.execute("set role audit_owner")
    with pytest.raises(asyncpg.RestrictViolationError):
        await log.admin.execute(text)
    await log.admin.execute("reset role; set session_replication_role = replica")
    with pytest.raises(asyncpg.RestrictViolationError):
        await log.admin.execute(text)


async def test_every_table_is_guarded(log: Log) -> None:
    """A table that a later migration adds must be guarded too."""
    rows = await log.admin.fetch("select tablename from pg_tables where schemaname = 'audit'")
    assert {row["tablename"] for row in rows} == {*TABLES, "migration"}


@pytest.mark.parametrize(
    "statement",
    ["alter table entry disable trigger insert_only", "drop trigger insert_only on entry", "drop table entry",
     "set role audit_owner", "create table mine (x int)", "set session_replication_role = replica"],
)  # fmt: skip
async def test_the_service_cannot_lift_the_guard(log: Log, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await log.app.execute(statement)


async def test_keys_can_be_destroyed_and_nothing_else(log: Log) -> None:
    scope = ("alfa", str(uuid4()))
    made = await keyring.keys(log.keys, {scope})
    for statement in ("delete from data_key", "truncate data_key", "update data_key set owner = 'x'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await log.keys.execute(statement)
    for statement in (
        "update data_key set secret = sha256(secret)",
        "update data_key set secret = null, destroyed_at = null",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await log.keys.execute(statement)
    assert await keyring.destroy(log.keys, scope[1]) == 1
    assert await keyring.by_id(log.keys, [made[scope].id]) == {made[scope].id: None}
    with pytest.raises(asyncpg.RestrictViolationError):
        await log.keys.execute("update data_key set destroyed_at = now()")
    again = await keyring.keys(log.keys, {scope})
    assert again[scope].id != made[scope].id


async def test_a_key_that_an_older_snapshot_shows_is_not_said_to_be_destroyed(log: Log) -> None:
    scope = ("alfa", str(uuid4()))
    await keyring.keys(log.keys, {scope})
    verifying = await log.connect("audit_keys_app", "audit_keys")
    async with verifying.transaction(isolation="repeatable_read", readonly=True):
        await verifying.fetchval("select count(*) from data_key")
        with pytest.raises(keyring.StillReadable):
            await keyring.destroy(log.keys, scope[1])
        assert await verifying.fetchval("select secret from data_key") is not None
    assert await keyring.destroy(log.keys, scope[1]) == 0


async def test_the_log_and_its_keys_do_not_see_each_other(log: Log) -> None:
    for connection, table in ((log.app, "audit_keys.data_key"), (log.keys, "audit.entry")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"select * from {table}")
    operator = await log.connect("ruta_operator")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await operator.execute("insert into sealed values (0, '')")


async def test_one_sequencer_at_a_time(log: Log) -> None:
    standby = await log.connect("audit_app")
    assert await store.become_the_only_one(log.app)
    assert not await store.become_the_only_one(standby)
    await log.app.close()
    assert await store.become_the_only_one(standby)


async def test_a_second_sequencer_collides_and_leaves_nothing(log: Log) -> None:
    first = await fill(log)
    second = log.sequencer()
    second.writer = await log.connect("audit_app")
    second.head = first.head
    await first.append([log.arrival(declared())])
    with pytest.raises(asyncpg.UniqueViolationError):
        await second.append([log.arrival(declared(by="imebu"))])
    verdict = await log.verify()
    assert (verdict.misfit, verdict.leaves) == (None, 301)


async def test_the_same_record_twice_is_refused_by_its_coordinates(log: Log) -> None:
    sequencer, record = log.sequencer(), log.arrival(declared())
    await sequencer.append([record])
    with pytest.raises(asyncpg.UniqueViolationError):
        await sequencer.append([record])
    another = log.arrival(declared())
    with pytest.raises(asyncpg.UniqueViolationError):
        await sequencer.append([another, another])


async def test_a_restart_goes_on_where_the_log_ends(log: Log) -> None:
    head = (await fill(log)).head
    assert head is not None
    assert await tree.head(log.app, log.signer.verifier) == head
    stream = (CLUSTER, "id-of-ruta.in.personeria-giron.v1", 0)
    assert (await store.positions(log.app, CLUSTER, [stream, (CLUSTER, "other", 0)])).keys() == {stream}
    again = log.sequencer()
    again.head = head
    await again.append([log.arrival(declared())])
    assert (await log.verify()).misfit is None


async def test_an_empty_log_begins_at_nothing(log: Log) -> None:
    assert await tree.head(log.app, log.signer.verifier) == Head()


WRONG_ENDS = [
    "delete from batch where first_index = 290",
    "delete from entry where index = 299",
    "delete from entry where index = 280",
    "delete from tile",
    "update batch set root = sha256(root) where first_index = 290",
    "update entry set leaf = leaf || ' ' where index = 299",
    "delete from checkpoint where size = 300",
    "update checkpoint set note = (select note from checkpoint where size = 107) where size = 300",
]


@pytest.mark.parametrize("statement", WRONG_ENDS)
async def test_a_log_that_ends_wrongly_is_not_continued(log: Log, statement: str) -> None:
    await fill(log)
    await log.break_it(statement)
    with pytest.raises(tree.NotOurs):
        await tree.head(log.app, log.signer.verifier)


async def test_a_log_continues_only_what_was_seen(log: Log, tmp_path: Path) -> None:
    file, verifier = tmp_path / "seen", log.signer.verifier
    head = (await fill(log)).head
    assert head is not None
    await seen.check(log.app, verifier, None, head)
    await seen.check(log.app, verifier, file, head)
    for size in (100, 107, 290, 300):
        signed = await log.app.fetchval("select note from checkpoint where size = $1", size)
        seen.write(file, signed)
        await seen.check(log.app, verifier, file, head)
    for text in (
        note.sign(note.Checkpoint(ORIGIN, 301, head.root).text, log.signer),
        note.sign(note.Checkpoint(ORIGIN, 107, head.root).text, log.signer),
        signed.replace("300", "299"),
        "",
    ):
        seen.write(file, text)
        with pytest.raises(tree.NotOurs):
            await seen.check(log.app, verifier, file, head)


async def test_a_log_of_another_key_is_not_continued(log: Log) -> None:
    await fill(log)
    other = note.signer(ORIGIN, Ed25519PrivateKey.generate())
    with pytest.raises(tree.NotOurs):
        await tree.head(log.app, other.verifier)
