"""What a batch of records does, in memory: every record gets exactly one outcome, in the order of arrival. Pure.

Failures of the rules themselves (our mistakes) quarantine their record as ``internal-error`` and are returned
beside the facts, so that the shell can raise an alarm. What comes later for that referral, or one of its chain, is
parked in order; the rest of the batch is not held up.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from contracts import codec
from contracts.applied import Actor, AppliedFact, RequestedFact
from contracts.codec import Declaration
from contracts.declarations import Redirected, Requested
from contracts.envelope import Flaw
from contracts.values import Problem, Refusal, Verb
from services.referrals import answers, former, lifecycle, policy
from services.referrals import chain as chains
from services.referrals.answers import Claim, Decided
from services.referrals.chain import Chain, Members
from services.referrals.effects import Change, effects
from services.referrals.entries import Entry
from services.referrals.former import Former
from services.referrals.referral import Referral, evolve

Person = tuple[str, UUID]
"""An institution and its own reference of a person."""


@dataclass(frozen=True, slots=True)
class SealedPart:
    """The sealed part of an applied declaration and the one institution it is for."""

    fact_id: UUID
    recipient: str
    jwe: bytes


@dataclass(frozen=True, slots=True)
class _Step:
    """What one record does: its facts, and the changes of referrals with the sealed part that goes with them."""

    decided: tuple[Decided, ...]
    after: Mapping[UUID, Referral] = field(default_factory=dict)
    sealed: tuple[SealedPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record whose outcome is provisional. ``root``: of the chain that waits with it, None if it was unreadable."""

    decided: Decided
    root: UUID | None
    failed: bool


@dataclass(slots=True)
class Folded:
    """What a batch does: facts in order, referrals as they stand afterwards, sealed parts, our own failures and what
    waits because of them."""

    facts: list[Decided] = field(default_factory=list)
    referrals: dict[UUID, Referral] = field(default_factory=dict)
    sealed: list[SealedPart] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


@dataclass(slots=True)
class _Known:
    """What is known while a batch is decided: what the database holds for it, and what the batch has changed so far."""

    stored: Mapping[UUID, Referral]
    claims: dict[tuple[str, UUID], Claim]
    formers: dict[Person, list[Former]]
    members: Members
    changed: dict[UUID, Referral]
    parked: dict[UUID, set[str]]
    """Of each chain that waits, by its root: whose declarations do."""
    chains: dict[UUID, list[UUID]] = field(default_factory=dict)
    """Of each root that has children: all referrals of the chain, the root first."""

    def __post_init__(self) -> None:
        for one in sorted(self.stored.values(), key=lambda one: one.hops):
            self._link(one)

    def referral(self, id: UUID) -> Referral | None:  # noqa: A002
        return self.changed.get(id) or self.stored.get(id)

    def root(self, id: UUID) -> UUID:  # noqa: A002
        referral = self.referral(id)
        return referral.root if referral else id

    def waits(self, owner: str, id: UUID) -> bool:  # noqa: A002
        """Whether a declaration of this institution must wait. To others the referral stays unknown."""
        owners = self.parked.get(self.root(id))
        if owners is None or owner in owners:
            return owners is not None
        referral = self.referral(id)
        return referral is not None and bool(chains.parts(owner, referral, self.chain(referral), self.members))

    def chain(self, referral: Referral) -> Chain:
        ids = self.chains.get(referral.root, (referral.id,))
        return [one for id in ids if (one := self.referral(id))]  # noqa: A001

    def formers_of(self, person: Person) -> Iterator[Former]:
        for one in self.formers.get(person, ()):
            now = self.referral(one.id)
            yield Former(one.id, one.recipient, one.service, now.state if now else one.state, one.opened_at)

    def keep(self, after: Mapping[UUID, Referral]) -> None:
        for one in after.values():
            if one.id not in self.changed and one.id not in self.stored:
                self._link(one)
                made = Former(one.id, one.recipient, one.service, one.state, one.opened_at)
                self.formers.setdefault((one.sender, one.person), []).append(made)
        self.changed.update(after)

    def _link(self, one: Referral) -> None:
        if one.root != one.id:
            self.chains.setdefault(one.root, [one.root]).append(one.id)


def fold(
    entries: Sequence[Entry],
    referrals: Mapping[UUID, Referral],
    claims: Mapping[tuple[str, UUID], Claim],
    members: Members,
    formers: Mapping[Person, Sequence[Former]] | None = None,
    parked: Mapping[UUID, Collection[str]] | None = None,
) -> Folded:
    """Decide all entries in order.

    ``referrals`` (whole chains), ``claims``, ``formers`` and ``parked`` (by root of a chain, whose declarations wait)
    are what the database holds for them.
    """
    folded = Folded()
    known = _Known(
        referrals,
        dict(claims),
        {person: list(found) for person, found in (formers or {}).items()},
        members,
        folded.referrals,
        {root: set(owners) for root, owners in (parked or {}).items()},
    )
    for entry in entries:
        error = entry.error
        try:
            step = _decide(entry, known)
        except Exception as raised:
            error = raised
            flaw = Flaw(Problem.INTERNAL_ERROR, envelope=entry.content.envelope)
            step = _Step((answers.quarantine(entry, flaw),))
        if error is not None:
            folded.errors.append(error)
        answer = step.decided[0].fact
        if answer.provisional:
            folded.waiting.append(_wait(step.decided[0], known, failed=error is not None))
        if isinstance(entry.content, Declaration) and answer.outcome in ("applied", "refused"):
            known.claims[entry.owner, entry.content.envelope.id] = Claim(answer.id, entry.digest, answer.outcome)
        folded.facts += step.decided
        folded.sealed += step.sealed
        known.keep(step.after)
    return folded


def _wait(decided: Decided, known: _Known, *, failed: bool) -> Waiting:
    said = decided.entry.content
    if isinstance(said, Flaw):
        return Waiting(decided, None, failed)  # it may be about anything, so nothing waits behind it
    root = known.root(said.envelope.referral)
    known.parked.setdefault(root, set()).add(decided.entry.owner)
    return Waiting(decided, root, failed)


def _decide(entry: Entry, known: _Known) -> _Step:
    said = entry.content
    if isinstance(said, Flaw):
        return _Step((answers.quarantine(entry, said),))
    if known.parked and known.waits(entry.owner, said.envelope.referral):
        return _Step((answers.park(entry, said),))
    claim = known.claims.get((entry.owner, said.envelope.id))
    if claim is not None:
        return _Step((answers.again(entry, said, claim),))
    head, now = said.envelope, entry.located.record.received_at
    referral = known.referral(head.referral)
    chain = known.chain(referral) if referral else ()
    parts = chains.parts(entry.owner, referral, chain, known.members) if referral else frozenset()

    def refused(why: Refusal, existing: UUID | None = None) -> _Step:
        return _Step((answers.refuse(entry, said, why, referral, parts, existing),))

    if referral and parts and head.verb is not Verb.REQUESTED and head.need != referral.need:
        return refused(Refusal.NEED_MISMATCH)
    decision = lifecycle.decide(referral, head.verb, parts)
    if isinstance(decision, Refusal):
        return refused(decision)
    if why := policy.check(said, referral, chain, known.members, now):
        return refused(why)
    follows: UUID | None = None
    if isinstance(said.details, Requested):
        formers = tuple(known.formers_of((entry.owner, said.details.person)))
        linked = former.follows(said.details, formers)
        if isinstance(linked, Refusal):
            return refused(linked)
        follows = linked
        if open_one := former.existing(said.details, formers):
            return refused(Refusal.DUPLICATE_REQUEST, open_one)
    elif isinstance(said.details, Redirected) and known.referral(said.details.child):
        return refused(Refusal.REFERRAL_EXISTS)
    new_id = entry.opens or head.referral
    changes = effects(decision, said, referral, chain, known.members, new_id=new_id, follows=follows)
    return _applied(entry, said, changes, known)


def _applied(entry: Entry, said: Declaration, changes: Iterable[Change], known: _Known) -> _Step:
    decided: list[Decided] = []
    after: dict[UUID, Referral] = {}
    sealed: list[SealedPart] = []
    need = said.envelope.need
    for further, change in enumerate(changes):
        before = after.get(change.referral) or known.referral(change.referral)
        jwe = codec.sealed_bytes(said.sealed) if said.sealed and change.sealed_to not in (None, entry.owner) else None
        data = _fact(entry, said, change, before, jwe)
        now = after[change.referral] = evolve(before, change.referral, need, data)
        # Whoever declared gets the answer, whatever its part.
        parties = (now.sender, now.recipient, *change.sees, *((entry.owner,) if further == 0 else ()))
        one = answers.decided(entry, data, parties, change.referral, need, further)
        decided.append(one)
        if jwe and change.sealed_to:
            sealed.append(SealedPart(one.fact.id, change.sealed_to, jwe))
    return _Step(tuple(decided), after, tuple(sealed))


def _fact(entry: Entry, said: Declaration, change: Change, before: Referral | None, jwe: bytes | None) -> AppliedFact:
    head, received_at, details = said.envelope, entry.located.record.received_at, change.details
    urgency = before.urgency if before else details.urgency  # type: ignore[attr-defined]
    fields: dict[str, Any] = {
        "cause": answers.cause(entry, head.id),
        "actor": Actor(type=head.auth_type, id=head.auth_id),
        "version": before.version + 1 if before else 1,
        "state": change.state or (before and before.state),
        "previous": before.state if before else None,
        "sender": before.sender if before else change.sender,
        "recipient": before.recipient if before else change.recipient,
        "received_at": received_at,
        "declared_at": head.time,
        "late": policy.late(urgency, head.time, received_at),
        "told": change.told or None,
        "sealed_sha256": sha256(jwe).hexdigest() if jwe else None,
        "details": details,
    }
    if change.fact is RequestedFact:
        fields |= {"lineage": change.lineage, "follows": change.follows}
    return change.fact(**fields)
