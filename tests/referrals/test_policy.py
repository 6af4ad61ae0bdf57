"""What a declaration must say beyond its place in the life cycle."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from contracts.declarations import Closed, Details, NotAchieved, Rejected, Requested, Returned, Waitlisted
from contracts.envelope import Flaw
from contracts.legal import LegalBasis
from contracts.reasons import HoldReason, NeedResult, NotAchievedReason, RefusalReason, reason
from contracts.values import AuthType, Basis, DocumentType, Flag, Problem, Refusal, Service, Urgency, Verb
from services.referrals import policy
from tests.referrals.stage import Stage
from tests.support import builders as make

ADULT = {"flags": (), "service": Service.LEGAL_ADVICE}
NGO = {"recipient": make.NGO}
VITAL = LegalBasis(basis=Basis.VITAL_URGENCY)
ORDER = LegalBasis(basis=Basis.COURT_ORDER, norm="juzgado-2-familia-2026-0123")


def authorised(**changes: object) -> LegalBasis:
    return make.AUTHORISED.model_copy(update=changes)


def test_a_receipt_is_a_persons_act() -> None:
    stage = Stage()
    referral = stage.request()
    made = make.declaration(
        Verb.RECEIVED, referral, stage.referrals[referral].need, by=make.RECIPIENT, auth_type=AuthType.SYSTEM
    )
    (decided,) = stage.take(made)
    assert decided.fact.data.reason is Refusal.PERSON_REQUIRED  # type: ignore[union-attr]
    stage.path(referral, Verb.RECEIVED)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, None),
        ({"recipient": "no-such-body"}, Refusal.UNKNOWN_RECIPIENT),
        ({"recipient": make.SENDER}, Refusal.RECIPIENT_IS_SENDER),
        # A body without a public function may not rest on one.
        (NGO, Refusal.AUTHORISATION_REQUIRED),
        (NGO | {"legal_basis": make.AUTHORISED}, None),
        (NGO | {"legal_basis": ORDER}, None),
        # Vital urgency is danger to life now.
        (NGO | {"legal_basis": VITAL, "urgency": Urgency.U0}, None),
        (NGO | {"legal_basis": VITAL, "urgency": Urgency.U1}, Refusal.URGENCY_NOT_VITAL),
        ({"legal_basis": VITAL, "urgency": Urgency.U2}, Refusal.URGENCY_NOT_VITAL),
        # An authorisation is in force on the day of receipt in Colombia (the 24th).
        ({"legal_basis": authorised(expires_on=date(2026, 11, 24))}, None),
        ({"legal_basis": authorised(expires_on=date(2026, 11, 23))}, Refusal.AUTHORISATION_EXPIRED),
        ({"legal_basis": authorised(given_on=date(2026, 11, 24))}, None),
        ({"legal_basis": authorised(given_on=date(2026, 11, 25))}, Refusal.AUTHORISATION_DATED_AHEAD),
        # A child's is given by a representative, with the child heard.
        ({"legal_basis": authorised(representative=None)}, Refusal.REPRESENTATIVE_REQUIRED),
        ({"legal_basis": authorised(assent=None)}, Refusal.ASSENT_REQUIRED),
        ({"flags": (), "legal_basis": authorised(assent=None)}, Refusal.ASSENT_REQUIRED),
        (ADULT | {"legal_basis": authorised(representative=None, assent=None)}, None),
        (ADULT | {"flags": (Flag.UNACCOMPANIED,), "legal_basis": authorised(assent=None)}, Refusal.ASSENT_REQUIRED),
        # Lacking papers, and any history of them, block nobody.
        ({"document_types": ()}, None),
        ({"document_types": (DocumentType.PE, DocumentType.PT, DocumentType.CE)}, None),
        ({"document_types": (DocumentType.MS,), "urgency": Urgency.U0}, None),
    ],
)
def test_who_may_be_asked_and_on_which_basis(changes: dict[str, object], refusal: Refusal | None) -> None:
    asked = make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER, details=make.requested(**changes))
    assert policy.check(asked, None, (), make.MEMBERS, make.NOW) is refusal
    stage = Stage()
    (decided,) = stage.take(asked)
    assert decided.fact.outcome == ("refused" if refusal else "applied")
    # Before anything is shared: neither a fact nor the sealed part reaches anybody else.
    assert refusal is None or (decided.parties == (make.SENDER,) and not stage.sealed)


def test_the_day_of_an_authorisation_is_colombias() -> None:
    expires_today = authorised(expires_on=date(2026, 11, 24))
    recipient, asked = make.MEMBERS[make.NGO], make.requested()
    late_evening = datetime(2026, 11, 25, 4, 59, tzinfo=UTC)
    assert policy.basis(expires_today, recipient, asked, late_evening) is None
    midnight = late_evening + timedelta(minutes=1)
    assert policy.basis(expires_today, recipient, asked, midnight) is Refusal.AUTHORISATION_EXPIRED


PAPERS: list[tuple[Verb, Details, tuple[Verb, ...]]] = [
    (Verb.REJECTED, Rejected(reason=RefusalReason.DOCUMENTS_MISSING), ()),
    (Verb.RETURNED, Returned(reason=RefusalReason.DOCUMENTS_MISSING), ()),
    (Verb.WAITLISTED, Waitlisted(reason=HoldReason.PENDING_DOCUMENT, expected_on=date(2026, 12, 1)), (Verb.ACCEPTED,)),
    (Verb.NOT_ACHIEVED, NotAchieved(reason=NotAchievedReason.DOCUMENT_IMPEDIMENT), (Verb.ACCEPTED,)),
]


@pytest.mark.parametrize("urgency", Urgency)
@pytest.mark.parametrize(("verb", "details", "before"), PAPERS, ids=lambda value: str(value)[:20])
def test_lacking_papers_never_block_what_is_urgent(
    verb: Verb, details: Details, before: tuple[Verb, ...], urgency: Urgency
) -> None:
    stage = Stage()
    referral = stage.request(urgency=urgency)
    stage.path(referral, *before)
    if urgency in (Urgency.U0, Urgency.U1):
        assert stage.refuses(verb, referral, make.RECIPIENT, details) == "papers-never-block"
    else:
        assert stage.say(verb, referral, make.RECIPIENT, details)[0].kind == verb.value


def test_every_reason_that_blames_papers_is_held_to_that_rule() -> None:
    blaming = {code.value for e in (RefusalReason, HoldReason, NotAchievedReason) for code in e if _lacks(code)}
    assert blaming == {"documents-missing", "pending-document", "document-impediment"}


def _lacks(code: RefusalReason | HoldReason | NotAchievedReason) -> bool:
    return reason(code).lacks_papers


@pytest.mark.parametrize("verb", [Verb.REJECTED, Verb.RETURNED])
def test_a_public_body_that_is_not_competent_sends_it_on(verb: Verb) -> None:
    why = RefusalReason.NOT_COMPETENT
    details: Details = Rejected(reason=why) if verb is Verb.REJECTED else Returned(reason=why)
    stage = Stage()
    referral = stage.request()
    assert stage.refuses(verb, referral, make.RECIPIENT, details) == "redirection-required"
    # Nobody obliges an NGO.
    asked_of_ngo = stage.request(recipient=make.NGO, legal_basis=make.AUTHORISED)
    assert stage.say(verb, asked_of_ngo, make.NGO, details)[0].kind == verb.value


def test_a_sender_reports_what_became_of_the_need() -> None:
    stage = Stage()
    referral = stage.request()
    stage.path(referral, Verb.ACCEPTED, Verb.COMPLETED)
    not_reported = Closed(result=NeedResult.NOT_REPORTED)
    assert stage.refuses(Verb.CLOSED, referral, make.SENDER, not_reported) == "result-required"
    stage.path(referral, Verb.CLOSED)


@pytest.mark.parametrize(
    ("urgency", "allowed"),
    [(Urgency.U0, timedelta(hours=1)), (Urgency.U1, timedelta(hours=24)), (Urgency.U2, timedelta(days=3)),
     (Urgency.U3, timedelta(days=5))],
)  # fmt: skip
def test_what_is_registered_late_says_so_with_both_times(urgency: Urgency, allowed: timedelta) -> None:
    stage = Stage()
    referral = stage.request(urgency=urgency)
    for time, late in ((make.NOW - allowed, False), (make.NOW - allowed - timedelta(seconds=1), True)):
        (fact,) = stage.say(Verb.ESCALATED, referral, make.OVERSIGHT, time=time)
        assert (fact.late, fact.declared_at, fact.received_at) == (late, time, make.NOW)  # type: ignore[union-attr]
    asked = make.declaration(
        Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER, details=make.requested(urgency=urgency),
        time=make.NOW - allowed - timedelta(seconds=1),
    )  # fmt: skip
    assert stage.take(asked)[0].fact.data.late  # type: ignore[union-attr]


def test_a_late_declaration_on_a_closed_referral_is_refused_and_told() -> None:
    stage = Stage()
    referral = stage.request()
    stage.path(referral, Verb.ACCEPTED, Verb.COMPLETED, Verb.CLOSED)
    time = make.NOW - timedelta(days=20)
    assert stage.refuses(Verb.COMPLETED, referral, make.RECIPIENT, time=time) == "wrong-state"
    assert stage.last.declared_at == time  # type: ignore[union-attr]
    assert stage.facts[-1].parties == (make.RECIPIENT,)


def test_reopening_renews_the_work_whoever_reopens() -> None:
    stage = Stage()
    closed, refused = stage.request(), stage.request()
    stage.path(closed, Verb.ACCEPTED, Verb.COMPLETED, Verb.CLOSED, Verb.REOPENED, Verb.RECEIVED, Verb.ACCEPTED)
    stage.path(refused, Verb.REJECTED)
    assert stage.refuses(Verb.REOPENED, refused, make.SENDER) == "not-oversight"
    assert stage.say(Verb.REOPENED, refused, make.OVERSIGHT)[0].kind == "reopened"
    assert make.OVERSIGHT in stage.facts[-1].parties
    assert stage.refuses(Verb.REOPENED, closed, make.ELSEWHERE) == "unknown-referral"


def test_a_hold_goes_back_to_where_it_came_from() -> None:
    stage = Stage()
    referral = stage.request()
    for before, hold, back in (
        (Verb.RECEIVED, Verb.INFORMATION_REQUESTED, Verb.INFORMATION_PROVIDED),
        (Verb.ACCEPTED, Verb.INFORMATION_REQUESTED, Verb.RESUMED),
        (None, Verb.WAITLISTED, Verb.RESUMED),
        (Verb.STARTED, Verb.WAITLISTED, Verb.RESUMED),
    ):
        if before:
            stage.path(referral, before)
        state = stage.referrals[referral].state
        stage.path(referral, hold)
        assert stage.referrals[referral].held_from is state
        stage.path(referral, back)
        assert (stage.referrals[referral].state, stage.referrals[referral].held_from) == (state, None)
    assert stage.refolded() == stage.referrals


def test_what_was_accepted_is_not_refused_from_a_hold() -> None:
    stage = Stage()
    referral = stage.request()
    stage.path(referral, Verb.ACCEPTED, Verb.INFORMATION_REQUESTED)
    for verb in (Verb.REJECTED, Verb.RETURNED, Verb.REDIRECTED):
        assert stage.refuses(verb, referral, make.RECIPIENT) == "wrong-state"
    stage.path(referral, Verb.INFORMATION_PROVIDED, Verb.ACCEPTANCE_REVERTED, Verb.REJECTED)


def test_an_author_is_the_owner_of_the_topic_and_the_desk_speaks_for_members_only() -> None:
    head = make.declaration(Verb.RECEIVED, uuid4(), uuid4(), by=make.RECIPIENT).envelope
    nobody = replace(head, institution="nobody")
    assert policy.author(make.RECIPIENT, head, make.MEMBERS) == make.RECIPIENT
    assert policy.author(make.SENDER, head, make.MEMBERS) == Flaw(Problem.SOURCE_NOT_OWNER, "ce_source")
    assert policy.author("desk", head, make.MEMBERS) == make.RECIPIENT
    assert policy.author("desk", nobody, make.MEMBERS) == Flaw(Problem.SOURCE_UNKNOWN, "ce_source")


def test_requests_keep_only_types_of_papers() -> None:
    assert all(len(kind.value) == 2 for kind in DocumentType)
    assert "document_types" in Requested.model_fields
