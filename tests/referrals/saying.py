"""Strategies for what institutions declare: every code of every catalogue, and few people so that they come again."""

from datetime import date
from uuid import UUID

from hypothesis import strategies as st

from contracts import declarations as said
from contracts.competence import ConflictResolved, DecidingBody, PositionStated
from contracts.declarations import Details, Redirected, Requested, Territories
from contracts.legal import AuthorisationChannel, Kept, KeptReason, LegalBasis
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
    EscalationRule,
    FirstAction,
    Flag,
    InformationItem,
    Service,
    Urgency,
    Verb,
)
from services.referrals.referral import Referral
from tests.support import builders as make

PEOPLE = (UUID(int=11), UUID(int=12), UUID(int=13))
DAYS = st.dates(date(2026, 11, 20), date(2026, 12, 20))
CLASSES = st.lists(st.sampled_from(DataClass), max_size=3, unique=True).map(tuple)
BASES = st.sampled_from(
    [
        *[make.PUBLIC, make.AUTHORISED] * 4,
        make.AUTHORISED.model_copy(update={"representative": None}),
        make.AUTHORISED.model_copy(update={"expires_on": date(2026, 11, 2)}),
        make.AUTHORISED.model_copy(update={"given_on": date(2027, 11, 2)}),
        LegalBasis(basis=Basis.VITAL_URGENCY),
        LegalBasis(basis=Basis.COURT_ORDER, norm="juzgado-2-familia-2026-0123"),
    ]
)
RECIPIENTS = st.sampled_from([*sorted(make.MEMBERS), "no-such-body"])
_REFUSALS = st.sampled_from([*RefusalReason, *[RefusalReason.NOT_COMPETENT] * 6])


@st.composite
def request(draw: st.DrawFn, former: st.SearchStrategy[UUID | None] = st.none()) -> Requested:  # noqa: B008
    """A request, most of them such that it may be applied."""
    return Requested(
        recipient=draw(RECIPIENTS),
        service=draw(st.sampled_from([Service.LEGAL_ADVICE, Service.CHILD_UNACCOMPANIED])),
        urgency=draw(st.sampled_from(Urgency)),
        territories=Territories(
            residence="68307",
            service=draw(st.sampled_from(["68307", "68001"])),
            fact=draw(st.sampled_from([None, "68547", "05001"])),
        ),
        person=draw(st.sampled_from(PEOPLE)),
        flags=draw(st.sampled_from([(), (Flag.CHILD,), (Flag.UNACCOMPANIED,)])),
        legal_basis=draw(BASES),
        follows=draw(former),
    )


def details(verb: Verb, child: UUID, referral: Referral | None) -> st.SearchStrategy[Details]:
    """What a declaration of this verb carries. ``child`` is a free id for the one that it may open."""
    one_of = st.sampled_from
    match verb:
        case Verb.REJECTED:
            return st.builds(said.Rejected, reason=_REFUSALS)
        case Verb.RETURNED:
            return st.builds(said.Returned, reason=_REFUSALS)
        case Verb.REDIRECTED:
            return st.builds(
                Redirected,
                target=RECIPIENTS,
                child=one_of([child] * 5 + [referral.id if referral else child]),
                reason=one_of(RedirectionReason),
                ground=st.just("Ley-1437-2011-art-21"),
                legal_basis=BASES,
            )
        case Verb.ACCEPTED:
            return st.builds(said.Accepted, unit=st.just("centro-zonal-1"), planned_on=DAYS)
        case Verb.ACCEPTANCE_REVERTED:
            return st.builds(said.AcceptanceReverted, reason=one_of(ReversalReason))
        case Verb.INFORMATION_REQUESTED:
            return st.builds(said.InformationRequested, items=st.tuples(one_of(InformationItem)))
        case Verb.INFORMATION_PROVIDED:
            return st.builds(said.InformationProvided, items=st.tuples(one_of(InformationItem)))
        case Verb.STARTED:
            return st.builds(said.Started, first_action=one_of(FirstAction), on=DAYS)
        case Verb.WAITLISTED:
            return st.builds(said.Waitlisted, reason=one_of(HoldReason), expected_on=DAYS)
        case Verb.COMPLETED:
            return st.builds(said.Completed, outcome=one_of(Outcome), on=DAYS)
        case Verb.NOT_ACHIEVED:
            return st.builds(said.NotAchieved, reason=one_of(NotAchievedReason))
        case Verb.WITHDRAWN:
            return st.builds(said.Withdrawn, reason=one_of(WithdrawalReason))
        case Verb.CONSENT_REVOKED:
            return st.builds(said.ConsentRevoked, on=DAYS, channel=one_of(AuthorisationChannel))
        case Verb.STOP_CONFIRMED:
            kept = st.builds(Kept, data_class=one_of(DataClass), because=one_of(KeptReason))
            return st.builds(said.StopConfirmed, erased=CLASSES, kept=st.lists(kept, max_size=2).map(tuple))
        case Verb.CLOSED:
            return st.builds(said.Closed, result=one_of(NeedResult))
        case Verb.REOPENED:
            return st.builds(said.Reopened, reason=one_of(ReopeningReason))
        case Verb.VOIDED:
            return st.builds(said.Voided, reason=one_of(VoidingReason))
        case Verb.ESCALATED:
            return st.builds(said.Escalated, rule=one_of(EscalationRule))
        case Verb.POSITION_STATED:
            return st.builds(PositionStated, competent=st.booleans(), norm=st.just("Ley-1098-2006"))
        case Verb.CONFLICT_RESOLVED:
            return st.builds(
                ConflictResolved,
                competent=RECIPIENTS,
                decided_by=one_of(DecidingBody),
                norm=st.just("Ley-1098-2006-art-99"),
            )
    return st.just(make.default_details(verb))
