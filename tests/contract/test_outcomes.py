"""Which answer counts where an id has several, and that nobody waits in vain: with the real referral service."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from contracts.codec import Declaration
from contracts.sdk import Connection, NotReachable, OutcomeUnknown
from contracts.sdk import outcomes as module
from contracts.sdk.outcomes import Outcomes
from contracts.sdk.uuid7 import uuid7
from contracts.story import SENDER
from deploy.embedded.stack import Stack
from tests.contract.test_sdk_live import fresh_request, login
from tests.support import hostile, wire

pytestmark = pytest.mark.anyio


def outcomes(stack: Stack) -> Outcomes:
    return Outcomes(SENDER, Connection(user=SENDER, **login(stack, SENDER)))


async def send(stack: Stack, made: Declaration, value: bytes | None = None) -> None:
    """As it is, or with another value under the same id."""
    sent = hostile.sent(made)
    await wire.send(stack, SENDER, [replace(sent, value=value) if value else sent])


async def test_a_mended_declaration_gets_its_own_answer_under_the_same_id(referrals: Stack) -> None:
    made = fresh_request()
    event = made.envelope.id
    async with outcomes(referrals) as ours, outcomes(referrals) as idle:
        idle.expect(event)
        told = []
        for value in (b"{", b'{"details": 7}', None, b"{"):
            ours.expect(event)
            await send(referrals, made, value)
            fact = await ours.wait(event, 30)
            told.append((fact.outcome, getattr(fact.data, "problem", None)))
            # Who has not seen the others come finds the same, and so does who expected no more than one.
            async with outcomes(referrals) as later:
                assert await later.wait(event, 30) == fact
        assert told == [
            ("quarantined", "json-invalid"), ("quarantined", "field-invalid"), ("applied", None), ("applied", None),
        ]  # fmt: skip
        assert await idle.wait(event, 30) == fact


async def test_who_waits_is_never_forgotten(referrals: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    made = [fresh_request() for _ in range(5)]
    async with outcomes(referrals) as ours:
        waiting = []
        for one in made:
            ours.expect(one.envelope.id)
            waiting.append(asyncio.ensure_future(ours.wait(one.envelope.id, 30)))
            await asyncio.sleep(0)  # it waits before the next is expected
        await wire.send(referrals, SENDER, [hostile.sent(one) for one in made])
        assert [fact.referral for fact in await asyncio.gather(*waiting)] == [one.envelope.referral for one in made]
        # What is no longer remembered is looked up.
        assert (await ours.wait(made[0].envelope.id, 30)).referral == made[0].envelope.referral


@pytest.mark.parametrize("milliseconds", [0, (1 << 48) - 1])
async def test_an_id_of_an_impossible_time_is_looked_up_from_the_beginning(referrals: Stack, milliseconds: int) -> None:
    made = fresh_request()
    made = replace(made, envelope=replace(made.envelope, id=uuid7(milliseconds)))
    async with outcomes(referrals) as ours:
        with pytest.raises(OutcomeUnknown):
            await ours.wait(uuid7(milliseconds), 0.5)
        await send(referrals, made)
        assert (await ours.wait(made.envelope.id, 30)).outcome == "applied"


async def test_what_a_look_up_cannot_do_is_told_in_our_words(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_: object) -> None:
        raise KafkaConnectionError

    async with outcomes(stack) as ours:
        monkeypatch.setattr(AIOKafkaConsumer, "offsets_for_times", lost)
        with pytest.raises(NotReachable, match="connection to the broker was lost"):
            await ours.wait(UUID(int=1), 30)
