"""What an applied declaration becomes: one fact per verb, and the facts that follow from it.

A record may cause several: its answer first (ordinal 0), then consequences in order, each a change of one referral with
a version of its own. Codes, ids, times and digests only.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from contracts.competence import ConflictOpened, ConflictResolved, Lineage, PositionStated
from contracts.declarations import (
    AcceptanceReverted,
    Accepted,
    Closed,
    Completed,
    ConsentRevoked,
    Escalated,
    InformationProvided,
    InformationRequested,
    NotAchieved,
    Received,
    Redirected,
    Rejected,
    Reopened,
    Requested,
    Resumed,
    Returned,
    Started,
    StopConfirmed,
    Voided,
    Waitlisted,
    Withdrawn,
)
from contracts.legal import StopDuty
from contracts.model import Model
from contracts.values import AuthType, InstitutionCode, Moment, Reference, Sha256, State, Verb


class Cause(Model):
    """Which record caused the fact. ``owner`` is the institution that alone may write to that topic.

    ``released``: the record had waited behind a failure of ours; its first fact here replaces the provisional outcome
    (parked, or quarantined with ``internal-error``) that it was given when it came.
    """

    cluster: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    owner: InstitutionCode
    event: UUID | None = None
    sha256: Sha256
    released: Literal[True] | None = None


class Actor(Model):
    """Who acted at the declaring institution; an opaque id, never a name."""

    type: AuthType
    id: Reference


class Applied(Model):
    """A change of a referral; ``version`` counts the changes of that referral from 1 without holes.

    ``received_at`` is the broker's time, which decides; ``declared_at`` is when the institution says it happened, and
    ``late`` that it was registered *extemporánea*: later than the urgency allows. ``told`` are the institutions that
    must know beside the parties: oversight whose territory covers the referral, the Personería.
    """

    cause: Cause
    actor: Actor
    version: int
    state: State
    previous: State | None = None
    sender: InstitutionCode
    recipient: InstitutionCode
    received_at: Moment
    declared_at: Moment
    late: bool = False
    told: Annotated[tuple[InstitutionCode, ...] | None, Field(max_length=64, strict=False)] = None
    sealed_sha256: Sha256 | None = None


class RequestedFact(Applied):
    """``lineage`` is there when a redirection or a resolution opened it; ``follows`` is a former referral, if any."""

    kind: Literal["requested"] = "requested"
    details: Requested
    lineage: Lineage | None = None
    follows: UUID | None = None


class ReceivedFact(Applied):
    kind: Literal["received"] = "received"
    details: Received


class AcceptedFact(Applied):
    kind: Literal["accepted"] = "accepted"
    details: Accepted


class AcceptanceRevertedFact(Applied):
    kind: Literal["acceptance-reverted"] = "acceptance-reverted"
    details: AcceptanceReverted


class InformationRequestedFact(Applied):
    kind: Literal["information-requested"] = "information-requested"
    details: InformationRequested


class InformationProvidedFact(Applied):
    kind: Literal["information-provided"] = "information-provided"
    details: InformationProvided


class RejectedFact(Applied):
    kind: Literal["rejected"] = "rejected"
    details: Rejected


class ReturnedFact(Applied):
    kind: Literal["returned"] = "returned"
    details: Returned


class RedirectedFact(Applied):
    kind: Literal["redirected"] = "redirected"
    details: Redirected


class StartedFact(Applied):
    kind: Literal["started"] = "started"
    details: Started


class WaitlistedFact(Applied):
    kind: Literal["waitlisted"] = "waitlisted"
    details: Waitlisted


class ResumedFact(Applied):
    kind: Literal["resumed"] = "resumed"
    details: Resumed


class CompletedFact(Applied):
    kind: Literal["completed"] = "completed"
    details: Completed


class NotAchievedFact(Applied):
    kind: Literal["not-achieved"] = "not-achieved"
    details: NotAchieved


class WithdrawnFact(Applied):
    kind: Literal["withdrawn"] = "withdrawn"
    details: Withdrawn


class ConsentRevokedFact(Applied):
    kind: Literal["consent-revoked"] = "consent-revoked"
    details: ConsentRevoked


class StopConfirmedFact(Applied):
    kind: Literal["stop-confirmed"] = "stop-confirmed"
    details: StopConfirmed


class ClosedFact(Applied):
    kind: Literal["closed"] = "closed"
    details: Closed


class ReopenedFact(Applied):
    kind: Literal["reopened"] = "reopened"
    details: Reopened


class VoidedFact(Applied):
    kind: Literal["voided"] = "voided"
    details: Voided


class EscalatedFact(Applied):
    kind: Literal["escalated"] = "escalated"
    details: Escalated


class PositionStatedFact(Applied):
    kind: Literal["position-stated"] = "position-stated"
    details: PositionStated


class ConflictResolvedFact(Applied):
    kind: Literal["conflict-resolved"] = "conflict-resolved"
    details: ConflictResolved


class ConflictOpenedFact(Applied):
    """The answer to a redirection or refusal that would have sent the person round once more."""

    kind: Literal["conflict-opened"] = "conflict-opened"
    details: ConflictOpened


class StopDutyOpenedFact(Applied):
    """The receiver of this referral must stop using the data, whatever state it is in."""

    kind: Literal["stop-duty-opened"] = "stop-duty-opened"
    details: StopDuty


AppliedFact = (
    RequestedFact
    | ReceivedFact
    | AcceptedFact
    | AcceptanceRevertedFact
    | InformationRequestedFact
    | InformationProvidedFact
    | RejectedFact
    | ReturnedFact
    | RedirectedFact
    | StartedFact
    | WaitlistedFact
    | ResumedFact
    | CompletedFact
    | NotAchievedFact
    | WithdrawnFact
    | ConsentRevokedFact
    | StopConfirmedFact
    | ClosedFact
    | ReopenedFact
    | VoidedFact
    | EscalatedFact
    | PositionStatedFact
    | ConflictResolvedFact
    | ConflictOpenedFact
    | StopDutyOpenedFact
)

APPLIED: dict[Verb, type[AppliedFact]] = {
    Verb.REQUESTED: RequestedFact,
    Verb.RECEIVED: ReceivedFact,
    Verb.ACCEPTED: AcceptedFact,
    Verb.ACCEPTANCE_REVERTED: AcceptanceRevertedFact,
    Verb.INFORMATION_REQUESTED: InformationRequestedFact,
    Verb.INFORMATION_PROVIDED: InformationProvidedFact,
    Verb.REJECTED: RejectedFact,
    Verb.RETURNED: ReturnedFact,
    Verb.REDIRECTED: RedirectedFact,
    Verb.STARTED: StartedFact,
    Verb.WAITLISTED: WaitlistedFact,
    Verb.RESUMED: ResumedFact,
    Verb.COMPLETED: CompletedFact,
    Verb.NOT_ACHIEVED: NotAchievedFact,
    Verb.WITHDRAWN: WithdrawnFact,
    Verb.CONSENT_REVOKED: ConsentRevokedFact,
    Verb.STOP_CONFIRMED: StopConfirmedFact,
    Verb.CLOSED: ClosedFact,
    Verb.REOPENED: ReopenedFact,
    Verb.VOIDED: VoidedFact,
    Verb.ESCALATED: EscalatedFact,
    Verb.POSITION_STATED: PositionStatedFact,
    Verb.CONFLICT_RESOLVED: ConflictResolvedFact,
}
"""The fact of each verb."""
