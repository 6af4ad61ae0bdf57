"""Who is told of a fact, and how. Pure: a function of the fact and the directory, so anybody can recompute it.

Decisions are told to the party that waits for them; failures of a declaration go to the inbox of whoever owns the
topic, never by e-mail: nothing fails in silence, and a flood of garbage cannot become a flood of mail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from contracts import directory, topics
from contracts.applied import Applied, EscalatedFact, RequestedFact
from contracts.directory import Institution
from contracts.facts import Fact, QuarantinedFact, RefusedFact, name_id
from contracts.receipts import AlertChannel
from contracts.values import Problem, Refusal, State, Urgency, Verb

ALERT_NAMESPACE = UUID("0b7c1f2e-3f53-5c0c-9a0a-6a4f0a7b9d52")
"""UUIDv5 namespace of alert ids; fixed for ever, one alert per (fact, recipient, channel) rests on it."""


class Told(Enum):
    """The institution that a fact is told to, by its part in it."""

    RECIPIENT = "recipient"
    SENDER = "sender"
    OWNER = "owner"


TOLD: Mapping[str, tuple[Told, ...]] = MappingProxyType(
    {
        "requested": (Told.RECIPIENT,),
        "information-provided": (Told.RECIPIENT,),
        "withdrawn": (Told.RECIPIENT,),
        "closed": (Told.RECIPIENT,),
        "voided": (Told.RECIPIENT,),
        "stop-duty-opened": (Told.RECIPIENT,),
        "received": (Told.SENDER,),
        "accepted": (Told.SENDER,),
        "acceptance-reverted": (Told.SENDER,),
        "information-requested": (Told.SENDER,),
        "rejected": (Told.SENDER,),
        "returned": (Told.SENDER,),
        "redirected": (Told.SENDER,),
        "started": (Told.SENDER,),
        "waitlisted": (Told.SENDER,),
        "resumed": (Told.SENDER,),
        "completed": (Told.SENDER,),
        "not-achieved": (Told.SENDER,),
        "consent-revoked": (Told.SENDER,),
        "stop-confirmed": (Told.SENDER,),
        "reopened": (Told.SENDER, Told.RECIPIENT),
        "escalated": (Told.SENDER, Told.RECIPIENT),
        "conflict-opened": (Told.SENDER, Told.RECIPIENT),
        "position-stated": (),
        "conflict-resolved": (Told.SENDER, Told.RECIPIENT),
        "refused": (Told.OWNER,),
        "conflict": (Told.OWNER,),
        "quarantined": (Told.OWNER,),
        "parked": (Told.OWNER,),
        # The first answer stands and was told then.
        "duplicate": (),
    }
)
"""Every kind of fact, and who is told of it beside those that the fact itself names (``told``)."""

_RECIPIENT_HAS_ANSWERED = (State.REJECTED, State.RETURNED, State.COMPLETED, State.NOT_ACHIEVED)
"""Whoever has answered is not reminded: only the sender still has to act."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A duty to tell ``recipient`` of a fact. Codes, ids and times only: nothing here can name a person.

    ``urgency`` is known here for requests only; the store completes it for later facts of the same referral.
    ``actor`` is the institution whose record caused the fact. ``reason``, ``detail`` (the name of
    a header or field), ``verb``, ``event`` and ``record_offset`` say what to mend and are set for refusals, conflicts
    and quarantine only.
    """

    id: UUID
    fact_id: UUID
    recipient: str
    channel: AlertChannel
    kind: str
    referral: UUID | None
    urgency: Urgency | None
    actor: str
    occurred_at: datetime
    reason: Refusal | Problem | None = None
    detail: str | None = None
    verb: Verb | None = None
    event: UUID | None = None
    record_offset: int | None = None


def plan(fact: Fact, members: Mapping[str, Institution]) -> tuple[Alert, ...]:
    """The alerts a fact causes: for each who is told, the inbox, or the inbox and an e-mail."""
    recipients = _recipients(fact)
    if not recipients:
        return ()
    said = _said(fact)
    return tuple(
        Alert(id=alert_id(fact.id, recipient, channel), recipient=recipient, channel=channel, **said)
        for recipient in recipients
        for channel in _channels(fact, recipient, members)
    )


def alert_id(fact: UUID, recipient: str, channel: AlertChannel) -> UUID:
    """The id of the one alert that tells this recipient of this fact through this channel."""
    return name_id(ALERT_NAMESPACE, f"{fact}/{recipient}/{channel}")


def mailbox(institution: Institution | None) -> str | None:
    """Where e-mail for an institution goes: its first contact point by e-mail; None when it has none."""
    contacts = institution.contacts if institution else ()
    return next((c.address for c in contacts if c.channel is directory.Channel.EMAIL), None)


def _recipients(fact: Fact) -> tuple[str, ...]:
    data, told = fact.data, TOLD[fact.data.kind]
    # The desk is a set of pages, not an institution: they show the answer themselves.
    if not isinstance(data, Applied):
        return tuple(data.cause.owner for _ in told if data.cause.owner != topics.DESK)
    if isinstance(data, EscalatedFact) and data.state in _RECIPIENT_HAS_ANSWERED:
        told = (Told.SENDER,)
    parts = [data.sender if one is Told.SENDER else data.recipient for one in told]
    # Nobody needs a notice of what it has just done itself.
    return tuple(code for code in dict.fromkeys((*parts, *(data.told or ()))) if code != data.cause.owner)


def _channels(fact: Fact, recipient: str, members: Mapping[str, Institution]) -> tuple[AlertChannel, ...]:
    if not isinstance(fact.data, Applied):
        return (AlertChannel.INBOX,)
    # An institution that this directory does not know yet gets its e-mail as soon as it does: the address is
    # looked up when the mail is sent.
    if recipient in members and mailbox(members[recipient]) is None:
        return (AlertChannel.INBOX,)
    return (AlertChannel.INBOX, AlertChannel.EMAIL)


def _said(fact: Fact) -> dict[str, Any]:
    """What every alert of a fact says, through whichever channel."""
    data = fact.data
    said: dict[str, Any] = {
        "fact_id": fact.id,
        "kind": data.kind,
        "referral": fact.referral,
        "urgency": None,
        "actor": data.cause.owner,
        "occurred_at": data.received_at,
    }
    if isinstance(data, RequestedFact):
        return said | {"urgency": data.details.urgency}
    if isinstance(data, Applied):
        return said
    said |= {"event": data.cause.event, "record_offset": data.cause.offset}
    if isinstance(data, RefusedFact):
        return said | {"reason": data.reason, "verb": data.verb}
    if isinstance(data, QuarantinedFact):
        return said | {"reason": data.problem, "detail": data.detail or None}
    return said
