"""What a batch of records does, in memory: every record gets exactly one outcome, in the order of arrival. Pure.

Failures of the rules themselves (our mistakes) quarantine their record as ``internal-error`` and are returned
beside the facts, so that the shell can raise an alarm; the rest of the batch is not held up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from uuid import UUID

from contracts import codec, facts
from contracts import topics as topic_names
from contracts.codec import Declaration, Located
from contracts.directory import Institution
from contracts.envelope import Flaw
from contracts.facts import APPLIED, Actor, AppliedFact, Cause, Fact, FactData
from contracts.values import Problem, Refusal
from services.referrals import lifecycle, policy
from services.referrals.lifecycle import Referral, Transition


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as far as it can be judged alone. ``owner`` is the topic's owner, or the desk's declared source."""

    located: Located
    owner: str
    digest: bytes
    content: Declaration | Flaw
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An event id that was used: by which bytes, and the fact that answered."""

    fact_id: UUID
    digest: bytes
    outcome: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A fact, the bytes that are stored and published, and who gets to see it."""

    entry: Entry
    fact: Fact
    value: bytes
    parties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SealedPart:
    """The sealed part of an applied declaration and the one institution it is for."""

    fact_id: UUID
    recipient: str
    jwe: bytes


@dataclass(slots=True)
class Folded:
    """What a batch does: facts in order, referrals as they stand afterwards, sealed parts, our own failures."""

    facts: list[Decided] = field(default_factory=list)
    referrals: dict[UUID, Referral] = field(default_factory=dict)
    sealed: list[SealedPart] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)


def read(located: Located, members: Mapping[str, Institution]) -> Entry:
    """Decode a record and check that its topic's owner may be its author."""
    record = located.record
    topic_owner = topic_names.owner(record.topic) or ""
    digest = codec.digest(record)
    try:
        content = codec.decode(record)
        if isinstance(content, Flaw):
            return Entry(located, topic_owner, digest, content)
        author = policy.author(topic_owner, content.envelope, members)
    except Exception as error:
        return Entry(located, topic_owner, digest, Flaw(Problem.INTERNAL_ERROR), error)
    if isinstance(author, Flaw):
        return Entry(located, topic_owner, digest, replace(author, envelope=content.envelope))
    return Entry(located, author, digest, content)


def unstorable(entry: Entry) -> Entry:
    """The same record, quarantined because the database refused it: nothing of its content is kept."""
    head = entry.content.envelope
    return Entry(entry.located, entry.owner, entry.digest, Flaw(Problem.STORAGE_REFUSED, envelope=head))


def fold(
    entries: Sequence[Entry],
    referrals: Mapping[UUID, Referral],
    claims: Mapping[tuple[str, UUID], Claim],
    members: Mapping[str, Institution],
) -> Folded:
    """Decide all entries in order. ``referrals`` and ``claims`` are what the database holds for them."""
    folded = Folded()
    used = dict(claims)
    for entry in entries:
        current: Referral | None = None
        if isinstance(entry.content, Declaration):
            id = entry.content.envelope.referral  # noqa: A001
            current = folded.referrals.get(id) or referrals.get(id)
        try:
            decided, after = _decide(entry, current, used, members)
        except Exception as error:
            folded.errors.append(error)
            decided, after = _quarantine(entry, Flaw(Problem.INTERNAL_ERROR, envelope=entry.content.envelope)), None
        if entry.error is not None:
            folded.errors.append(entry.error)
        folded.facts.append(decided)
        if isinstance(entry.content, Declaration) and decided.fact.outcome in ("applied", "refused"):
            used[entry.owner, entry.content.envelope.id] = Claim(decided.fact.id, entry.digest, decided.fact.outcome)
        if after is not None and isinstance(entry.content, Declaration):
            folded.referrals[after.id] = after
            if entry.content.sealed is not None:
                other = after.recipient if entry.owner == after.sender else after.sender
                folded.sealed.append(SealedPart(decided.fact.id, other, codec.sealed_bytes(entry.content.sealed)))
    return folded


def _decide(
    entry: Entry,
    current: Referral | None,
    used: Mapping[tuple[str, UUID], Claim],
    members: Mapping[str, Institution],
) -> tuple[Decided, Referral | None]:
    content = entry.content
    if isinstance(content, Flaw):
        return _quarantine(entry, content), None
    claim = used.get((entry.owner, content.envelope.id))
    if claim is not None:
        return _again(entry, content, claim), None
    decision = lifecycle.decide(current, content)
    if isinstance(decision, Transition):
        decision = policy.check(content, members) or decision
    if isinstance(decision, Refusal):
        return _refuse(entry, content, decision, current), None
    fact = _applied(entry, content, decision, current)
    head = content.envelope
    after = lifecycle.evolve(current, head.referral, head.need, fact)
    return _decided(entry, fact, (after.sender, after.recipient), head.referral, head.need), after


def _applied(entry: Entry, content: Declaration, transition: Transition, current: Referral | None) -> AppliedFact:
    head, received_at = content.envelope, entry.located.record.received_at
    sealed = content.sealed
    return APPLIED[head.verb](
        cause=_cause(entry, head.id),
        actor=Actor(type=head.auth_type, id=head.auth_id),
        version=current.version + 1 if current else 1,
        state=transition.to,
        previous=current.state if current else None,
        sender=current.sender if current else head.institution,
        recipient=current.recipient if current else content.details.recipient,  # type: ignore[union-attr]
        received_at=received_at,
        declared_at=head.time,
        sealed_sha256=sha256(codec.sealed_bytes(sealed)).hexdigest() if sealed else None,
        details=content.details,  # type: ignore[arg-type]
    )


def _refuse(entry: Entry, content: Declaration, reason: Refusal, current: Referral | None) -> Decided:
    head = content.envelope
    # Whoever is no party is not told where the referral stands.
    party = current is not None and entry.owner in (current.sender, current.recipient)
    fact = facts.RefusedFact(
        cause=_cause(entry, head.id),
        verb=head.verb,
        reason=reason,
        state=current.state if current and party else None,
        received_at=entry.located.record.received_at,
    )
    return _decided(entry, fact, (entry.owner,), head.referral, head.need)


def _again(entry: Entry, content: Declaration, claim: Claim) -> Decided:
    head, received_at = content.envelope, entry.located.record.received_at
    cause = _cause(entry, head.id)
    fact: FactData
    if claim.digest == entry.digest:
        fact = facts.DuplicateFact(
            cause=cause,
            first=claim.fact_id,
            first_outcome=claim.outcome,  # type: ignore[arg-type]
            received_at=received_at,
        )
    else:
        fact = facts.ConflictFact(cause=cause, first=claim.fact_id, received_at=received_at)
    return _decided(entry, fact, (entry.owner,), head.referral, head.need)


def _quarantine(entry: Entry, flaw: Flaw) -> Decided:
    fact = facts.QuarantinedFact(
        # The sender finds its answer by the event id; what else the record claims to be about is not believed.
        cause=_cause(entry, flaw.envelope.id if flaw.envelope else None),
        problem=flaw.problem,
        detail=flaw.detail,
        received_at=entry.located.record.received_at,
    )
    # A quarantined record is answered to the owner of the topic, never to whom it claims to be from. The desk
    # is nobody's: its page gets the answer from the API.
    parties = () if entry.owner == topic_names.DESK else (entry.owner,)
    return _decided(entry, fact, parties, None, None)


def _decided(entry: Entry, data: FactData, parties: Iterable[str], referral: UUID | None, need: UUID | None) -> Decided:
    cause = data.cause
    fact = Fact(
        id=facts.fact_id(cause.cluster, cause.topic_id, cause.partition, cause.offset, 0),
        time=entry.located.record.received_at,
        referral=referral,
        need=need,
        data=data,
    )
    return Decided(entry, fact, fact.value(), tuple(dict.fromkeys(parties)))


def _cause(entry: Entry, event: UUID | None) -> Cause:
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
    )
