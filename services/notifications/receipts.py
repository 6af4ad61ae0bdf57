"""Receipts: appended in order to a table that is their outbox, published from there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts import topics
from contracts.envelope import TRACEPARENT
from contracts.receipts import AlertChannel, DeliveryProblem, Receipt, ReceiptStatus, receipt_id
from services.runtime import sql
from services.runtime.kafka import Message

_SQL = sql.load(Path(__file__).parent / "sql" / "receipts.sql")

CHANNEL = "notifications_receipts"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the receipt table; what it says of the alert itself is in the alert's row."""

    alert: UUID
    status: ReceiptStatus
    at: datetime
    attempt: int = 0
    code: int | None = None
    problem: DeliveryProblem | None = None


async def append(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    """Write receipts in the caller's transaction, after all its row locks; nothing may follow but the commit."""
    if not entries:
        return
    rows = [
        (receipt_id(e.alert, e.status, e.attempt), e.alert, e.status, e.attempt, e.code, e.problem, e.at)
        for e in entries
    ]
    await connection.execute(_SQL["append"], *sql.columns(rows, 7))


def messages(row: asyncpg.Record) -> Iterator[Message]:
    """The record of one row of ``relay_read``."""
    receipt = Receipt(
        alert=row["alert_id"],
        fact=row["fact_id"],
        referral=row["referral"],
        recipient=row["recipient"],
        channel=AlertChannel(row["channel"]),
        status=ReceiptStatus(row["status"]),
        attempt=row["attempt"],
        code=row["code"],
        problem=row["problem"] and DeliveryProblem(row["problem"]),
        at=row["at"],
    )
    headers = receipt.headers()
    if row["traceparent"]:
        headers.append((TRACEPARENT, row["traceparent"].encode()))
    yield Message(topics.ALERTS, receipt.key, headers, receipt.value())
