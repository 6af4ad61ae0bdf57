"""A referral as a row of its table, and back. Pure."""

from collections.abc import Mapping
from typing import Any

from contracts.values import Service, State, Urgency
from services.referrals.referral import Conflict, Referral, StopDuty


def restore(row: Mapping[str, Any]) -> Referral:
    """The frozen value of a referral's row."""
    held_from, stop_duty, conflict = row["held_from"], row["stop_duty"], row["conflict"]
    return Referral(
        id=row["referral"],
        version=row["version"],
        state=State(row["state"]),
        sender=row["sender"],
        recipient=row["recipient"],
        need=row["need"],
        person=row["person"],
        service=Service(row["service"]),
        urgency=Urgency(row["urgency"]),
        opened_at=row["opened_at"],
        changed_at=row["changed_at"],
        root=row["root"],
        parent=row["parent"],
        path=tuple(row["path"]),
        redirected_by=row["redirected_by"],
        clock_from=row["clock_from"],
        follows=row["follows"],
        asked=row["asked"],
        held_from=State(held_from) if held_from else None,
        stop_duty=StopDuty(stop_duty) if stop_duty else None,
        revoked=row["revoked"],
        escalated=row["escalated"],
        competence_decided=row["competence_decided"],
        awaits_content=row["awaits_content"],
        conflict=Conflict.model_validate_json(conflict) if conflict else None,
    )


def changing(r: Referral) -> tuple[object, ...]:
    """The id and all that may change, in the order of the statement ``write``."""
    conflict = r.conflict.model_dump_json() if r.conflict else None
    return (
        r.id, r.version, r.state, r.changed_at, r.held_from, r.stop_duty, r.revoked, r.escalated,
        r.competence_decided, r.awaits_content, conflict,
    )  # fmt: skip


def lasting(r: Referral) -> tuple[object, ...]:
    """What never changes, in the order of the statement ``write``."""
    # An array of arrays must be square, so a path travels as words; codes have no spaces.
    return (
        r.sender, r.recipient, r.need, r.person, r.service, r.urgency, r.opened_at, r.root, r.parent,
        " ".join(r.path), r.redirected_by, r.clock_from, r.follows, r.asked,
    )  # fmt: skip
