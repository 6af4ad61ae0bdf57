"""A sequencer that signs what is not so: the tree fits, and the verification names the leaf all the same."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from contracts import codec
from contracts.codec import Record
from contracts.values import Problem
from services.audit import leaf, seal
from services.audit.checks import Check
from services.audit.sequence import Tail
from tests.audit.support import Log, declared, desk, raw
from tests.support import builders as make

pytestmark = pytest.mark.anyio

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
    empty, keyless = log.arrival(replace(declared(), value=None)), log.arrival(replace(declared(), key=None))
    as_before = keyless._replace(flaw=str(Problem.KEY_NOT_SUBJECT), referral=None)
    await log.sequencer().append([empty._replace(referral=None), as_before, log.arrival(declared())])
    assert (await log.verify()).misfit is None
