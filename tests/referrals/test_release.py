"""What waited for a mend is decided in its order, on a real PostgreSQL; the records are given by hand."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import pytest

from contracts.codec import Record
from contracts.values import State, Verb
from deploy.embedded.stack import Stack
from services.referrals import policy
from services.referrals.refold import refold
from services.referrals.release import ReleasedElsewhere, release
from services.runtime.intake import Halted
from services.runtime.refetch import Fetch, Place
from tests.referrals.test_fold import PATH, failing, path
from tests.referrals.test_intake import intake
from tests.support import builders as make
from tests.support.database import connect
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio


def stored_in_kafka(*records: Record) -> Fetch:
    """Reads these and no others."""
    kept = {(one.topic, one.partition, one.offset): one for one in records}

    async def fetch(places: Sequence[Place]) -> Mapping[Place, Record]:
        return {place: kept[place] for place in places if place in kept}

    return fetch


async def outcomes(connection: asyncpg.Connection, referral: UUID | None = None) -> list[tuple[str, int]]:
    rows = await connection.fetch(
        "select kind, ordinal from fact where $1::uuid is null or referral = $1 order by position", referral
    )
    return [(row["kind"], row["ordinal"]) for row in rows]


async def test_a_referral_waits_the_others_flow_and_after_the_mend_all_is_as_it_would_have_been(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good, need = uuid4(), uuid4(), uuid4()
    records = renumbered([*path(bad, need), *path(good, need)])
    with monkeypatch.context() as broken:
        failing(broken, bad)
        taking = await intake(connection, "c", records)
        for one in records:  # one by one: what waits is found in the database
            await taking._take([one])
        assert [kind for kind, _ in await outcomes(connection, good)] == [verb.value for verb in PATH]
        assert await outcomes(connection, bad) == [("requested", 0), *[("parked", 0)] * 4]
        still = await release(connection, stored_in_kafka(*records), make.MEMBERS)
        assert still.records == 0
        assert still.waiting == [f"referral {bad}: our own rules fail again (ZeroDivisionError), 5 records wait"]
    released = await release(connection, stored_in_kafka(*records), make.MEMBERS)
    assert (released.records, released.waiting) == (5, [])
    assert [kind for kind, ordinal in await outcomes(connection, bad) if ordinal] == [verb.value for verb in PATH[1:]]
    assert await connection.fetchval("select count(*) from parked") == 0
    row = await connection.fetchrow("select state, version, changed_at from referral where referral = $1", bad)
    assert tuple(row) == (State.CLOSED, len(PATH), make.NOW)  # the broker's time, not that of the release
    assert (await refold(connection)).differences == ()


async def test_one_release_at_a_time(connection: asyncpg.Connection, stack: Stack, schema: str) -> None:
    other = await connect(stack, "referrals_app", schema)
    try:
        await connection.execute("select pg_try_advisory_lock(hashtext('ruta referrals release'))")
        with pytest.raises(ReleasedElsewhere):
            await release(other, stored_in_kafka(), make.MEMBERS)
        await connection.execute("select pg_advisory_unlock_all()")
        for one in (other, connection, other):  # each ends its own
            await release(one, stored_in_kafka(), make.MEMBERS)
    finally:
        await other.close()


async def test_what_fails_again_stays_with_all_that_stands_behind_it(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = uuid4()
    records = path(bad, uuid4())
    with monkeypatch.context() as broken:
        failing(broken, bad)
        await (await intake(connection, "c", records))._take(records)
    failing(monkeypatch, bad, verb=Verb.STARTED)  # the mend was half of one
    released = await release(connection, stored_in_kafka(*records), make.MEMBERS)
    assert released.records == 2
    assert [kind for kind, ordinal in await outcomes(connection, bad) if ordinal] == ["received", "accepted"]
    assert len(released.waiting) == 1
    assert await connection.fetchval("select count(*) from parked") == 3
    # It holds up what comes later, too.
    late = replace(records[-1], offset=records[-1].offset + 1)
    await (await intake(connection, "c", records))._take([late])
    assert (await outcomes(connection, bad))[-1] == ("parked", 0)


async def test_only_the_referral_that_is_named_is_released(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = uuid4(), uuid4()
    records = renumbered([*path(one, uuid4()), *path(two, uuid4())])
    with monkeypatch.context() as broken:
        failing(broken, one, two)
        await (await intake(connection, "c", records))._take(records)
    released = await release(connection, stored_in_kafka(*records), make.MEMBERS, two)
    assert released.records == 5
    assert {row["root"] for row in await connection.fetch("select root from parked")} == {one}


async def test_what_kafka_no_longer_has_is_named_and_waits(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = uuid4()
    records = path(bad, uuid4())
    with monkeypatch.context() as broken:
        failing(broken, bad)
        await (await intake(connection, "c", records))._take(records)
    gone = records[2]
    released = await release(connection, stored_in_kafka(*(one for one in records if one != gone)), make.MEMBERS)
    assert released.records == 1
    assert released.waiting == [
        f"referral {bad}: Kafka no longer has {gone.topic} offset {gone.offset}, 4 records wait"
    ]
    # Nor is another record taken that stands in its place now.
    other = replace(gone, value=b"{}")
    again = await release(connection, stored_in_kafka(*records[:2], other, *records[3:]), make.MEMBERS)
    assert (again.records, again.waiting) == (0, released.waiting)


async def test_an_unreadable_record_that_we_failed_on_waits_alone(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    referral, need = uuid4(), uuid4()
    records = path(referral, need, (Verb.REQUESTED, Verb.RECEIVED))

    def author(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(policy, "author", author)
        await (await intake(connection, "c", records))._take(records[:1])
    assert await outcomes(connection) == [("quarantined", 0)]
    released = await release(connection, stored_in_kafka(*records), make.MEMBERS)
    assert (released.records, released.waiting) == (1, [])
    assert (await outcomes(connection))[-1] == ("requested", 1)


async def test_a_repeated_declaration_is_answered_in_its_turn(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = uuid4()
    records = path(bad, uuid4(), (Verb.REQUESTED, Verb.RECEIVED))
    again = replace(records[1], offset=1)
    with monkeypatch.context() as broken:
        failing(broken, bad)
        await (await intake(connection, "c", records))._take([*records, again])
    await release(connection, stored_in_kafka(*records, again), make.MEMBERS)
    assert [kind for kind, ordinal in await outcomes(connection) if ordinal] == ["received", "duplicate"]


async def test_too_many_failures_stop_intake_and_leave_the_batch_in_kafka(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rules mended it is taken as if nothing had happened; what failed before waits for its release."""
    referrals = [uuid4() for _ in range(12)]
    records = renumbered([one for id in referrals for one in path(id, uuid4(), (Verb.REQUESTED,))])  # noqa: A001
    with monkeypatch.context() as broken:
        failing(broken, *referrals, verb=Verb.REQUESTED)
        taking = await intake(connection, "c", records)
        await taking._take(records[:9])
        with pytest.raises(Halted, match="ruta quarantine release"):
            await taking._take(records[9:])
        assert await outcomes(connection) == [("quarantined", 0)] * 9
    await taking._take(records[9:])
    assert (await outcomes(connection))[9:] == [("requested", 0)] * 3
    assert (await release(connection, stored_in_kafka(*records), make.MEMBERS)).records == 9
    assert await connection.fetchval("select count(*) from referral where state = 'requested'") == 12


async def test_a_release_beside_an_intake_that_goes_on_keeps_the_order(
    stack: Stack, schema: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrives while its referral is being released waits behind it, or comes after it: never before."""
    steps = (Verb.RECEIVED, Verb.ACCEPTED, Verb.STARTED, Verb.COMPLETED)
    referrals = [(uuid4(), uuid4()) for _ in range(8)]
    asked = renumbered([one for pair in referrals for one in path(*pair, (Verb.REQUESTED,))])
    answers = renumbered([one for verb in steps for pair in referrals for one in path(*pair, (verb,))])
    await (await intake(connection, "c", asked))._take(asked)
    taking = await intake(connection, "c", answers)
    with monkeypatch.context() as broken:
        failing(broken, *(referral for referral, _ in referrals))
        await taking._take(answers[:12])
    assert await connection.fetchval("select count(*) from parked") == 12

    async def go_on() -> None:
        for one in answers[12:]:
            await taking._take([one])

    async def release_all() -> None:
        other = await connect(stack, "referrals_app", schema)
        for _ in range(20):
            await release(other, stored_in_kafka(*answers), make.MEMBERS)
        await other.close()

    await asyncio.gather(go_on(), release_all())
    await release(connection, stored_in_kafka(*answers), make.MEMBERS)
    rows = await connection.fetch("select state, version from referral")
    assert {tuple(row) for row in rows} == {(State.COMPLETED, 5)}
    assert await connection.fetchval("select count(*) from fact where outcome = 'refused'") == 0
    assert await connection.fetchval("select count(*) from parked") == 0
    assert (await refold(connection)).differences == ()


async def test_nothing_is_left_to_wait_for_what_is_being_released(
    stack: Stack, connection: asyncpg.Connection, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request itself waits, so there is no row that intake and release could both lock."""
    bad = uuid4()
    records = renumbered(path(bad, uuid4(), (Verb.REQUESTED, Verb.WITHDRAWN)))
    with monkeypatch.context() as broken:
        failing(broken, bad, verb=Verb.REQUESTED)
        taking = await intake(connection, "c", records)
        await taking._take(records[:1])
    other = await connect(stack, "referrals_app", schema)
    async with other.transaction():
        assert (await release(other, stored_in_kafka(*records), make.MEMBERS)).records == 1
        taken = asyncio.ensure_future(taking._take(records[1:]))
        pid = connection.get_server_pid()

        async def waits() -> bool:
            found = "select true from pg_locks where pid = $1 and locktype = 'advisory' and not granted"
            return bool(await other.fetchval(found, pid))

        await eventually(waits, 10, "the append waiting for the release")
    await taken
    await other.close()
    assert await outcomes(connection, bad) == [("requested", 1), ("withdrawn", 0), ("stop-duty-opened", 1)]
    assert await connection.fetchval("select count(*) from parked") == 0


def renumbered(records: Sequence[Record]) -> list[Record]:
    """The same, in the order of each topic."""
    offsets: dict[str, int] = {}
    made = []
    for one in records:
        offsets[one.topic] = offsets.get(one.topic, -1) + 1
        made.append(replace(one, offset=offsets[one.topic]))
    return made
