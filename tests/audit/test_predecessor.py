"""A log that goes on from a closed one begins with its checkpoint, and whoever verifies it sees when it does not."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import leaf, note, predecessor, seen, tree
from services.audit.checks import Check
from services.audit.note import Checkpoint
from services.audit.predecessor import Predecessor
from services.audit.reading import CLOSED
from services.audit.sequence import Head
from services.audit.sequencer import Sequencer
from services.audit.tree import NotOurs
from tests.audit.support import CLUSTER, ORIGIN, Log, declared

pytestmark = pytest.mark.anyio

OLD = note.signer("old.example/audit", Ed25519PrivateKey.generate())
LAST = Checkpoint("old.example/audit", 9, bytes(32))
CLOSED_LOG = Predecessor("old.example/audit", OLD.verifier.vkey, note.sign(LAST.text, OLD), 5, "audit_closed_1")
ENDS = [
    {"cluster": CLUSTER, "topic": topic, "topic_id": f"id-of-{topic}", "partition": 0, "next_offset": offset}
    for topic, offset in (("ruta.facts.v1", 3), ("ruta.in.personeria-giron.v1", 2))
]


async def begun(log: Log) -> Sequencer:
    """A new log with its first leaves."""
    await predecessor.store(log.admin, CLOSED_LOG, ENDS)
    return await begun_already(log)


async def begun_already(log: Log) -> Sequencer:
    made = log.sequencer()
    found = await predecessor.read(log.app)
    assert found == CLOSED_LOG
    await made.append(await predecessor.gaps(log.app, found))
    return made


async def test_it_begins_with_the_last_checkpoint_and_goes_on_where_the_leaves_end(log: Log) -> None:
    sequencer = await begun(log)
    for row in ENDS:
        log.offsets[str(row["topic"])] = int(str(row["next_offset"]))
    await sequencer.append([log.arrival(declared(by="personeria-giron"))])
    verdict = await log.verify()
    assert verdict.misfit is None, str(verdict)
    rows = await log.app.fetch("select leaf from entry order by index")
    first, second, third = (leaf.read(row["leaf"]) for row in rows)
    assert [(one["why"], one["to"], one["log"], one["kept"]) for one in (first, second)] == [
        (CLOSED, 2, LAST.text, 5), (CLOSED, 1, LAST.text, 5),
    ]  # fmt: skip
    assert (third["k"], third["o"]) == ("event", 2)


async def test_a_log_without_its_predecessors_checkpoint_is_named(log: Log) -> None:
    await predecessor.store(log.admin, CLOSED_LOG, ENDS)
    assert (await log.verify()).misfit is None  # it has not begun yet
    await log.sequencer().append([log.arrival(declared())])
    misfit = (await log.verify()).misfit
    assert misfit is not None
    assert misfit.check is Check.PREDECESSOR


@pytest.mark.parametrize(
    "change",
    [
        "update audit.predecessor set kept = 4",
        "update audit.predecessor set checkpoint = replace(checkpoint, '9', '8')",
        "update audit.predecessor_position set next_offset = 4 where next_offset = 3",
        "delete from audit.predecessor_position where next_offset = 3",
        "delete from audit.predecessor",
    ],
)
async def test_a_changed_predecessor_is_named(log: Log, change: str) -> None:
    await begun(log)
    assert (await log.verify()).misfit is None
    await log.break_it(change)
    misfit = (await log.verify()).misfit
    assert misfit is not None, "nobody noticed"
    assert (misfit.check, misfit.index) == (Check.PREDECESSOR, 0)


async def test_a_closed_log_named_in_the_middle_is_named(log: Log) -> None:
    sequencer = log.sequencer()
    await sequencer.append([log.arrival(declared())])
    await predecessor.store(log.admin, CLOSED_LOG, ENDS)
    (gap, _) = await predecessor.gaps(log.app, CLOSED_LOG)
    await sequencer.append([gap])
    misfit = (await log.verify()).misfit
    assert misfit is not None
    assert (misfit.check, misfit.index) == (Check.PREDECESSOR, 1)


async def test_what_was_seen_of_the_closed_log_does_not_hold_up_the_new_one(log: Log, tmp_path: Path) -> None:
    await predecessor.store(log.admin, CLOSED_LOG, ENDS)
    for size, refused in ((9, False), (8, False), (10, True)):
        file = tmp_path / f"seen-{size}"
        file.write_text(note.sign(Checkpoint("old.example/audit", size, bytes(32)).text, OLD))
        with pytest.raises(NotOurs) if refused else nullcontext():
            await seen.check(log.app, log.signer.verifier, file, Head())
    await begun_already(log)
    with pytest.raises(NotOurs):
        await seen.check(
            log.app, log.signer.verifier, tmp_path / "seen-9", await tree.head(log.app, log.signer.verifier)
        )


def test_the_key_of_the_closed_log_signs_nothing_more(log: Log) -> None:
    predecessor.differs(None, log.signer.verifier)
    predecessor.differs(CLOSED_LOG, log.signer.verifier)
    with pytest.raises(NotOurs):
        predecessor.differs(Predecessor(ORIGIN, "", "", 1, "audit_closed_1"), log.signer.verifier)
