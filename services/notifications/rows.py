"""From a row of the alert table back to the value."""

import asyncpg

from contracts.receipts import AlertChannel
from contracts.values import Problem, Refusal, Urgency, Verb
from services.notifications.routing import Alert


def restore(row: asyncpg.Record) -> Alert:
    """The frozen value of an alert's row. Raises ValueError for a code that this version does not know."""
    return Alert(
        id=row["alert_id"],
        fact_id=row["fact_id"],
        recipient=row["recipient"],
        channel=AlertChannel(row["channel"]),
        kind=row["kind"],
        referral=row["referral"],
        urgency=row["urgency"] and Urgency(row["urgency"]),
        actor=row["actor"],
        occurred_at=row["occurred_at"],
        reason=row["reason"] and _reason(row["reason"]),
        detail=row["detail"],
        verb=row["verb"] and Verb(row["verb"]),
        event=row["event_id"],
        record_offset=row["record_offset"],
    )


def _reason(code: str) -> Refusal | Problem:
    return Refusal(code) if code in Refusal.__members__.values() else Problem(code)
