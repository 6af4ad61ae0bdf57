"""Alerts people, one fact at a time. Mails are queued in the same transaction; sending them is not compared."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import asyncpg

from contracts import topics
from contracts.codec import Located
from contracts.facts import Fact
from contracts.receipts import AlertChannel, Receipt, ReceiptStatus, receipt_id
from contracts.values import Urgency
from services.notifications import store
from services.notifications.routing import TOLD, Alert, Told, plan
from services.runtime import clock, process
from services.runtime.kafka import Message
from services.runtime.process import Job
from tests.benchmarks.naive.shell import Shell

_TOLD = "insert into told (fact_id) values ($1) on conflict do nothing"
_URGENCY = "select urgency from alert where referral = $1 and kind = 'requested' and urgency is not null limit 1"
_ALERT = """
insert into alert (alert_id, fact_id, recipient, channel, kind, referral, urgency, reason)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (alert_id) do nothing"""
_MAIL_JOB = "insert into mail_job values ($1) on conflict do nothing"
_RECEIPT = "insert into receipt (receipt_id, alert_id, value) values ($1, $2, $3) on conflict do nothing"


class Notifications:
    """The service on its shell."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    async def decided(self, located: Located) -> None:
        """Store the alerts of a fact, with their jobs and receipts; publish the receipts."""
        fact = store.read(located)
        assert isinstance(fact, Fact)
        receipts = []
        async with self.shell.pool.acquire() as connection, connection.transaction():
            for alert in plan(fact, self.shell.members):
                receipt = await _store(connection, alert)
                if receipt is not None:
                    receipts.append(receipt)
            await connection.execute(_TOLD, fact.id)
        await self.shell.publish(Message(topics.ALERTS, one.key, one.headers(), one.value()) for one in receipts)


async def _store(connection: asyncpg.Connection, alert: Alert) -> Receipt | None:
    """Store an alert; the receipt of one that lies in the inbox now."""
    if alert.urgency is None and alert.referral is not None and Told.OWNER not in TOLD[alert.kind]:
        urgency = await connection.fetchval(_URGENCY, alert.referral)
        alert = replace(alert, urgency=urgency and Urgency(urgency))
    await connection.execute(
        _ALERT,
        *(alert.id, alert.fact_id, alert.recipient, alert.channel, alert.kind, alert.referral, alert.urgency),
        alert.reason,
    )
    if alert.channel is AlertChannel.EMAIL:
        await connection.execute(_MAIL_JOB, alert.id)
        return None
    receipt = Receipt(
        alert=alert.id,
        fact=alert.fact_id,
        referral=alert.referral,
        recipient=alert.recipient,
        channel=alert.channel,
        status=ReceiptStatus.DELIVERED,
        attempt=0,
        at=clock.now(),
    )
    await connection.execute(_RECEIPT, receipt_id(alert.id, receipt.status, 0), alert.id, receipt.value())
    return receipt


def service() -> AbstractAsyncContextManager[list[Job]]:
    """What the process runs."""
    shell = Shell()
    shell.each(Notifications(shell).decided, topics.FACTS)
    return shell.serving()


if __name__ == "__main__":
    process.run("naive-notifications", service)
