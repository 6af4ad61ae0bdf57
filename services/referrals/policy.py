"""What a declaration must say beyond its place in the life cycle: persons, legal bases, competence, papers. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from contracts import topics
from contracts.codec import Declaration
from contracts.competence import ConflictResolved
from contracts.declarations import (
    Closed,
    ConsentRevoked,
    NotAchieved,
    Received,
    Redirected,
    Rejected,
    Reopened,
    Requested,
    Returned,
    Waitlisted,
)
from contracts.directory import Institution
from contracts.envelope import Envelope, Flaw
from contracts.legal import LegalBasis
from contracts.moments import local_date
from contracts.reasons import HoldReason, NeedResult, NotAchievedReason, RefusalReason, reason
from contracts.values import AuthType, Basis, Problem, Refusal, State, Urgency, Verb
from services.referrals.chain import Chain, Members
from services.referrals.referral import Referral, about_a_child

LATE_AFTER: Mapping[Urgency, timedelta] = MappingProxyType(
    {
        Urgency.U0: timedelta(hours=1),
        Urgency.U1: timedelta(hours=24),
        Urgency.U2: timedelta(days=3),
        Urgency.U3: timedelta(days=5),
    }
)
"""How long after the event a declaration is *extemporánea*: the time that the urgency leaves to acknowledge a referral
(the Mesa's terms: 1 h, 24 h, 1 and 3 working days), working days as the calendar days that they take over a weekend."""


def author(topic_owner: str, head: Envelope, members: Members) -> str | Flaw:
    """The institution that a declaration is from: the owner of the topic, which the broker vouches for.

    The desk's topic is written by our own pages, which have checked who the person is: there the declared
    source counts, if it is a member.
    """
    if topic_owner == topics.DESK:
        return head.institution if head.institution in members else Flaw(Problem.SOURCE_UNKNOWN, "ce_source")
    return topic_owner if head.institution == topic_owner else Flaw(Problem.SOURCE_NOT_OWNER, "ce_source")


def late(urgency: Urgency, declared_at: datetime, received_at: datetime) -> bool:
    """Whether a declaration comes so long after the event that it must be said."""
    return received_at - declared_at > LATE_AFTER[urgency]


def check(
    declaration: Declaration,
    referral: Referral | None,
    chain: Chain,
    members: Members,
    now: datetime,
) -> Refusal | None:
    """Why a declaration that the life cycle allows may still not take effect; None when it may.

    ``referral`` and its ``chain`` as they stand before it, None and empty for a request; ``now`` is its receipt.
    """
    head, details = declaration.envelope, declaration.details
    match details:
        case Requested():
            return _request(details, head.institution, members, now)
        case Received() if head.auth_type is not AuthType.USER:
            return Refusal.PERSON_REQUIRED
        case Closed(result=NeedResult.NOT_REPORTED):
            return Refusal.RESULT_REQUIRED
    if referral is None:
        return None
    match details:
        case Rejected(reason=why) | Returned(reason=why):
            return _papers(why, referral) or _competence(why, referral, members)
        case Redirected():
            return _redirection(details, referral, chain, members, now)
        case Waitlisted(reason=why) | NotAchieved(reason=why):
            return _papers(why, referral)
        case ConsentRevoked() | Reopened():
            return barred(head.verb, referral, chain)
        case ConflictResolved():
            return _resolution(details, head.institution, referral, members)
    return None


def barred(verb: Verb, referral: Referral, chain: Chain) -> Refusal | None:
    """Why a verb that the life cycle allows takes no effect, whatever the declaration carries; None when it may."""
    match verb:
        case Verb.CONSENT_REVOKED:
            return _revocation(chain)
        case Verb.REOPENED if referral.revoked or referral.stop_duty is not None:
            return Refusal.AUTHORISATION_REVOKED
        case Verb.REDIRECTED if referral.competence_decided:
            return Refusal.COMPETENCE_DECIDED
    return None


def basis(given: LegalBasis, recipient: Institution, asked: Requested, now: datetime) -> Refusal | None:
    """Why data may not be shared with this recipient on this basis; None when they may.

    A UN body, an NGO or a firm has no public function to receive them for (Ley 1581/2012 art. 10 lit. a); vital
    urgency is for danger to life now (lit. c); an authorisation must be in force on the day of receipt in Colombia, and
    a child's is given by a representative and with the child heard (art. 7; Decreto 1377/2013 art. 12).
    """
    if not recipient.may_receive(given.basis):
        return Refusal.AUTHORISATION_REQUIRED
    if given.basis is Basis.VITAL_URGENCY and asked.urgency is not Urgency.U0:
        return Refusal.URGENCY_NOT_VITAL
    if given.basis is not Basis.AUTHORISATION:
        return None
    today = local_date(now)
    if given.given_on is not None and given.given_on > today:
        return Refusal.AUTHORISATION_DATED_AHEAD
    if given.expires_on is not None and given.expires_on < today:
        return Refusal.AUTHORISATION_EXPIRED
    if about_a_child(asked):
        if given.representative is None:
            return Refusal.REPRESENTATIVE_REQUIRED
        if given.assent is None:
            return Refusal.ASSENT_REQUIRED
    return None


def _request(asked: Requested, sender: str, members: Members, now: datetime) -> Refusal | None:
    recipient = members.get(asked.recipient)
    if recipient is None:
        return Refusal.UNKNOWN_RECIPIENT
    if recipient.code == sender:
        return Refusal.RECIPIENT_IS_SENDER
    return basis(asked.legal_basis, recipient, asked, now)


def _redirection(
    details: Redirected, referral: Referral, chain: Chain, members: Members, now: datetime
) -> Refusal | None:
    target = members.get(details.target)
    if target is None:
        return Refusal.UNKNOWN_RECIPIENT
    if target.code == referral.recipient:
        return Refusal.TARGET_IS_RECIPIENT
    if refusal := barred(Verb.REDIRECTED, referral, chain):
        return refusal
    # What the person took back cannot be shown again by somebody of the chain; a new authorisation is a new referral.
    if details.legal_basis.basis is Basis.AUTHORISATION and any(one.revoked for one in chain):
        return Refusal.AUTHORISATION_REVOKED
    return basis(details.legal_basis, target, referral.request, now)


def _resolution(details: ConflictResolved, by: str, referral: Referral, members: Members) -> Refusal | None:
    conflict, competent = referral.conflict, members.get(details.competent)
    if conflict is not None and by in conflict.opened.parties:
        return Refusal.PARTY_CANNOT_RESOLVE
    if competent is None:
        return Refusal.UNKNOWN_RECIPIENT
    # Competence is of public bodies: nobody else has a function that a decision could give it.
    return None if competent.may_receive(Basis.PUBLIC_FUNCTION) else Refusal.AUTHORISATION_REQUIRED


def _competence(why: RefusalReason, referral: Referral, members: Members) -> Refusal | None:
    if not reason(why).disputes_competence:
        return None
    if referral.competence_decided:
        return Refusal.COMPETENCE_DECIDED
    # Ley 1437/2011 art. 21: an authority that is not competent sends the matter to the one that is. On a referral that
    # was sent on already, this opens a competence conflict instead.
    recipient = members.get(referral.recipient)
    must_redirect = why is RefusalReason.NOT_COMPETENT and referral.hops == 0 and recipient and recipient.kind.public
    return Refusal.REDIRECTION_REQUIRED if must_redirect else None


def _papers(why: RefusalReason | HoldReason | NotAchievedReason, referral: Referral) -> Refusal | None:
    blocks = reason(why).lacks_papers and referral.urgency in (Urgency.U0, Urgency.U1)
    return Refusal.PAPERS_NEVER_BLOCK if blocks else None


def _revocation(chain: Chain) -> Refusal | None:
    resting = [one for one in chain if one.by_authorisation and one.state is not State.VOIDED]
    if not resting:
        return Refusal.NOTHING_TO_REVOKE
    return Refusal.ALREADY_REVOKED if all(one.revoked for one in resting) else None
