"""The facts that answer a record, and who gets to see them. Pure."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from uuid import UUID

from contracts import facts, topics
from contracts.applied import Cause
from contracts.codec import Declaration
from contracts.envelope import Flaw
from contracts.facts import Fact, FactData, Settled
from contracts.values import Refusal
from services.referrals.entries import Entry
from services.referrals.lifecycle import Party
from services.referrals.referral import Referral

_KNOW_THE_STATE = frozenset({Party.SENDER, Party.RECIPIENT, Party.OVERSIGHT, Party.IN_CONFLICT})
"""Who is told where a referral stands when it is refused. An earlier receiver of the chain sees only how it ended."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An event id that was used: by which bytes, and the fact that answered."""

    fact_id: UUID
    digest: bytes
    outcome: Settled


@dataclass(frozen=True, slots=True)
class Decided:
    """A fact, the bytes that are stored and published, and who gets to see it."""

    entry: Entry
    ordinal: int
    fact: Fact
    value: bytes
    parties: tuple[str, ...]

    @property
    def answer(self) -> bool:
        """Whether it is the outcome of its record; the others follow from that one."""
        return self.ordinal == self.entry.first


def refuse(
    entry: Entry,
    said: Declaration,
    why: Refusal,
    referral: Referral | None,
    parts: Set[Party],
    existing: UUID | None = None,
) -> Decided:
    """Why a readable declaration may not take effect."""
    head = said.envelope
    fact = facts.RefusedFact(
        cause=cause(entry, head.id),
        verb=head.verb,
        reason=why,
        state=referral.state if referral and not parts.isdisjoint(_KNOW_THE_STATE) else None,
        existing=existing,
        received_at=entry.located.record.received_at,
        declared_at=head.time,
    )
    return decided(entry, fact, (entry.owner,), head.referral, head.need)


def again(entry: Entry, said: Declaration, claim: Claim) -> Decided:
    """An id that was used before: for the same bytes, or for others."""
    head, received_at = said.envelope, entry.located.record.received_at
    data: FactData
    if claim.digest == entry.digest:
        data = facts.DuplicateFact(
            cause=cause(entry, head.id),
            first=claim.fact_id,
            first_outcome=claim.outcome,
            received_at=received_at,
        )
    else:
        data = facts.ConflictFact(cause=cause(entry, head.id), first=claim.fact_id, received_at=received_at)
    return decided(entry, data, (entry.owner,), head.referral, head.need)


def quarantine(entry: Entry, flaw: Flaw) -> Decided:
    """What is wrong with a record that is no declaration of its topic's owner."""
    fact = facts.QuarantinedFact(
        # The sender finds its answer by the event id; what else the record claims to be about is not believed.
        cause=cause(entry, flaw.envelope.id if flaw.envelope else flaw.event),
        problem=flaw.problem,
        detail=flaw.detail,
        received_at=entry.located.record.received_at,
    )
    # A quarantined record is answered to the owner of the topic, never to whom it claims to be from. The desk
    # is nobody's: its page gets the answer from the API.
    parties = () if entry.owner == topics.DESK else (entry.owner,)
    return decided(entry, fact, parties, None, None)


def park(entry: Entry, said: Declaration) -> Decided:
    """A readable declaration that waits behind one of its referral on which our own rules failed."""
    head = said.envelope
    fact = facts.ParkedFact(
        cause=cause(entry, head.id),
        verb=head.verb,
        received_at=entry.located.record.received_at,
        declared_at=head.time,
    )
    return decided(entry, fact, (entry.owner,), head.referral, head.need)


def decided(
    entry: Entry,
    data: FactData,
    parties: Iterable[str],
    referral: UUID | None,
    need: UUID | None,
    further: int = 0,
) -> Decided:
    """The ``further``-th fact of the record, with its identity and bytes. Raises ValueError beyond a fact's bound."""
    ordinal = entry.first + further
    fact = Fact(entry.fact_id(ordinal), entry.located.record.received_at, referral, need, data)
    return Decided(entry, ordinal, fact, fact.value(), tuple(dict.fromkeys(parties)))


def cause(entry: Entry, event: UUID | None) -> Cause:
    """The record that a fact comes from."""
    located, record = entry.located, entry.located.record
    return Cause(
        cluster=located.cluster,
        topic=record.topic,
        topic_id=located.topic_id,
        partition=record.partition,
        offset=record.offset,
        owner=entry.owner,
        event=event,
        sha256=entry.digest.hex(),
        released=True if entry.first else None,
    )
