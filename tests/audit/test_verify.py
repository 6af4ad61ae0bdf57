"""Every check of the verification fires: whatever is changed, by whoever may change anything, is named."""

from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import keyring, leaf, note
from services.audit.checks import Check
from services.audit.leaf import Columns
from tests.audit.support import ORIGIN, Log, fill
from tests.audit.test_lies import LIES

pytestmark = pytest.mark.anyio


async def test_an_untouched_log_fits(log: Log) -> None:
    await fill(log)
    verdict = await log.verify()
    assert verdict.misfit is None, str(verdict)
    assert (verdict.leaves, verdict.opened, verdict.erased) == (300, 299, 0)
    assert str(verdict) == f"verified 300 leaves, 299 records opened, 0 erased, root {verdict.root.hex()}"
    assert str(await log.verify(keys=False)) == f"verified 300 leaves, root {verdict.root.hex()}"
    assert verdict.checkpoint is not None
    assert (await log.verify(seen=verdict.checkpoint)).misfit is None


async def test_an_empty_log_fits(log: Log) -> None:
    assert (await log.verify()).misfit is None


async def test_erased_records_leave_every_proof_valid(log: Log) -> None:
    await fill(log)
    before = await log.verify()
    referral = await log.app.fetchval("select referral from entry where index = 0")
    about = await log.app.fetchval("select count(*) from entry where referral = $1", referral)
    assert await keyring.destroy(log.keys, str(referral)) >= 2
    after = await log.verify()
    assert (after.misfit, after.root, after.erased) == (None, before.root, about)


@dataclass(frozen=True)
class Broken:
    """What a superuser did, and what must be said about it; ``at`` None: any leaf may be named."""

    check: Check
    at: int | None
    sql: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.check}: {'; '.join(self.sql)}"[:90].replace("\n", " ")


def broken(check: Check, at: int | None, *sql: str) -> Broken:
    return Broken(check, at, sql)


OTHER_VALUE = {
    "kind": "'gap'", "cluster": "'x'", "topic": "'x'", "topic_id": "'x'", "partition": "9", "record_offset": "-1",
    "last_offset": "9999", "owner": "'x'", "owner_seq": "9999", "owner_prev": "0", "referral": "gen_random_uuid()",
    "referral_seq": "9999", "referral_prev": "0", "event_id": "gen_random_uuid()", "fact_id": "gen_random_uuid()",
}  # fmt: skip
BATCHES = [0, 100, 107, 290]

BREAKS = [
    *(broken(Check.COLUMNS, 150, f"update entry set {c} = {v} where index = 150") for c, v in OTHER_VALUE.items()),
    broken(Check.COLUMNS, 100, "update entry set first_use = 1 where index = 100"),
    broken(Check.FORM, 299, "update entry set leaf = leaf || ' ' where index = 299"),
    broken(Check.FORM, 299, "update entry set leaf = set_byte(leaf, 5, get_byte(leaf, 5) # 1) where index = 299"),
    broken(Check.FORM, 299, "update entry set leaf = '\\x00ff' where index = 299"),
    broken(Check.ENTRIES, 150, "delete from entry where index = 150"),
    broken(Check.ENTRIES, 299, "delete from entry where index = 299"),
    broken(Check.ENTRIES, 290, "delete from batch where first_index = 290"),
    broken(Check.BATCHES, 100, "delete from batch where first_index = 100"),
    broken(Check.BATCHES, 0, "delete from batch where first_index = 0"),
    broken(Check.ROOT, 107, "update batch set root = sha256(root) where first_index = 107"),
    broken(Check.SEALED, 7, "delete from sealed where index = 7"),
    broken(
        Check.SEALED, 7, "update sealed set content = set_byte(content, 9, get_byte(content, 9) # 1) where index = 7"
    ),
    broken(Check.SEALED, 7, "update sealed set content = (select content from sealed where index = 8) where index = 7"),
    broken(Check.SEALED, 102, "insert into sealed values (102, 'x')"),
    broken(Check.SEALED, 300, "insert into sealed values (300, 'x')"),
    broken(Check.FIRST_USE, 5, "update first_use set index = 6 where index = 5"),
    broken(Check.FIRST_USE, 0, "delete from first_use where index = 0"),
    broken(Check.FIRST_USE, 3, "insert into first_use values ('x', gen_random_uuid(), 3, sha256('x'))"),
    broken(Check.TILES, 17, "update tile set hashes = set_byte(hashes, 17 * 32, get_byte(hashes, 17 * 32) # 1)"),
    broken(Check.TILES, 0, "delete from tile"),
    broken(Check.TILES, 256, "insert into tile select 0, 1, hashes from tile"),
    broken(Check.TILES, 0, "insert into tile select 1, 0, hashes from tile"),
    broken(Check.TILES, 0, "insert into tile select 63, 0, hashes from tile"),
    broken(Check.SPANS, 0, "update span set next_offset = next_offset + 1 where first_index = 0"),
    broken(Check.SPANS, 290, "delete from span where first_index = 290"),
    broken(Check.SPANS, 300, "insert into span values (300, 'c', 't', 0, 0, 1)"),
    broken(Check.CHECKPOINT, 106, "delete from checkpoint where size = 107"),
    broken(Check.CHECKPOINT, 299, "delete from checkpoint where size = 300"),
    broken(Check.CHECKPOINT, 106, "update checkpoint set note = replace(note, '107', '108') where size = 107"),
    broken(
        Check.CHECKPOINT,
        106,
        "update checkpoint set note = (select note from checkpoint where size = 100) where size = 107",
    ),
    broken(Check.CHECKPOINT, 107, "insert into checkpoint select 108, note from checkpoint where size = 107"),
    broken(Check.KEYS, 0, "delete from audit_keys.data_key"),
    broken(Check.COMMITMENT, 0, "update audit_keys.data_key set secret = sha256(secret)"),
]


@pytest.mark.parametrize("case", BREAKS, ids=str)
async def test_a_changed_table_is_named(log: Log, case: Broken) -> None:
    await fill(log)
    await log.break_it(*case.sql)
    misfit = (await log.verify()).misfit
    assert misfit is not None, "nobody noticed"
    assert (misfit.check, misfit.index) == (case.check, case.at), str(misfit)


def rewritten(stored: bytes, **changes: Any) -> bytes:
    """A leaf that is as well formed as before."""
    return leaf.canonical(leaf.read(stored) | changes)


async def test_a_leaf_rewritten_in_good_form_breaks_the_root(log: Log) -> None:
    await fill(log)
    stored = await log.app.fetchval("select leaf from entry where index = 295")
    await log.break_it("update entry set leaf = $1 where index = 295", arguments=[rewritten(stored, kt=1)])
    misfit = (await log.verify(keys=False)).misfit
    assert misfit is not None
    assert (misfit.check, misfit.index) == (Check.ROOT, 290)


async def test_a_leaf_rewritten_under_a_full_tile_is_named_exactly(log: Log) -> None:
    """The batch that fills the tile is the one that the leaf belongs to."""
    await fill(log)
    stored = await log.app.fetchval("select leaf from entry where index = 200")
    await log.break_it("update entry set leaf = $1 where index = 200", arguments=[rewritten(stored, kt=1)])
    misfit = (await log.verify(keys=False)).misfit
    assert misfit is not None
    assert (misfit.check, misfit.index) == (Check.TILES, 200)


async def test_another_key_is_not_ours(log: Log) -> None:
    await fill(log)
    forged = note.signer(ORIGIN, Ed25519PrivateKey.generate())
    root = await log.app.fetchval("select root from batch where first_index = 100")
    await log.break_it(
        "update checkpoint set note = $1 where size = 107",
        arguments=[note.sign(note.Checkpoint(ORIGIN, 107, root).text, forged)],
    )
    misfit = (await log.verify()).misfit
    assert misfit is not None
    assert (misfit.check, misfit.index) == (Check.CHECKPOINT, 106)


CUT = ("entry where index >= 290", "sealed where index >= 290", "batch where first_index = 290",
       "span where first_index = 290", "checkpoint where size = 300", "first_use where index >= 290")  # fmt: skip


async def test_a_log_cut_off_cleanly_is_found_by_who_saw_it(log: Log) -> None:
    await fill(log)
    seen = (await log.verify()).checkpoint
    await log.break_it(*(f"delete from {what}" for what in CUT))
    assert (await log.verify()).misfit is None, "a clean cut shows only from outside"
    misfit = (await log.verify(seen=seen)).misfit
    assert misfit is not None
    assert (misfit.check, misfit.index) == (Check.SEEN, 290)


async def test_another_log_of_the_same_key_is_found_by_who_saw_the_first(log: Log) -> None:
    await fill(log)
    other = note.sign(note.Checkpoint(ORIGIN, 107, bytes(32)).text, log.signer)
    misfit = (await log.verify(seen=other)).misfit
    assert misfit is not None
    assert (misfit.check, misfit.index) == (Check.SEEN, 106)


def test_no_check_is_without_a_test_that_makes_it_fire() -> None:
    fired = {case.check for case in BREAKS} | {check for _, check, _ in LIES} | {Check.SEEN}
    fired.add(Check.PREDECESSOR)  # test_predecessor.py
    assert fired == set(Check)
    assert set(OTHER_VALUE) | {"first_use"} == set(Columns._fields)
