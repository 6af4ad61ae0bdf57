"""The transaction of a batch of facts: alerts that are new, their jobs, the receipts of what lies in the inbox."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts import facts
from contracts.codec import Located
from contracts.directory import Institution
from contracts.envelope import Flaw, trace_context
from contracts.facts import Fact
from contracts.receipts import AlertChannel, ReceiptStatus, receipt_id
from contracts.values import Problem, Urgency
from services.notifications import jobs
from services.notifications.routing import TOLD, Alert, Told, plan
from services.runtime import clock, failpoints, logs, sql

log = logging.getLogger("ruta.notifications")
_SQL = sql.load(Path(__file__).parent / "sql" / "intake.sql")


async def apply(
    connection: asyncpg.Connection,
    batch: Sequence[Located],
    refused_by_storage: bool,
    members: Mapping[str, Institution],
) -> Sequence[Alert]:
    """Take a batch of facts inside the caller's transaction; returns the alerts that are new."""
    planned: list[Alert] = []
    traces: dict[UUID, str | None] = {}
    unreadable: list[tuple[Located, Flaw]] = []
    for located in batch:
        fact = Flaw(Problem.STORAGE_REFUSED) if refused_by_storage else read(located)
        if isinstance(fact, Flaw):
            unreadable.append((located, fact))
        else:
            planned.extend(plan(fact, members))
            traces[fact.id] = trace_context(located.record.headers)
    failpoints.hit("intake.decoded")
    await _remember(connection, unreadable)
    failpoints.hit("intake.planned")
    new = await _tell(connection, planned, traces)
    failpoints.hit("intake.told")
    return new


def read(located: Located) -> Fact | Flaw:
    """The fact of a record. Total: an error of ours is a Flaw too, so that one record never stops all alerts."""
    try:
        return facts.decode(located.record.headers, located.record.value)
    except Exception as error:
        record = located.record
        log.critical(
            "reading a fact failed",
            extra={"topic": record.topic, "partition": record.partition, "offset": record.offset,
                   "reason": logs.describe(error)},
        )  # fmt: skip
        return Flaw(Problem.INTERNAL_ERROR)


async def _tell(
    connection: asyncpg.Connection, planned: Sequence[Alert], traces: Mapping[UUID, str | None]
) -> list[Alert]:
    if not planned:
        return []
    # A referral's facts are in one partition and in order, so its request is behind us or in this batch.
    asked: dict[UUID | None, Urgency] = {a.referral: a.urgency for a in planned if a.urgency is not None}
    by_id = {alert.id: alert for alert in planned}
    rows = [_row(alert, asked, traces[alert.fact_id]) for alert in by_id.values()]
    inserted = await connection.fetch(_SQL["tell"], *sql.columns(rows, 18), clock.now(), jobs.EMAIL)
    return [by_id[row["alert_id"]] for row in inserted]


def _row(alert: Alert, asked: Mapping[UUID | None, Urgency], traceparent: str | None) -> tuple[object, ...]:
    # Who declared something of a referral that is not theirs learns nothing of it, not even its urgency.
    inherits = alert.referral is not None and Told.OWNER not in TOLD[alert.kind]
    return (
        alert.id, alert.fact_id, alert.recipient, alert.channel, alert.kind, alert.referral, inherits,
        asked.get(alert.referral) if inherits else None, alert.actor, alert.occurred_at, alert.reason, alert.detail,
        alert.verb, alert.event, alert.record_offset, traceparent,
        "delivered" if alert.channel is AlertChannel.INBOX else "planned",
        receipt_id(alert.id, ReceiptStatus.DELIVERED, 0) if alert.channel is AlertChannel.INBOX else None,
    )  # fmt: skip


async def _remember(connection: asyncpg.Connection, unreadable: Sequence[tuple[Located, Flaw]]) -> None:
    for located, flaw in unreadable:
        record = located.record
        log.error(
            "a fact could not be read",
            extra={"topic": record.topic, "partition": record.partition, "offset": record.offset,
                   "reason": str(flaw.problem)},
        )  # fmt: skip
    rows = [
        (one.cluster, one.topic_id, one.record.partition, one.record.offset, one.record.topic, flaw.problem)
        for one, flaw in unreadable
    ]
    if rows:
        await connection.execute(_SQL["unreadable"], *sql.columns(rows, 6))
