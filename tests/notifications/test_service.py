"""The whole process on a stack of its own: facts from Kafka, mails in the sink, receipts on Kafka, the inbox."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from contracts import directory, topics
from contracts.facts import Fact
from contracts.receipts import AlertChannel, Receipt, ReceiptStatus
from contracts.values import Verb
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from services.notifications.routing import Alert, plan
from tests.notifications import making as make
from tests.support import wire
from tests.support.database import connect

pytestmark = pytest.mark.anyio

MEMBERS = directory.load().by_code


@pytest.fixture(scope="module")
async def own(session_folder: Path) -> AsyncIterator[Stack]:
    """A stack whose mail sink and services these tests may kill."""
    async with Stack(session_folder / "notifications", Ports.free()) as stack:
        await stack.start("notifications")
        await stack.wait_ready("notifications")
        yield stack


@asynccontextmanager
async def client(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.addresses.http["notifications"]) as made:
        yield made


async def publish(stack: Stack, facts: Sequence[Fact]) -> None:
    """As the referral service's relay does, once more at new offsets when called again."""
    async with wire.producer(stack, topics.REFERRALS) as producer:
        sent = [await producer.send(topics.FACTS, fact.value(), fact.key, headers=fact.headers()) for fact in facts]
        await asyncio.gather(*sent)


def planned(facts: Sequence[Fact]) -> list[Alert]:
    return [alert for fact in facts for alert in plan(fact, MEMBERS)]


def message_ids(stack: Stack) -> list[str]:
    """Of every mail in the sink, repetitions included: the alert's id."""
    mails = (message_from_bytes(file.read_bytes(), policy=default) for file in (stack.state.mail / "new").iterdir())
    return [str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in mails]


async def all_sent(stack: Stack, alerts: Sequence[Alert], within: float = 60) -> None:
    expected = {str(alert.id) for alert in alerts if alert.channel is AlertChannel.EMAIL}

    async def arrived() -> bool:
        return expected <= set(await asyncio.to_thread(message_ids, stack))

    await wire.eventually(arrived, within=within, what="every mail")
    async with client(stack) as api:

        async def at_rest() -> bool:
            counts = (await api.get("/v1/counts")).json()
            return not counts["jobs"] and not counts["unpublished"]

        await wire.eventually(at_rest, what="an empty queue")


async def receipts(stack: Stack, count: int) -> list[Receipt]:
    """The first ``count`` distinct receipts on the alerts topic, by their ids."""
    found: dict[bytes, Receipt] = {}
    async with asyncio.timeout(30), wire.consumer(stack, topics.AUDIT, topics.ALERTS) as consumer:
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    headers = dict(record.headers)
                    receipt = Receipt.model_validate_json(record.value)
                    assert record.key == receipt.key
                    assert headers["ce_type"] == f"co.ruta.alert.{receipt.status}.v1".encode()
                    assert headers["ce_source"] == b"//ruta/notifications"
                    found[headers["ce_id"]] = receipt
    return list(found.values())


async def test_a_referral_from_request_to_closure(own: Stack) -> None:
    referral = UUID(int=7, version=4)
    verbs = (Verb.REQUESTED, Verb.RECEIVED, Verb.ACCEPTED, Verb.STARTED, Verb.COMPLETED, Verb.CLOSED)
    made = [make.applied(verb, referral=referral) for verb in verbs]
    failed = make.quarantined()
    alerts = planned([*made, failed])
    await publish(own, [*made, failed])
    await all_sent(own, alerts)
    async with client(own) as api:
        told = (await api.get("/v1/alerts", params={"referral": str(referral)})).json()
        assert {UUID(one["alert"]) for one in told} == {alert.id for alert in planned(made)}
        assert {one["urgency"] for one in told} == {"U1"}
        by_channel = {(one["channel"], one["receipts"][-1]["status"]) for one in told}
        assert by_channel == {("inbox", "delivered"), ("email", "sent")}

        pages = [(await api.get(f"/v1/alerts?referral={referral}&limit=3")).json()]
        while len(pages[-1]) == 3:
            after = pages[-1][-1]["position"]
            pages.append((await api.get(f"/v1/alerts?referral={referral}&limit=3&after={after}")).json())
        assert [alert for page in pages for alert in page] == told

        inbox = (await api.get(f"/v1/inbox/{make.RECIPIENT}")).json()
        assert [one["kind"] for one in inbox["alerts"]] == ["closed", "requested"]
        assert inbox["unread"] == 2
        assert inbox["alerts"][1]["title"] == "Nueva remisión"
        whole = (await api.get(f"/v1/inbox/{make.SENDER}", params={"limit": 5})).json()
        assert (len(whole["alerts"]), whole["next"]) == (5, None)  # a page that is just full is the last one
        first = (await api.get(f"/v1/inbox/{make.SENDER}", params={"limit": 3})).json()
        rest = (await api.get(f"/v1/inbox/{make.SENDER}", params={"after": first["next"]})).json()
        kinds = [one["kind"] for one in [*first["alerts"], *rest["alerts"]]]
        # The failed record has no referral, so it may come from another partition, before or after.
        assert [kind for kind in kinds if kind != "quarantined"] == ["completed", "started", "accepted", "received"]
        assert sorted(kinds) == ["accepted", "completed", "quarantined", "received", "started"]

        opened = inbox["alerts"][0]["alert"]
        answers = [await api.post(f"/v1/inbox/{make.RECIPIENT}/{opened}/read") for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        unread = (await api.get(f"/v1/inbox/{make.RECIPIENT}", params={"unread": True})).json()
        assert [one["kind"] for one in unread["alerts"]] == ["requested"]
        assert unread["unread"] == 1
    published = await receipts(own, len(alerts) + 1)
    assert {receipt.alert for receipt in published} == {alert.id for alert in alerts}
    assert [receipt.alert for receipt in published if receipt.status is ReceiptStatus.OPENED] == [UUID(opened)]
    assert {receipt.code for receipt in published if receipt.status is ReceiptStatus.SENT} == {250}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/inbox/nobody", 404),
        ("GET", f"/v1/inbox/{make.SENDER}?limit=0", 422),
        ("GET", "/v1/alerts", 422),
        ("POST", f"/v1/inbox/{make.SENDER}/{UUID(int=0)}/read", 404),
    ],
)
async def test_what_the_api_does_not_answer(own: Stack, method: str, path: str, status: int) -> None:
    async with client(own) as api:
        assert (await api.request(method, path)).status_code == status


async def test_nobody_opens_the_alert_of_another_institution(own: Stack) -> None:
    fact = make.applied(Verb.REQUESTED)
    await publish(own, [fact])
    await all_sent(own, planned([fact]))
    inbox = planned([fact])[0]
    async with client(own) as api:
        assert (await api.post(f"/v1/inbox/{make.SENDER}/{inbox.id}/read")).status_code == 404
        [one, _] = (await api.get("/v1/alerts", params={"fact": str(fact.id)})).json()
        assert one["opened_at"] is None


async def test_kills_and_replays_lose_nothing_and_alert_nobody_twice(own: Stack) -> None:
    before = len(set(await asyncio.to_thread(message_ids, own)))
    made = [make.applied(Verb.REQUESTED) for _ in range(600)]
    alerts = planned(made)
    mails = [alert for alert in alerts if alert.channel is AlertChannel.EMAIL]
    for start in range(0, 600, 200):
        await publish(own, made[start : start + 200])
        await asyncio.sleep(0.4)
        own.kill("notifications")
        await publish(own, made[: start + 200 : 3])
        if start == 200:
            own.kill("mail")
    await own.wait_ready("mail")
    await own.wait_ready("notifications")
    await all_sent(own, alerts, within=90)
    ids = await asyncio.to_thread(message_ids, own)
    assert len(set(ids)) == before + len(mails)
    async with client(own) as api:
        counts: dict[str, Any] = (await api.get("/v1/counts")).json()
    assert sum(counts["alerts"]["email"].values()) == counts["alerts"]["email"]["sent"] == len(set(ids))
    assert counts["receipts"]["sent"] == len(set(ids))
    assert counts["unreadable"] == 0


async def test_facts_that_an_older_version_could_not_read_are_told_when_a_newer_one_starts(own: Stack) -> None:
    fact = make.applied(Verb.REQUESTED)
    async with wire.producer(own, topics.REFERRALS) as producer:
        sent = await producer.send_and_wait(topics.FACTS, fact.value(), fact.key, headers=fact.headers())
        await producer.send_and_wait(topics.FACTS, b'{"kind": "from-the-future"}', fact.key, headers=fact.headers())
    await all_sent(own, planned([fact]))

    async with client(own) as api:

        async def unreadable(count: int) -> bool:
            told = (await api.get("/v1/counts")).json()["unreadable"]
            return told == count and f"\nruta_unreadable {count:.1f}\n" in (await api.get("/metrics")).text

        await wire.eventually(lambda: unreadable(1))
        connection = await connect(own, "ruta_admin", "notifications")
        async with connection.transaction():  # as a version left it that did not know this kind of fact either
            await connection.execute(
                "delete from receipt where alert_id in (select alert_id from alert where fact_id = $1)", fact.id
            )
            await connection.execute("delete from alert where fact_id = $1", fact.id)
            await connection.execute(
                "insert into unreadable select cluster, topic_id, partition, $1, topic, problem from unreadable",
                sent.offset,
            )
        await connection.close()
        await wire.eventually(lambda: unreadable(2))
        own.kill("notifications")

        async def told() -> bool:
            return len((await api.get("/v1/alerts", params={"fact": str(fact.id)})).json()) == 2

        await own.wait_ready("notifications")
        await wire.eventually(told)
        await wire.eventually(lambda: unreadable(1))
