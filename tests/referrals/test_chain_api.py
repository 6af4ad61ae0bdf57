"""What the API says of chains, conflicts and stop duties, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from contracts.declarations import Rejected
from contracts.reasons import RefusalReason
from contracts.values import Verb
from deploy.embedded.stack import Stack
from services.referrals import api
from tests.referrals.test_chain_intake import World
from tests.support import builders as make
from tests.support.database import connect, own_schema

pytestmark = pytest.mark.anyio

SENDER, RECIPIENT, OTHER, THIRD, NGO = make.SENDER, make.RECIPIENT, make.OTHER, make.THIRD, make.NGO


@pytest.fixture
async def connection(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    async with own_schema(stack, "referrals") as schema:
        made = await connect(stack, "referrals_app", schema)
        yield made
        await made.close()


@pytest.fixture
async def client(connection: asyncpg.Connection) -> AsyncIterator[httpx.AsyncClient]:
    async def missing() -> list[str]:
        return []

    one_connection: Any = connection
    transport = httpx.ASGITransport(api.build(one_connection, missing))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made


async def three_holders(world: World) -> tuple[UUID, UUID, UUID, UUID]:
    """A chain through NGO, OTHER and THIRD on an authorisation; its need and the three referrals."""
    need, root = uuid4(), uuid4()
    first, second = make.redirected(OTHER), make.redirected(THIRD)
    asked = make.requested(recipient=NGO, legal_basis=make.AUTHORISED, person=uuid4())
    await world.say(
        make.declaration(Verb.REQUESTED, root, need, by=SENDER, details=asked),
        make.declaration(Verb.REDIRECTED, root, need, by=NGO, details=first),
        make.declaration(Verb.REDIRECTED, first.child, need, by=OTHER, details=second),
    )
    return need, root, first.child, second.child


async def test_a_chain_is_one_question_whichever_of_it_is_named(
    connection: asyncpg.Connection, client: httpx.AsyncClient
) -> None:
    world = World(connection)
    need, *chain = await three_holders(world)
    await three_holders(world)
    for named in chain:
        found = (await client.get(f"/v1/referrals/{named}/chain")).json()
        assert [one["referral"] for one in found["referrals"]] == [str(one) for one in chain]
        assert [one["recipient"] for one in found["referrals"]] == [NGO, OTHER, THIRD]
        assert [one["parent"] for one in found["referrals"]] == [None, str(chain[0]), str(chain[1])]
        assert found["referrals"][2]["path"] == [NGO, OTHER]
        kinds = [(fact["referral"], fact["kind"]) for fact in found["facts"]]
        assert kinds == [
            (str(chain[0]), "requested"),
            (str(chain[0]), "redirected"),
            (str(chain[1]), "requested"),
            (str(chain[1]), "redirected"),
            (str(chain[2]), "requested"),
        ]
        assert {one["need"] for one in found["referrals"]} == {str(need)}
    grouped = (await client.get("/v1/referrals", params={"need": str(need)})).json()["referrals"]
    assert {one["referral"] for one in grouped} == {str(one) for one in chain}
    assert (await client.get(f"/v1/referrals/{uuid4()}/chain")).status_code == 404


async def test_a_long_history_is_read_in_pages(connection: asyncpg.Connection, client: httpx.AsyncClient) -> None:
    world = World(connection)
    need, *chain = await three_holders(world)
    for _ in range(20):  # of the parent and of the child in turns, and all refused
        await world.say(*(make.declaration(Verb.CLOSED, one, need, by=SENDER) for one in chain[1:]))
    for path, count in ((f"{chain[1]}", 22), (f"{chain[1]}/chain", 45)):
        whole = (await client.get(f"/v1/referrals/{path}")).json()
        assert whole["next"] is None
        found, after = [], 0
        while after is not None:
            page = (await client.get(f"/v1/referrals/{path}", params={"after": after, "limit": 9})).json()
            assert 1 <= len(page["facts"]) <= 9
            found += page["facts"]
            after = page["next"]
        assert found == whole["facts"]
        assert len(found) == count
        assert [fact["position"] for fact in found] == sorted(fact["position"] for fact in found)


async def test_unconfirmed_stop_duties_are_listed_until_they_are_confirmed(
    connection: asyncpg.Connection, client: httpx.AsyncClient
) -> None:
    world = World(connection)
    need, root, first, second = await three_holders(world)
    assert (await client.get("/v1/stop-duties")).json() == {"referrals": []}
    await world.say(make.declaration(Verb.CONSENT_REVOKED, root, need, by=SENDER))
    owed = (await client.get("/v1/stop-duties")).json()["referrals"]
    assert {(one["referral"], one["recipient"]) for one in owed} == {
        (str(root), NGO), (str(first), OTHER), (str(second), THIRD),
    }  # fmt: skip
    assert all(one["stop_duty"] == "open" for one in owed)
    of_one = (await client.get("/v1/stop-duties", params={"institution": OTHER})).json()["referrals"]
    assert [one["referral"] for one in of_one] == [str(first)]
    await world.say(make.declaration(Verb.STOP_CONFIRMED, first, need, by=OTHER))
    assert (await client.get("/v1/stop-duties", params={"institution": OTHER})).json()["referrals"] == []
    assert len((await client.get("/v1/stop-duties", params={"limit": 1})).json()["referrals"]) == 1


async def test_what_has_waited_longest_comes_first_whatever_happened_to_it_since(
    connection: asyncpg.Connection, client: httpx.AsyncClient
) -> None:
    world, hour = World(connection), timedelta(hours=1)
    chains = [await three_holders(world) for _ in range(2)]
    for number, (need, root, *_) in enumerate(chains):
        await world.say(make.declaration(Verb.CONSENT_REVOKED, root, need, by=SENDER), at=make.NOW + number * hour)
    await world.say(make.declaration(Verb.RECEIVED, chains[0][3], chains[0][0], by=THIRD), at=make.NOW + 3 * hour)
    owed = (await client.get("/v1/stop-duties", params={"institution": THIRD})).json()["referrals"]
    assert [one["referral"] for one in owed] == [str(chain[3]) for chain in chains]
    assert [one["because"] for one in owed] == ["consent-revoked"] * 2
    assert [datetime.fromisoformat(one["since"]) for one in owed] == [make.NOW, make.NOW + hour]
    disputed = []
    for number in range(2):
        root, need, first = uuid4(), uuid4(), make.redirected(OTHER)
        refused = Rejected(reason=RefusalReason.NOT_COMPETENT)
        await world.say(
            make.declaration(Verb.REQUESTED, root, need, by=SENDER, details=make.requested(person=uuid4())),
            make.declaration(Verb.REDIRECTED, root, need, by=RECIPIENT, details=first),
            make.declaration(Verb.REJECTED, first.child, need, by=OTHER, details=refused),
            at=make.NOW + number * hour,
        )
        disputed.append((need, first.child))
    need, oldest = disputed[0]
    await world.say(make.declaration(Verb.POSITION_STATED, oldest, need, by=RECIPIENT), at=make.NOW + 3 * hour)
    listed = (await client.get("/v1/conflicts")).json()["referrals"]
    assert [one["referral"] for one in listed] == [str(child) for _, child in disputed]


async def test_a_conflict_is_listed_with_its_positions_until_it_is_resolved(
    connection: asyncpg.Connection, client: httpx.AsyncClient
) -> None:
    world = World(connection)
    root, need = uuid4(), uuid4()
    first = make.redirected(OTHER)
    await world.say(
        make.declaration(Verb.REQUESTED, root, need, by=SENDER),
        make.declaration(Verb.REDIRECTED, root, need, by=RECIPIENT, details=first),
        make.declaration(
            Verb.REJECTED, first.child, need, by=OTHER, details=Rejected(reason=RefusalReason.NOT_COMPETENT)
        ),
        make.declaration(Verb.POSITION_STATED, first.child, need, by=RECIPIENT),
    )
    (open_one,) = (await client.get("/v1/conflicts")).json()["referrals"]
    assert open_one["referral"] == str(first.child)
    assert open_one["conflict"]["opened"]["trigger"] == "double-refusal"
    assert set(open_one["conflict"]["opened"]["parties"]) == {RECIPIENT, OTHER}
    assert open_one["conflict"]["positions"].keys() == {RECIPIENT}
    for institution, concerned in {SENDER: 1, RECIPIENT: 1, OTHER: 1, THIRD: 0}.items():
        listed = (await client.get("/v1/conflicts", params={"institution": institution})).json()["referrals"]
        assert len(listed) == concerned, institution
    one = (await client.get(f"/v1/referrals/{first.child}")).json()
    assert one["conflict"] == open_one["conflict"]
    await world.say(make.declaration(Verb.CONFLICT_RESOLVED, first.child, need, by=make.OVERSIGHT))
    assert (await client.get("/v1/conflicts")).json() == {"referrals": []}
