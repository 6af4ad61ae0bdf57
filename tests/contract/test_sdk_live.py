"""The SDK against a real Kafka and the real referral service: declare, learn the outcome, read and open."""

import asyncio
import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.protocol.group import LeaveGroupRequest

from contracts import topics
from contracts.declarations import Received
from contracts.examples import declaration
from contracts.facts import Fact
from contracts.keys import Overlay
from contracts.sdk import (
    Inbox,
    Item,
    LoginRefused,
    NotPermitted,
    NotReachable,
    Official,
    Opened,
    OutcomeUnknown,
    Publisher,
    Unreadable,
    declare,
    publisher,
)
from contracts.sdk.uuid7 import uuid7
from contracts.story import RECIPIENT, SENDER
from contracts.values import Verb
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from tests.support.engine import reaches_into_servers
from tests.support.example_keys import RECIPIENT as RECIPIENT_KEY
from tests.support.example_keys import VAULT

pytestmark = pytest.mark.anyio

KEYS = Overlay(VAULT, {RECIPIENT: RECIPIENT_KEY})
CONTENT = b"relato inventado"


def login(stack: Stack, user: str) -> dict[str, Any]:
    return {"bootstrap": stack.addresses.kafka, "password": stack.state.secret(f"kafka/{user}")}


def fresh_request() -> Any:
    referral, made = uuid4(), declaration(Verb.REQUESTED)
    head = replace(made.envelope, id=uuid7(), referral=referral, need=uuid4(), time=datetime.now(UTC))
    # Another person, or it would be asked twice.
    details = made.details.model_copy(update={"person": uuid4()})
    return replace(made, envelope=head, details=details, sealed=KEYS.seal(CONTENT, referral, RECIPIENT))


async def test_a_declaration_its_outcome_and_its_way_to_the_recipient(referrals: Stack) -> None:
    made = fresh_request()
    head = made.envelope
    async with Publisher(SENDER, **login(referrals, SENDER)) as publisher:
        event = await publisher.send(made)
        assert event == head.id
        fact = await publisher.outcome(event)
        assert (fact.outcome, fact.referral, fact.data.cause.event) == ("applied", head.referral, event)
        # The same declaration again: taken once, and whoever asks still gets the first answer.
        await publisher.send(made)
        assert await publisher.outcome(event) == fact
    async with Publisher(SENDER, **login(referrals, SENDER)) as later:
        assert await later.outcome(event) == fact, "found again by another process"
        await later.send(made)
        again = await later.outcome(event)
        assert (again.outcome, again.data.first) == ("duplicate", fact.id)  # type: ignore[union-attr]

    received = declare(RECIPIENT, Received(), referral=head.referral, need=head.need, by=Official("funcionario-2"))
    async with Publisher(RECIPIENT, **login(referrals, RECIPIENT)) as publisher:
        assert (await publisher.outcome(await publisher.send(received))).outcome == "applied"

    seen = await read_until(referrals, head.referral, "received", key=RECIPIENT_KEY)
    ours = [item for item in seen if not isinstance(item, Unreadable) and item.referral == head.referral]
    assert [item.data.kind if isinstance(item, Fact) else item for item in ours] == [
        "requested", Opened(fact.id, head.referral, CONTENT), "received",
    ]  # fmt: skip
    assert CONTENT.decode() not in repr(ours[1])


async def read_until(stack: Stack, referral: object, kind: str, **options: Any) -> list[Item]:
    seen: list[Item] = []
    async with asyncio.timeout(30), Inbox(RECIPIENT, **login(stack, RECIPIENT), **options) as inbox:
        async for item in inbox:
            seen.append(item)
            if isinstance(item, Fact) and item.referral == referral and item.data.kind == kind:
                return seen
    raise AssertionError("the inbox ended")


async def test_the_inbox_goes_on_where_the_last_taken_item_was(referrals: Stack) -> None:
    first, second = fresh_request(), fresh_request()
    async with Publisher(SENDER, **login(referrals, SENDER)) as publisher:
        for made in (first, second):
            await publisher.send(made)
    whole = await read_until(referrals, second.envelope.referral, "requested", group="first")
    # The last item was not followed by a request for the next one, so it is not taken and comes again.
    again = await read_until(referrals, second.envelope.referral, "requested", group="first")
    assert again == whole[-1:]
    assert await read_until(referrals, second.envelope.referral, "requested", group="another") == whole


async def test_a_group_that_is_divided_anew_ends_no_reader_and_loses_nothing(referrals: Stack) -> None:
    async with Publisher(SENDER, **login(referrals, SENDER)) as publisher:
        await publisher.outcome(await publisher.send(fresh_request()))
    group = login(referrals, RECIPIENT) | {"group": "two-readers"}
    async with Inbox(RECIPIENT, **group) as one, Inbox(RECIPIENT, **group) as other:
        reading = {inbox: aiter(inbox) for inbox in (one, other)}
        asked: dict[asyncio.Future[Item], Inbox] = {
            asyncio.ensure_future(anext(items)): inbox for inbox, items in reading.items()
        }
        first = await first_of(asked)
        has_it = asked.pop(first)
        # What Kafka does with a reader that takes too long over an item: the group goes on without it.
        coordinator = has_it._consumer._coordinator
        await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))
        asked[asyncio.ensure_future(anext(reading[has_it]))] = has_it
        again = await first_of(asked)
        assert again.result() == first.result(), "not taken, so it comes again, to whichever of them"
        for task in asked.keys() - {again}:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def first_of(asked: Iterable[asyncio.Future[Item]]) -> asyncio.Future[Item]:
    async with asyncio.timeout(60):
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    (only,) = done
    return only


async def test_a_sealed_part_that_does_not_open_is_told(referrals: Stack) -> None:
    made = fresh_request()
    async with Publisher(SENDER, **login(referrals, SENDER)) as publisher:
        await publisher.outcome(await publisher.send(made))
        after = fresh_request()
        await publisher.outcome(await publisher.send(after))
    for key, why in ((None, "has no key"), (VAULT, None)):
        seen = await read_until(referrals, after.envelope.referral, "requested", key=key)
        place = next(
            i for i, item in enumerate(seen) if isinstance(item, Fact) and item.referral == made.envelope.referral
        )
        follower = seen[place + 1]
        if why is None:
            assert isinstance(follower, Opened)
        else:
            assert isinstance(follower, Unreadable)
            assert why in follower.why


async def test_a_refusal_is_an_outcome(referrals: Stack) -> None:
    made = declare(RECIPIENT, Received(), referral=uuid4(), need=uuid4(), by=Official("x"))
    async with Publisher(RECIPIENT, **login(referrals, RECIPIENT)) as publisher:
        fact = await publisher.outcome(await publisher.send(made))
        assert (fact.outcome, fact.data.reason) == ("refused", "unknown-referral")  # type: ignore[union-attr]


async def test_many_at_once_each_get_their_own_outcome(referrals: Stack) -> None:
    made = [fresh_request() for _ in range(50)]
    async with Publisher(SENDER, **login(referrals, SENDER)) as publisher:
        events = await asyncio.gather(*(publisher.send(one) for one in made))
        outcomes = await asyncio.gather(*(publisher.outcome(event) for event in events))
    assert [fact.referral for fact in outcomes] == [one.envelope.referral for one in made]


async def test_no_answer_in_time_is_unknown(stack: Stack) -> None:
    async with Publisher(SENDER, **login(stack, SENDER)) as publisher:
        for never_sent in (uuid7(), uuid4()):
            with pytest.raises(OutcomeUnknown, match="send the same declaration again"):
                await publisher.outcome(never_sent, timeout=0.5)


async def test_a_wrong_password_a_foreign_topic_and_a_closed_port_are_told_apart(stack: Stack) -> None:
    with pytest.raises(LoginRefused):
        async with Publisher(SENDER, bootstrap=stack.addresses.kafka, password="wrong"):
            pass
    with pytest.raises(NotPermitted, match=topics.outbound(RECIPIENT)):
        async with Publisher(RECIPIENT, user=SENDER, **login(stack, SENDER)):
            pass
    with pytest.raises(NotPermitted):
        async with Inbox(RECIPIENT, user=SENDER, **login(stack, SENDER)):
            pass
    with pytest.raises(NotReachable):
        async with Publisher(SENDER, bootstrap=f"127.0.0.1:{Ports.free().kafka}", password="x"):
            pass


@reaches_into_servers
async def test_a_broker_that_dies_makes_the_outcome_unknown_and_sending_again_is_safe(referrals: Stack) -> None:
    made = fresh_request()
    async with Publisher(SENDER, **login(referrals, SENDER)) as publisher:
        await publisher.outcome(await publisher.send(fresh_request()))
        referrals.kill("kafka")
        with pytest.raises(OutcomeUnknown, match="send the same declaration again"):
            await publisher.send(made, timeout=0.5)
        await referrals.wait_ready("kafka")
        event = await publisher.send(made, timeout=60)
        fact = await publisher.outcome(event, timeout=60)
    # Whichever copy came first was applied; whoever asks gets an answer that leads to it.
    assert (fact.outcome, fact.referral) == ("applied", made.envelope.referral)


@reaches_into_servers
async def test_leaving_ends_while_the_broker_is_silent(referrals: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "LEFT_WITHIN", 1.0)
    pid = referrals.pid("kafka")
    assert pid is not None
    made = fresh_request()
    try:
        async with asyncio.timeout(None) as end, Publisher(SENDER, **login(referrals, SENDER)) as leaving:
            await leaving.send(fresh_request())
            os.kill(pid, signal.SIGSTOP)
            with pytest.raises(OutcomeUnknown):
                await leaving.send(made, timeout=0.5)
            end.reschedule(asyncio.get_running_loop().time() + 20)
    finally:
        os.kill(pid, signal.SIGCONT)
    async with Publisher(SENDER, **login(referrals, SENDER)) as again:
        fact = await again.outcome(await again.send(made))
    assert fact.referral == made.envelope.referral
