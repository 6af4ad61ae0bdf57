"""What follows from a declaration that may take effect: its answer, and the changes of other referrals with it. Pure.

A redirection opens a child, or a competence conflict where it would send the person round once more; a resolution puts
the referral where it belongs; whoever takes a referral or an authorisation back opens stop duties along the chain.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from contracts import applied, legal
from contracts.applied import APPLIED, AppliedFact
from contracts.codec import Declaration
from contracts.competence import ConflictOpened, ConflictResolved, ConflictTrigger, Lineage
from contracts.declarations import ConsentRevoked, Redirected, Rejected, Requested, Returned, Voided, Withdrawn
from contracts.legal import LegalBasis, StopCause
from contracts.model import Model
from contracts.reasons import RefusalReason, reason
from contracts.values import Basis, State
from services.referrals import chain as chains
from services.referrals.chain import Chain, Members
from services.referrals.lifecycle import Transition
from services.referrals.referral import ACTIVE, Referral, StopDuty

THIRD_HOP = 2
"""A referral that was sent on this often is not sent on again: the next would be the third."""

CONFLICT_FACTS = (applied.ConflictOpenedFact, applied.PositionStatedFact, applied.ConflictResolvedFact)
_OVERSIGHT_SEES = (*CONFLICT_FACTS, applied.EscalatedFact, applied.ReopenedFact)

_REDIRECTOR_SEES = (
    applied.RequestedFact, applied.ReceivedFact, applied.CompletedFact, applied.NotAchievedFact, applied.RejectedFact,
    applied.ReturnedFact, applied.RedirectedFact, applied.WithdrawnFact, applied.ClosedFact, applied.VoidedFact,
)  # fmt: skip
"""Of the child: that it was opened or received, and how it ended (DESIGN §10); a revocation where it ends it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one referral: the kind of fact that it becomes, what it carries, and the state after it.

    ``state`` None leaves it as it is by then. ``sees`` are the institutions that get the fact beside the referral's
    sender and recipient, ``told`` those that are alerted beside them. ``sealed_to`` is who gets the declaration's
    sealed part with it. ``sender``, ``recipient``, ``lineage`` and ``follows`` are set where it opens a referral.
    """

    referral: UUID
    fact: type[AppliedFact]
    details: Model
    state: State | None = None
    sees: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    sealed_to: str | None = None
    sender: str | None = None
    recipient: str | None = None
    lineage: Lineage | None = None
    follows: UUID | None = None


def effects(
    decided: Transition,
    said: Declaration,
    referral: Referral | None,
    chain: Chain,
    members: Members,
    *,
    new_id: UUID,
    follows: UUID | None = None,
) -> tuple[Change, ...]:
    """The answer first, then what follows from it. ``new_id`` is for a child whose id nobody has chosen."""
    head, details = said.envelope, said.details
    if isinstance(details, Requested):
        opening = _opening(details, head.referral, head.institution, sealed_to=details.recipient)
        return (replace(opening, follows=follows),)
    if referral is None:
        raise ValueError("only a request has no referral")
    answer = Change(
        head.referral,
        APPLIED[head.verb],
        details,
        decided.destination(referral),
        sealed_to=referral.recipient if head.institution == referral.sender else referral.sender,
    )
    known = {one.id: one for one in chain} | {referral.id: referral}
    return tuple(
        _shown(change, known[change.referral], members) if change.referral in known else change
        for change in _follow(answer, said, referral, chain, members, new_id)
    )


def _follow(
    answer: Change, said: Declaration, referral: Referral, chain: Chain, members: Members, new_id: UUID
) -> Iterator[Change]:
    by, details = said.envelope.institution, said.details
    match details:
        case Redirected() | Rejected() | Returned() if opened := dispute(details, said, referral, members):
            # Whoever was named must not get the sealed part of a child that was not opened.
            to = None if isinstance(details, Redirected) else answer.sealed_to
            yield Change(referral.id, applied.ConflictOpenedFact, opened, sealed_to=to)
        case Redirected():
            yield replace(answer, sealed_to=None)
            yield _child(referral, details.child, details.target, details.legal_basis, by)
        case ConflictResolved() if details.competent == referral.recipient:
            yield replace(answer, state=None)
        case ConflictResolved():
            yield answer
            basis = LegalBasis(basis=Basis.PUBLIC_FUNCTION, norm=details.norm)
            yield _child(referral, new_id, details.competent, basis, by, by_resolution=True)
        case Withdrawn():
            yield answer
            yield from _stop_duties(chain, StopCause.WITHDRAWN)
        case Voided():
            yield answer
            yield from _stop_duties((referral,), StopCause.VOIDED)
        case ConsentRevoked():
            yield replace(answer, state=_after_revocation(referral))
            for one in chain:
                if one.id != referral.id and one.by_authorisation and one.state is not State.VOIDED and not one.revoked:
                    yield Change(one.id, applied.ConsentRevokedFact, details, _after_revocation(one))
            yield from _stop_duties(chain, StopCause.CONSENT_REVOKED)
        case _:
            yield answer


def dispute(
    details: Redirected | Rejected | Returned, said: Declaration, referral: Referral, members: Members
) -> ConflictOpened | None:
    """The conflict that this redirection or refusal opens; None where it may go its way.

    A redirection to somebody who had it already (or to the sender) would close a loop; one that would be the third hop,
    and a second receiver that refuses competence without naming a target, would only send the person round.
    """
    target = details.target if isinstance(details, Redirected) else None
    if target is not None:
        looped = target in referral.path or target == referral.sender
        trigger = ConflictTrigger.LOOP if looped else ConflictTrigger.THIRD_HOP
        if not looped and referral.hops < THIRD_HOP:
            return None
    elif referral.hops and reason(details.reason).disputes_competence:
        trigger = ConflictTrigger.DOUBLE_REFUSAL
    else:
        return None
    receivers = tuple(dict.fromkeys((*referral.path, referral.recipient)))
    # For a child the first authority that knew keeps responsibility until it is decided who is competent.
    first = chains.first_authority(receivers, members) if referral.of_a_child else None
    return ConflictOpened(
        trigger=trigger,
        declared=said.envelope.verb,
        reason=RefusalReason(details.reason.value),
        target=target,
        parties=(*receivers, target) if target == referral.sender and target not in receivers else receivers,
        responsible=first or referral.recipient,
    )


def _opening(asked: Requested, id: UUID, sender: str, *, sealed_to: str | None) -> Change:  # noqa: A002
    return Change(
        id,
        applied.RequestedFact,
        asked,
        State.REQUESTED,
        sealed_to=sealed_to,
        sender=sender,
        recipient=asked.recipient,
    )


def _child(
    parent: Referral,
    id: UUID,  # noqa: A002
    recipient: str,
    basis: LegalBasis,
    by: str,
    *,
    by_resolution: bool = False,
) -> Change:
    asked = parent.request.model_copy(update={"recipient": recipient, "legal_basis": basis, "follows": None})
    lineage = Lineage(
        root=parent.root,
        parent=parent.id,
        path=(*parent.path, parent.recipient),
        redirected_by=by,
        by_resolution=by_resolution,
        clock_from=parent.clock_from,
    )
    # Whoever resolves has no content to seal: the sender gives it to the child's receiver.
    opening = _opening(asked, id, parent.sender, sealed_to=None if by_resolution else recipient)
    return replace(opening, lineage=lineage, sees=(parent.recipient,))


def _stop_duties(chain: Iterable[Referral], because: StopCause) -> Iterator[Change]:
    """A duty for everybody who has the data and is not under one; the sender's own copy is its own affair.

    Whoever confirmed and goes on working on it, as a public function may, has perhaps been given data since.
    """
    for one in chain:
        again = one.stop_duty is StopDuty.CONFIRMED and one.state in ACTIVE
        if (one.stop_duty is None or again) and one.recipient != one.sender:
            yield Change(one.id, applied.StopDutyOpenedFact, legal.StopDuty(holder=one.recipient, because=because))


def _after_revocation(one: Referral) -> State | None:
    return State.WITHDRAWN if one.by_authorisation and one.state in ACTIVE else None


def _shown(change: Change, referral: Referral, members: Members) -> Change:
    """The same change with those who see it and are told of it beside its sender and recipient."""
    sees: list[str] = []
    told: list[str] = []
    ended = change.fact is applied.ConsentRevokedFact and change.state is State.WITHDRAWN
    if ended or issubclass(change.fact, _REDIRECTOR_SEES):
        sees += referral.path[-1:]
    if issubclass(change.fact, _OVERSIGHT_SEES):
        watching = chains.oversight(referral, members)
        sees += watching
        told += () if issubclass(change.fact, applied.ConflictOpenedFact) else watching
    if issubclass(change.fact, CONFLICT_FACTS):
        opened = change.details if isinstance(change.details, ConflictOpened) else None
        disputing = opened or (referral.conflict.opened if referral.conflict else None)
        parties = disputing.parties if disputing else ()
        sees += parties
        told += parties
    if issubclass(change.fact, (applied.ConflictOpenedFact, applied.ConflictResolvedFact, applied.EscalatedFact)):
        told += chains.ombudsmen(referral, members)
    return replace(change, sees=tuple(dict.fromkeys(sees)), told=tuple(dict.fromkeys(told)))
