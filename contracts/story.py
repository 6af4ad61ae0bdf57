"""The story that the examples tell, with invented ids: what each verb carries, and where it leads.

The Personería of Girón asks the ICBF to protect a child, and what may come of it; the table tells different ends.
"""

from datetime import date
from uuid import UUID

from contracts import declarations
from contracts.competence import ConflictOpened, ConflictResolved, ConflictTrigger, DecidingBody, PositionStated
from contracts.declarations import Details, Requested, Territories
from contracts.legal import AuthorisationChannel, Kept, KeptReason, LegalBasis, StopCause, StopDuty
from contracts.reasons import (
    HoldReason,
    NeedResult,
    NotAchievedReason,
    Outcome,
    RedirectionReason,
    RefusalReason,
    ReopeningReason,
    ReversalReason,
    VoidingReason,
    WithdrawalReason,
)
from contracts.values import (
    Basis,
    DataClass,
    DocumentType,
    EscalationRule,
    FirstAction,
    Flag,
    InformationItem,
    Service,
    State,
    Urgency,
    Verb,
)

SENDER, RECIPIENT = "personeria-giron", "icbf-santander"
REFERRAL = UUID("0199f3c4-0000-7000-8000-000000000001")
NEED = UUID("0199f3c4-0000-7000-8000-000000000002")
PERSON = UUID("5d1c2f6e-8b1a-4c55-9a52-0d6f7a3b1e10")
TARGET, CHILD = "enlace-migracion-giron", UUID("0199f3c4-0000-7000-8000-000000000003")
OVERSIGHT = "defensoria-santander"

DETAILS: dict[Verb, Details] = {
    Verb.REQUESTED: Requested(
        recipient=RECIPIENT,
        service=Service.CHILD_UNACCOMPANIED,
        urgency=Urgency.U1,
        territories=Territories(residence="68307", fact="68307", service="68307"),
        person=PERSON,
        flags=(Flag.CHILD, Flag.UNACCOMPANIED),
        document_types=(DocumentType.MS,),
        legal_basis=LegalBasis(basis=Basis.PUBLIC_FUNCTION, norm="Ley-1098-2006-art-52"),
    ),
    Verb.RECEIVED: declarations.Received(),
    Verb.ACCEPTED: declarations.Accepted(unit="centro-zonal-bucaramanga-sur", planned_on=date(2026, 11, 24)),
    Verb.ACCEPTANCE_REVERTED: declarations.AcceptanceReverted(reason=ReversalReason.NEW_INFORMATION),
    Verb.INFORMATION_REQUESTED: declarations.InformationRequested(items=(InformationItem.LOCATION,)),
    Verb.INFORMATION_PROVIDED: declarations.InformationProvided(items=(InformationItem.LOCATION,)),
    Verb.REJECTED: declarations.Rejected(reason=RefusalReason.NO_CAPACITY),
    Verb.RETURNED: declarations.Returned(reason=RefusalReason.INSUFFICIENT_INFORMATION),
    Verb.REDIRECTED: declarations.Redirected(
        target=TARGET,
        child=CHILD,
        reason=RedirectionReason.NOT_COMPETENT,
        ground="Ley-1437-2011-art-21",
        legal_basis=LegalBasis(basis=Basis.PUBLIC_FUNCTION, norm="Ley-2136-2021"),
    ),
    Verb.STARTED: declarations.Started(first_action=FirstAction.RIGHTS_VERIFICATION, on=date(2026, 11, 24)),
    Verb.WAITLISTED: declarations.Waitlisted(reason=HoldReason.WAITING_LIST, expected_on=date(2026, 12, 1)),
    Verb.RESUMED: declarations.Resumed(),
    Verb.COMPLETED: declarations.Completed(outcome=Outcome.MEASURE_ADOPTED, on=date(2026, 11, 26)),
    Verb.NOT_ACHIEVED: declarations.NotAchieved(reason=NotAchievedReason.NOT_LOCATED),
    Verb.WITHDRAWN: declarations.Withdrawn(reason=WithdrawalReason.SENDER_ERROR),
    Verb.CONSENT_REVOKED: declarations.ConsentRevoked(on=date(2026, 11, 25), channel=AuthorisationChannel.IN_PERSON),
    Verb.STOP_CONFIRMED: declarations.StopConfirmed(
        erased=(DataClass.CONTACT,), kept=(Kept(data_class=DataClass.CHILDHOOD, because=KeptReason.LEGAL_DUTY),)
    ),
    Verb.CLOSED: declarations.Closed(result=NeedResult.MET),
    Verb.REOPENED: declarations.Reopened(reason=ReopeningReason.NEED_NOT_MET),
    Verb.VOIDED: declarations.Voided(reason=VoidingReason.REGISTERED_BY_MISTAKE),
    Verb.ESCALATED: declarations.Escalated(rule=EscalationRule.NOT_DECIDED),
    Verb.POSITION_STATED: PositionStated(competent=False, norm="Ley-1098-2006-art-97"),
    Verb.CONFLICT_RESOLVED: ConflictResolved(
        competent=TARGET, decided_by=DecidingBody.FAMILY_JUDGE, norm="Ley-1098-2006-art-99"
    ),
}

MOVES: dict[Verb, tuple[State | None, State, int]] = {
    Verb.REQUESTED: (None, State.REQUESTED, 1),
    Verb.RECEIVED: (State.REQUESTED, State.RECEIVED, 2),
    Verb.ACCEPTED: (State.RECEIVED, State.ACCEPTED, 3),
    Verb.ACCEPTANCE_REVERTED: (State.ACCEPTED, State.RECEIVED, 4),
    Verb.INFORMATION_REQUESTED: (State.RECEIVED, State.AWAITING_INFORMATION, 3),
    Verb.INFORMATION_PROVIDED: (State.AWAITING_INFORMATION, State.RECEIVED, 4),
    Verb.REJECTED: (State.RECEIVED, State.REJECTED, 3),
    Verb.RETURNED: (State.RECEIVED, State.RETURNED, 3),
    Verb.REDIRECTED: (State.RECEIVED, State.REDIRECTED, 3),
    Verb.STARTED: (State.ACCEPTED, State.IN_PROGRESS, 4),
    Verb.WAITLISTED: (State.ACCEPTED, State.WAITLISTED, 4),
    Verb.RESUMED: (State.WAITLISTED, State.ACCEPTED, 5),
    Verb.COMPLETED: (State.IN_PROGRESS, State.COMPLETED, 5),
    Verb.NOT_ACHIEVED: (State.IN_PROGRESS, State.NOT_ACHIEVED, 5),
    Verb.WITHDRAWN: (State.RECEIVED, State.WITHDRAWN, 3),
    Verb.CONSENT_REVOKED: (State.IN_PROGRESS, State.WITHDRAWN, 5),
    Verb.STOP_CONFIRMED: (State.WITHDRAWN, State.WITHDRAWN, 5),
    Verb.CLOSED: (State.COMPLETED, State.CLOSED, 6),
    Verb.REOPENED: (State.CLOSED, State.REQUESTED, 7),
    Verb.VOIDED: (State.CLOSED, State.VOIDED, 7),
    Verb.ESCALATED: (State.RECEIVED, State.RECEIVED, 3),
    Verb.POSITION_STATED: (State.RECEIVED, State.RECEIVED, 4),
    Verb.CONFLICT_RESOLVED: (State.RECEIVED, State.REDIRECTED, 5),
}
"""From, to and version of the example of each verb; they tell different ends of the same story."""

BY = dict.fromkeys(
    (Verb.REQUESTED, Verb.INFORMATION_PROVIDED, Verb.WITHDRAWN, Verb.CONSENT_REVOKED, Verb.CLOSED, Verb.REOPENED,
     Verb.VOIDED),
    SENDER,
) | dict.fromkeys((Verb.ESCALATED, Verb.CONFLICT_RESOLVED), OVERSIGHT)  # fmt: skip
"""Who declares the example of a verb; where it is not here, the recipient."""

SEALED = (Verb.REQUESTED, Verb.REDIRECTED, Verb.INFORMATION_PROVIDED)

CONFLICT = ConflictOpened(
    trigger=ConflictTrigger.DOUBLE_REFUSAL,
    declared=Verb.REJECTED,
    reason=RefusalReason.NOT_COMPETENT,
    parties=(RECIPIENT, TARGET),
    responsible=RECIPIENT,
)
STOP_DUTY = StopDuty(holder=RECIPIENT, because=StopCause.WITHDRAWN)
