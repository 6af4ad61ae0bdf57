"""Every check of the verification fires: whatever is changed, by whoever may change anything, is named."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts import codec
from contracts.codec import Record
from contracts.values import Problem
from services.audit import keyring, leaf, note, seal
from services.audit.checks import Check
from services.audit.leaf import Columns
from services.audit.sequence import Tail
from tests.audit.support import ORIGIN, Log, declared, desk, fill, raw
from tests.support import builders as make

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


Lie = Callable[[Log, pytest.MonkeyPatch], Awaitable[None]]
"""A sequencer that signs a log which is wrong: nothing in the tree can show it, only what the leaves say."""


async def leaves_out_a_record(log: Log, _: pytest.MonkeyPatch) -> None:
    kept, _left_out, after = (log.arrival(declared()) for _ in range(3))
    await log.sequencer().append([kept, after])


async def begins_late(log: Log, _: pytest.MonkeyPatch) -> None:
    log.arrival(declared())
    await log.sequencer().append([log.arrival(raw()), log.arrival(raw())])


async def puts_records_in_another_order(log: Log, _: pytest.MonkeyPatch) -> None:
    sequencer = log.sequencer()
    first, second = (log.arrival(declared()) for _ in range(2))
    await sequencer.append([second])
    await sequencer.append([first])


async def counts_an_owner_wrongly(log: Log, _: pytest.MonkeyPatch) -> None:
    sequencer = log.sequencer()
    await sequencer.append([log.arrival(raw()), log.arrival(raw())])
    sequencer._owners = {owner: Tail(tail.seq + 1, tail.at) for owner, tail in sequencer._owners.items()}
    await sequencer.append([log.arrival(raw())])


async def hides_a_leaf_of_a_referral(log: Log, _: pytest.MonkeyPatch) -> None:
    sequencer, referral = log.sequencer(), uuid4()
    await sequencer.append([log.arrival(declared(referral)), log.arrival(declared(referral))])
    sequencer._referrals = {str(referral): Tail(1, 0)}
    await sequencer.append([log.arrival(declared(referral))])


async def commits_to_something_else(log: Log, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(seal, "commitment", lambda salt, frame: bytes(32))
    await log.sequencer().append([log.arrival(raw())])
    patch.undo()


async def seals_no_record(log: Log, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(codec, "framed", lambda _: codec.Framed(b"no record", bytes(32)))
    await log.sequencer().append([log.arrival(raw())])
    patch.undo()


async def states_another_size(log: Log, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leaf, "size_class", lambda _: 256 * 1024)
    await log.sequencer().append([log.arrival(raw())])
    patch.undo()


async def states_another_event(log: Log, _: pytest.MonkeyPatch) -> None:
    await log.sequencer().append([log.arrival(declared())._replace(event=str(uuid4()))])


async def states_another_referral(log: Log, _: pytest.MonkeyPatch) -> None:
    await log.sequencer().append([log.arrival(declared())._replace(referral=str(uuid4()))])


def misreports(name: str, one: Callable[[], Record] = declared, **changes: str | None) -> Lie:
    """What a leaf says of its record is not what the record says."""

    async def lie(log: Log, _: pytest.MonkeyPatch) -> None:
        await log.sequencer().append([log.arrival(one())._replace(**changes)])  # type: ignore[arg-type]

    lie.__name__ = name
    return lie


async def calls_a_readable_declaration_unreadable_as_before(log: Log, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leaf, "VERSION", 1)
    await UNREADABLE(log, patch)
    patch.undo()


UNREADABLE = misreports(
    "unreadable", flaw=str(Problem.HEADER_INVALID), event=None, type=None, time=None, cause=None, referral=None
)


async def calls_a_conflict_a_duplicate(log: Log, patch: pytest.MonkeyPatch) -> None:
    referral, event = uuid4(), uuid4()
    patch.setattr(seal, "sameness", lambda *_: bytes(32))
    await log.sequencer().append([log.arrival(declared(referral, id=event)) for _ in range(2)])
    patch.undo()


LIES: list[tuple[Lie, Check, int]] = [
    (leaves_out_a_record, Check.OFFSETS, 1),
    (begins_late, Check.OFFSETS, 0),
    (puts_records_in_another_order, Check.OFFSETS, 0),
    (counts_an_owner_wrongly, Check.OWNERS, 2),
    (hides_a_leaf_of_a_referral, Check.REFERRALS, 2),
    (commits_to_something_else, Check.COMMITMENT, 0),
    (seals_no_record, Check.CONTENT, 0),
    (states_another_size, Check.CONTENT, 0),
    (states_another_event, Check.CONTENT, 0),
    (states_another_referral, Check.CONTENT, 0),
    (calls_a_conflict_a_duplicate, Check.CONTENT, 0),
    (misreports("type", type="co.ruta.referral.rejected.v1"), Check.CONTENT, 0),
    (misreports("time", time="2026-11-24T16:00:00.000000Z"), Check.CONTENT, 0),
    (misreports("no time", time=None), Check.CONTENT, 0),
    (misreports("cause", cause=str(uuid4())), Check.CONTENT, 0),
    (misreports("owner", owner=make.OTHER), Check.FORM, 0),
    (misreports("author at the desk", lambda: desk(make.OTHER), owner=make.RECIPIENT), Check.CONTENT, 0),
    (misreports("flaw", lambda: raw(None), flaw=str(Problem.HEADER_REPEATED)), Check.CONTENT, 0),
    (misreports("no referral", lambda: replace(declared(), value=None), referral=None), Check.CONTENT, 0),
    (UNREADABLE, Check.CONTENT, 0),
    (calls_a_readable_declaration_unreadable_as_before, Check.CONTENT, 0),
]


@pytest.mark.parametrize(("lie", "check", "at"), LIES, ids=lambda value: getattr(value, "__name__", str(value)))
async def test_a_lying_sequencer_is_named(
    log: Log, monkeypatch: pytest.MonkeyPatch, lie: Lie, check: Check, at: int
) -> None:
    await lie(log, monkeypatch)
    misfit = (await log.verify()).misfit
    assert misfit is not None, "nobody noticed"
    assert (misfit.check, misfit.index) == (check, at), str(misfit)


async def test_a_leaf_of_an_older_version_is_verified_as_it_was_read(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaf, "VERSION", 1)
    empty, keyless = (log.arrival(replace(declared(), **change)) for change in ({"value": None}, {"key": None}))
    as_before = keyless._replace(flaw=str(Problem.KEY_NOT_SUBJECT), referral=None)
    await log.sequencer().append([empty._replace(referral=None), as_before, log.arrival(declared())])
    assert (await log.verify()).misfit is None


def test_no_check_is_without_a_test_that_makes_it_fire() -> None:
    fired = {case.check for case in BREAKS} | {check for _, check, _ in LIES} | {Check.SEEN}
    fired.add(Check.PREDECESSOR)  # test_predecessor.py
    assert fired == set(Check)
    assert set(OTHER_VALUE) | {"first_use"} == set(Columns._fields)
