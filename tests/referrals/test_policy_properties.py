"""Rules that hold for whatever is asked: who may receive data on which basis, papers, lateness."""

from datetime import timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from contracts.applied import Applied
from contracts.declarations import Requested
from contracts.directory import Kind
from contracts.values import Basis, Urgency, Verb
from services.referrals import policy
from tests.referrals.saying import details, request
from tests.referrals.stage import Stage
from tests.support import builders as make

EVERY_KIND = {kind: make.institution(f"cuerpo-{kind.value}", kind) for kind in Kind}
URGENT = (Urgency.U0, Urgency.U1)
PAPERS = ("documents-missing", "pending-document", "document-impediment")


def may_be_shared(asked: Requested, kind: Kind) -> bool:
    """The rule, in other words than the code's (Ley 1581/2012 art. 7 and 10; Decreto 1377/2013 art. 12)."""
    given_basis, today = asked.legal_basis, make.NOW.date()
    public = kind not in (Kind.NGO, Kind.UNITED_NATIONS, Kind.PRIVATE)
    child = asked.service.value.startswith("child.") or any(f.value in ("child", "unaccompanied") for f in asked.flags)
    match given_basis.basis:
        case Basis.PUBLIC_FUNCTION:
            return public
        case Basis.VITAL_URGENCY:
            return asked.urgency is Urgency.U0
        case Basis.COURT_ORDER:
            return True
        case Basis.AUTHORISATION:
            assert given_basis.given_on is not None
            in_force = given_basis.given_on <= today and (given_basis.expires_on or today) >= today
            heard = given_basis.representative is not None and given_basis.assent is not None
            return in_force and (heard or not child)


@given(asked=request(), kind=st.sampled_from(Kind))
def test_nothing_is_shared_without_a_basis_for_that_recipient(asked: Requested, kind: Kind) -> None:
    recipient = EVERY_KIND[kind]
    stage = Stage({**make.MEMBERS, recipient.code: recipient})
    made = make.declaration(
        Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER, details=asked.model_copy(
            update={"recipient": recipient.code, "follows": None})
    )  # fmt: skip
    (decided,) = stage.take(made)
    assert isinstance(decided.fact.data, Applied) == may_be_shared(asked, kind)
    shared = {part.recipient for part in stage.sealed} | set(decided.parties) - {make.SENDER}
    assert shared == ({recipient.code} if may_be_shared(asked, kind) else set())


@given(asked=request(), kind=st.sampled_from(Kind))
def test_nor_when_it_is_sent_on(asked: Requested, kind: Kind) -> None:
    target = EVERY_KIND[kind]
    stage = Stage({**make.MEMBERS, target.code: target})
    root = stage.request(urgency=asked.urgency, flags=asked.flags, service=asked.service)
    before = len(stage.sealed)
    onward = make.redirected(target.code, legal_basis=asked.legal_basis)
    first = stage.say(Verb.REDIRECTED, root, make.RECIPIENT, onward)[0]
    assert (first.kind == "redirected") == may_be_shared(asked, kind)
    assert {part.recipient for part in stage.sealed[before:]} == (
        {target.code} if first.kind == "redirected" else set()
    )


@given(data=st.data(), urgency=st.sampled_from(Urgency))
def test_lacking_papers_block_nothing_that_is_urgent(data: st.DataObject, urgency: Urgency) -> None:
    verb = data.draw(st.sampled_from([Verb.REJECTED, Verb.RETURNED, Verb.WAITLISTED, Verb.NOT_ACHIEVED]))
    said = data.draw(details(verb, uuid4(), None))
    stage = Stage()
    referral = stage.request(urgency=urgency, document_types=())
    if verb in (Verb.WAITLISTED, Verb.NOT_ACHIEVED):
        stage.path(referral, Verb.ACCEPTED)
    (answer,) = stage.say(verb, referral, make.RECIPIENT, said)
    blames = getattr(said, "reason", None) in PAPERS
    refused = getattr(answer, "reason", None) == "papers-never-block"
    assert refused == (blames and urgency in URGENT)


@given(urgency=st.sampled_from(Urgency), late_by=st.timedeltas(timedelta(days=-1), timedelta(days=20)))
def test_late_is_later_than_the_urgency_allows(urgency: Urgency, late_by: timedelta) -> None:
    hours = {Urgency.U0: 1, Urgency.U1: 24, Urgency.U2: 72, Urgency.U3: 120}
    late = policy.late(urgency, make.NOW - late_by, make.NOW)
    assert late == (late_by > timedelta(hours=hours[urgency]))
