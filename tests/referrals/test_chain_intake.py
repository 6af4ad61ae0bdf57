"""Chains on a real PostgreSQL: whole or not at all, and two workers on one chain."""

import asyncio
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from contracts.codec import Declaration
from contracts.declarations import Rejected
from contracts.reasons import RefusalReason
from contracts.values import State, Verb
from deploy.embedded.stack import Stack
from services.referrals import rows
from services.referrals.referral import Referral
from services.referrals.refold import refold
from tests.referrals.test_intake import intake
from tests.support import builders as make
from tests.support.database import connect
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio

SENDER, RECIPIENT, OTHER, THIRD, NGO = make.SENDER, make.RECIPIENT, make.OTHER, make.THIRD, make.NGO


class World:
    """Institutions whose topics are taken by one intake; every institution's offsets go on."""

    def __init__(self, connection: asyncpg.Connection, cluster: str | None = None) -> None:
        self.connection = connection
        self.cluster = cluster or uuid4().hex
        self.offsets: dict[str, int] = {}

    async def say(self, *made: Declaration, at: datetime = make.NOW) -> None:
        """Take these declarations, which came ``at`` a time, as one batch."""
        records = []
        for one in made:
            by = one.envelope.institution
            record = make.record(one, offset=self.offsets.get(by, 0))
            records.append(replace(record, timestamp=int(at.timestamp() * 1000)))
            self.offsets[by] = self.offsets.get(by, 0) + 1
        taking = await intake(self.connection, self.cluster, records)
        await taking._take(records)

    async def referrals(self) -> dict[UUID, Referral]:
        return {row["referral"]: rows.restore(row) for row in await self.connection.fetch("select * from referral")}


async def settled(connection: asyncpg.Connection) -> None:
    """Refold equals state, no row is empty, versions have no holes."""
    assert (await refold(connection)).differences == ()
    assert await connection.fetchval("select count(*) from referral where version = 0") == 0
    holes = "select referral from fact where version is not null group by 1 having max(version) <> count(*)"
    assert await connection.fetch(holes) == []


async def test_a_whole_chain_in_one_batch_and_in_many(connection: asyncpg.Connection) -> None:
    for together in (True, False):
        world = World(connection)
        root, need, person = uuid4(), uuid4(), uuid4()
        first, second = make.redirected(OTHER), make.redirected(THIRD)
        asked = make.requested(recipient=NGO, legal_basis=make.AUTHORISED, person=person)
        steps = [
            make.declaration(Verb.REQUESTED, root, need, by=SENDER, details=asked),
            make.declaration(Verb.REDIRECTED, root, need, by=NGO, details=first),
            make.declaration(Verb.REDIRECTED, first.child, need, by=OTHER, details=second),
            make.declaration(Verb.RECEIVED, second.child, need, by=THIRD),
            make.declaration(Verb.CONSENT_REVOKED, second.child, need, by=OTHER),
            make.declaration(Verb.STOP_CONFIRMED, first.child, need, by=OTHER),
        ]
        if together:
            await world.say(*steps)
        else:
            for step in steps:
                await world.say(step)
        found = await world.referrals()
        assert [found[one].state for one in (root, first.child, second.child)] == [
            State.REDIRECTED, State.REDIRECTED, State.RECEIVED,
        ]  # fmt: skip
        assert [found[one].stop_duty for one in (root, first.child, second.child)] == ["open", "confirmed", "open"]
        assert found[second.child].path == (NGO, OTHER)
        await settled(connection)


async def test_a_conflict_is_stored_restored_and_resolved(connection: asyncpg.Connection) -> None:
    world = World(connection)
    root, need = uuid4(), uuid4()
    first = make.redirected(OTHER)
    refusal = Rejected(reason=RefusalReason.NOT_COMPETENT)
    await world.say(
        make.declaration(Verb.REQUESTED, root, need, by=SENDER),
        make.declaration(Verb.REDIRECTED, root, need, by=RECIPIENT, details=first),
        make.declaration(Verb.REJECTED, first.child, need, by=OTHER, details=refusal),
    )
    await world.say(make.declaration(Verb.POSITION_STATED, first.child, need, by=RECIPIENT))
    conflict = (await world.referrals())[first.child].conflict
    assert conflict is not None
    assert conflict.positions.keys() == {RECIPIENT}
    await world.say(make.declaration(Verb.CONFLICT_RESOLVED, first.child, need, by=make.OVERSIGHT))
    found = (await world.referrals()).values()
    (child,) = [one for one in found if one.parent == first.child]
    assert (child.recipient, child.awaits_content, child.root) == (THIRD, True, root)
    await settled(connection)


async def test_an_id_that_was_ensured_for_a_child_in_vain_leaves_no_row(connection: asyncpg.Connection) -> None:
    world = World(connection)
    root, need = uuid4(), uuid4()
    loop = make.redirected(SENDER)
    await world.say(
        make.declaration(Verb.REQUESTED, root, need, by=SENDER),
        make.declaration(Verb.REDIRECTED, root, need, by=RECIPIENT, details=loop),
    )
    assert (await world.referrals()).keys() == {root}
    await settled(connection)


async def test_what_was_asked_before_is_known_from_the_database(connection: asyncpg.Connection) -> None:
    world = World(connection)
    first, need, person = uuid4(), uuid4(), uuid4()
    asked = make.requested(person=person)
    await world.say(make.declaration(Verb.REQUESTED, first, need, by=SENDER, details=asked))
    again = make.declaration(Verb.REQUESTED, uuid4(), need, by=SENDER, details=asked)
    await world.say(again)
    row = await connection.fetchrow("select outcome, value from fact where event_id = $1", again.envelope.id)
    assert row is not None
    assert row["outcome"] == "refused"
    assert str(first).encode() in row["value"]
    await world.say(
        make.declaration(Verb.RETURNED, first, need, by=RECIPIENT),
        make.declaration(Verb.CLOSED, first, need, by=SENDER),
    )
    third = uuid4()
    await world.say(make.declaration(Verb.REQUESTED, third, need, by=SENDER, details=asked))
    assert (await world.referrals())[third].follows == first


async def test_two_workers_on_the_same_chains_apply_everything_once(stack: Stack, schema: str) -> None:
    """Redirections on one side, withdrawals and revocations on the other: no half of any, no deadlock that stays."""
    cluster, count = uuid4().hex, 40
    ids = [(uuid4(), uuid4(), make.redirected(OTHER)) for _ in range(count)]
    asked = [make.requested(recipient=NGO, legal_basis=make.AUTHORISED, person=uuid4()) for _ in ids]
    setup = await connect(stack, "referrals_app", schema)
    opening = World(setup, cluster)
    await opening.say(
        *(make.declaration(Verb.REQUESTED, root, need, by=SENDER, details=details)
          for (root, need, _), details in zip(ids, asked, strict=True))
    )  # fmt: skip

    redirecting = [make.declaration(Verb.REDIRECTED, root, need, by=NGO, details=sent) for root, need, sent in ids]
    ending = [
        make.declaration(Verb.CONSENT_REVOKED if n % 2 else Verb.WITHDRAWN, root, need, by=SENDER)
        for n, (root, need, _) in enumerate(reversed(ids))
    ]
    of_children = [make.declaration(Verb.CONSENT_REVOKED, sent.child, need, by=SENDER) for _, need, sent in ids]

    async def work(made: list[Declaration], size: int) -> None:
        connection = await connect(stack, "referrals_app", schema)
        world = World(connection, cluster)
        world.offsets = dict(opening.offsets)
        for start in range(0, len(made), size):
            await world.say(*made[start : start + size])
        await connection.close()

    await asyncio.gather(work(redirecting, 3), work([*ending, *of_children], 7))
    found = await opening.referrals()
    for root, _, sent in ids:
        parent, child = found[root], found.get(sent.child)
        # Either the redirection came first and opened its child, or the end did and there is none.
        assert (parent.state is State.REDIRECTED) == (child is not None)
        assert parent.state in (State.REDIRECTED, State.WITHDRAWN)
        if child is not None:
            assert (child.root, child.path) == (root, (NGO,))
        # Whoever has it was told to stop wherever an authorisation was taken back or a referral withdrawn.
        if parent.revoked or parent.state is State.WITHDRAWN:
            assert parent.stop_duty == "open"
    facts = await setup.fetchval("select count(*) from fact where ordinal = 0")
    assert facts == count * 4
    await settled(setup)
    await setup.close()


async def test_a_deadlock_is_tried_again_and_nothing_is_lost(
    stack: Stack, schema: str, connection: asyncpg.Connection
) -> None:
    """Whoever else locks the rows in the other order: the database ends our transaction, the batch runs again."""
    world = World(connection)
    first, second = sorted((uuid4(), uuid4()))
    needs = {first: uuid4(), second: uuid4()}
    await world.say(*(make.declaration(Verb.REQUESTED, one, need, by=SENDER) for one, need in needs.items()))
    rival = await connect(stack, "ruta_admin", schema)
    await rival.execute("set deadlock_timeout = '60s'")  # so that it is not the one that is ended
    locking = "select from referral where referral = $1 for update"
    before = await deadlocks(rival)
    transaction = rival.transaction()
    await transaction.start()
    await rival.execute(locking, second)
    taking = asyncio.ensure_future(
        world.say(*(make.declaration(Verb.RECEIVED, one, need, by=RECIPIENT) for one, need in needs.items()))
    )
    watcher, pid = await connect(stack, "ruta_admin"), connection.get_server_pid()

    async def waits() -> bool:
        return bool(await watcher.fetchval("select count(*) from pg_locks where pid = $1 and not granted", pid))

    await eventually(waits, what="intake waiting for the second row")
    await rival.execute(locking, first)
    await transaction.commit()
    await taking
    await eventually(lambda: more_deadlocks(watcher, before), what="the deadlock being counted")
    assert {one.state for one in (await world.referrals()).values()} == {State.RECEIVED}
    await settled(connection)
    await rival.close()
    await watcher.close()


async def deadlocks(connection: asyncpg.Connection) -> int:
    found: int = await connection.fetchval("select sum(deadlocks)::int from pg_stat_database")
    return found


async def more_deadlocks(connection: asyncpg.Connection, before: int) -> bool:
    return await deadlocks(connection) > before
