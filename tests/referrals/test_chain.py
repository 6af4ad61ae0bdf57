"""Redirections, competence conflicts, revocations, stop duties: what one declaration does to a whole chain."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.applied import ConflictOpenedFact, RequestedFact, StopDutyOpenedFact
from contracts.codec import sealed_bytes
from contracts.competence import ConflictResolved, ConflictTrigger, DecidingBody, PositionStated
from contracts.declarations import Rejected, Requested, Returned
from contracts.reasons import RefusalReason
from contracts.values import Service, State, Urgency, Verb
from services.referrals.effects import effects
from services.referrals.referral import StopDuty
from tests.referrals.stage import Stage
from tests.support import builders as make

S, R, O, T, W, NGO = make.SENDER, make.RECIPIENT, make.OTHER, make.THIRD, make.OVERSIGHT, make.NGO  # noqa: E741
ADULT = {"flags": (), "service": Service.LEGAL_ADVICE, "urgency": Urgency.U2}


def redirect(stage: Stage, referral: UUID, target: str, **changes: object) -> UUID:
    """The receiver sends a referral on; returns the child."""
    details = make.redirected(target, **changes)
    facts = stage.say(Verb.REDIRECTED, referral, stage.referrals[referral].recipient, details)
    assert [fact.kind for fact in facts] == ["redirected", "requested"], facts[0]
    return details.child


def resolved(competent: str) -> ConflictResolved:
    return ConflictResolved(competent=competent, decided_by=DecidingBody.FAMILY_JUDGE, norm="Ley-1098-2006-art-99")


def disputed(stage: Stage, **changes: Any) -> UUID:
    """A child whose second receiver refuses competence too: an open conflict between R and O."""
    child = redirect(stage, stage.request(**changes), O)
    stage.say(Verb.REJECTED, child, O, Rejected(reason=RefusalReason.NOT_COMPETENT))
    assert stage.referrals[child].conflict is not None
    return child


# Redirection


def test_a_redirection_opens_a_child_that_keeps_the_sender_and_the_clock() -> None:
    stage = Stage()
    root = stage.request(document_types=())
    stage.path(root, Verb.RECEIVED)
    child = redirect(stage, root, O)
    parent, made = stage.referrals[root], stage.referrals[child]
    assert parent.state is State.REDIRECTED
    assert (made.state, made.version, made.sender, made.recipient) == (State.REQUESTED, 1, S, O)
    assert (made.root, made.parent, made.path, made.hops, made.redirected_by) == (root, root, (R,), 1, R)
    assert (made.need, made.person, made.service, made.urgency) == (
        parent.need, parent.person, parent.service, parent.urgency,
    )  # fmt: skip
    assert made.clock_from == parent.opened_at
    assert made.request.recipient == O
    assert stage.refolded() == stage.referrals


def test_both_facts_of_a_redirection_come_from_one_record_in_order() -> None:
    stage = Stage()
    root = stage.request()
    redirect(stage, root, O)
    first, second = stage.facts[-2:]
    assert (first.ordinal, second.ordinal) == (0, 1)
    assert first.fact.data.cause == second.fact.data.cause
    assert first.fact.answer
    assert not second.fact.answer
    assert first.fact.id != second.fact.id


def test_the_sealed_part_goes_to_the_target_with_the_childs_fact_only() -> None:
    stage = Stage()
    root = stage.request()
    made = make.declaration(Verb.REDIRECTED, root, stage.referrals[root].need, by=R, details=make.redirected(O))
    redirected, requested = stage.take(made)
    assert made.sealed is not None
    assert (stage.sealed[-1].fact_id, stage.sealed[-1].recipient) == (requested.fact.id, O)
    assert stage.sealed[-1].jwe == sealed_bytes(made.sealed)
    assert redirected.fact.data.sealed_sha256 is None  # type: ignore[union-attr]
    assert requested.fact.data.sealed_sha256 is not None  # type: ignore[union-attr]
    assert len(stage.sealed) == 2


def test_a_redirector_sees_only_that_the_child_was_opened_received_and_how_it_ended() -> None:
    stage = Stage()
    child = redirect(stage, stage.request(), O)
    stage.path(child, Verb.RECEIVED, Verb.ACCEPTED, Verb.WAITLISTED, Verb.STARTED, Verb.COMPLETED, Verb.CLOSED)
    assert stage.seen_by(R, child) == ["requested", "received", "completed", "closed"]
    assert stage.seen_by(S, child) == stage.seen_by(O, child)
    assert len(stage.seen_by(S, child)) == 7
    assert stage.seen_by(T, child) == []


def test_an_earlier_receiver_is_refused_without_hearing_where_the_child_stands() -> None:
    stage = Stage()
    child = redirect(stage, stage.request(), O)
    assert stage.refuses(Verb.ACCEPTED, child, R) == "not-the-recipient"
    assert stage.last.state is None  # type: ignore[union-attr]
    assert stage.refuses(Verb.ACCEPTED, child, T) == "unknown-referral"


@pytest.mark.parametrize(
    ("target", "changes", "reason"),
    [
        ("nobody-knows", {}, "unknown-recipient"),
        (R, {}, "target-is-recipient"),
        (NGO, {}, "authorisation-required"),
        (NGO, {"legal_basis": make.AUTHORISED.model_copy(update={"expires_on": date(2026, 11, 2)})},
         "authorisation-expired"),
        (NGO, {"legal_basis": make.AUTHORISED.model_copy(update={"representative": None})}, "representative-required"),
    ],
)  # fmt: skip
def test_a_child_is_held_to_the_rules_of_its_new_recipient(
    target: str, changes: dict[str, object], reason: str
) -> None:
    stage = Stage()
    root = stage.request()
    sealed = len(stage.sealed)
    assert stage.refuses(Verb.REDIRECTED, root, R, make.redirected(target, **changes)) == reason
    assert len(stage.sealed) == sealed
    assert stage.facts[-1].parties == (R,)


def test_the_id_of_a_child_must_be_new() -> None:
    stage = Stage()
    root, other = stage.request(), stage.request()
    for taken in (root, other):
        assert stage.refuses(Verb.REDIRECTED, root, R, make.redirected(O, child=taken)) == "referral-exists"


def test_a_redirected_parent_is_final() -> None:
    stage = Stage()
    root = stage.request()
    redirect(stage, root, O)
    for verb in (Verb.RECEIVED, Verb.ACCEPTED, Verb.REJECTED, Verb.STARTED, Verb.REDIRECTED):
        assert stage.refuses(verb, root, R) == "wrong-state"
    for verb in (Verb.WITHDRAWN, Verb.CLOSED, Verb.REOPENED):
        assert stage.refuses(verb, root, S) == "wrong-state"


# Competence conflicts


def test_a_loop_opens_a_conflict_and_no_child() -> None:
    stage = Stage()
    child = redirect(stage, stage.request(), O)
    details = make.redirected(R)
    (opened,) = stage.say(Verb.REDIRECTED, child, O, details)
    assert isinstance(opened, ConflictOpenedFact)
    assert opened.details.trigger is ConflictTrigger.LOOP
    assert (opened.details.target, opened.details.parties) == (R, (R, O))
    assert (opened.state, opened.previous) == (State.REQUESTED, State.REQUESTED)
    assert details.child not in stage.referrals
    assert {part.recipient for part in stage.sealed} == {R, O}
    assert stage.refolded() == stage.referrals


def test_sending_it_back_to_who_asked_is_a_loop_of_two() -> None:
    stage = Stage()
    root = stage.request()
    (opened,) = stage.say(Verb.REDIRECTED, root, R, make.redirected(S))
    assert isinstance(opened, ConflictOpenedFact)
    assert opened.details.parties == (R, S)


def test_a_third_hop_opens_a_conflict_and_the_new_target_learns_nothing() -> None:
    stage = Stage()
    second = redirect(stage, redirect(stage, stage.request(), O), T)
    assert stage.referrals[second].hops == 2
    (opened,) = stage.say(Verb.REDIRECTED, second, T, make.redirected(W))
    assert isinstance(opened, ConflictOpenedFact)
    assert opened.details.trigger is ConflictTrigger.THIRD_HOP
    assert opened.details.parties == (R, O, T)
    assert stage.sealed[-1].recipient == T


@pytest.mark.parametrize("verb", [Verb.REJECTED, Verb.RETURNED])
@pytest.mark.parametrize(
    ("reason", "opens"),
    [
        (RefusalReason.NOT_COMPETENT, True),
        (RefusalReason.OUTSIDE_TERRITORY, True),
        (RefusalReason.WRONG_RECIPIENT, True),
        (RefusalReason.NO_CAPACITY, False),
    ],
)
def test_a_second_refusal_of_competence_opens_a_conflict(verb: Verb, reason: RefusalReason, opens: bool) -> None:
    stage = Stage()
    child = redirect(stage, stage.request(), O)
    details = Rejected(reason=reason) if verb is Verb.REJECTED else Returned(reason=reason)
    (fact,) = stage.say(verb, child, O, details)
    assert fact.kind == ("conflict-opened" if opens else verb.value)
    assert (stage.referrals[child].state is State.REQUESTED) is opens


def test_for_a_child_the_first_authority_keeps_responsibility() -> None:
    for changes, responsible in (({}, R), (ADULT, O)):
        stage = Stage()
        conflict = stage.referrals[disputed(stage, **changes)].conflict
        assert conflict is not None
        assert conflict.opened.responsible == responsible


def test_an_ngo_is_no_authority_that_could_keep_responsibility() -> None:
    stage = Stage()
    first = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    second = redirect(stage, first, O)
    stage.say(Verb.REJECTED, second, O, Rejected(reason=RefusalReason.NOT_COMPETENT))
    conflict = stage.referrals[second].conflict
    assert conflict is not None
    assert (conflict.opened.parties, conflict.opened.responsible) == ((NGO, O), O)


def test_a_conflict_is_told_to_personeria_defensoria_and_its_parties() -> None:
    stage = Stage()
    child = disputed(stage)
    fact = stage.facts[-1]
    assert isinstance(fact.fact.data, ConflictOpenedFact)
    assert set(fact.fact.data.told or ()) == {S, W, R, O}
    assert set(fact.parties) == {S, O, W, R}
    assert make.ELSEWHERE not in fact.parties
    stage.say(Verb.ESCALATED, child, W)
    assert W in stage.facts[-1].parties


def test_positions_are_kept_with_the_conflict_and_a_later_one_replaces_the_first() -> None:
    stage = Stage()
    child = disputed(stage)
    for by, competent in ((R, False), (O, False), (O, True)):
        (fact,) = stage.say(Verb.POSITION_STATED, child, by, PositionStated(competent=competent, norm="Ley-1098-2006"))
        assert (fact.kind, fact.state) == ("position-stated", State.REQUESTED)  # type: ignore[union-attr]
        assert {R, O, W, S} <= set(stage.facts[-1].parties)
    conflict = stage.referrals[child].conflict
    assert conflict is not None
    assert {by: position.competent for by, position in conflict.positions.items()} == {R: False, O: True}
    assert stage.refolded() == stage.referrals
    assert stage.refuses(Verb.POSITION_STATED, child, W) == "not-in-the-conflict"
    assert stage.refuses(Verb.ACCEPTED, child, O) == "conflict-open"
    assert stage.refuses(Verb.POSITION_STATED, stage.request(), R) == "no-conflict"


def test_oversight_resolves_for_the_receiver_which_then_may_not_refuse_competence_again() -> None:
    stage = Stage()
    child = disputed(stage)
    (fact,) = stage.say(Verb.CONFLICT_RESOLVED, child, W, resolved(O))
    assert (fact.kind, fact.state) == ("conflict-resolved", State.REQUESTED)  # type: ignore[union-attr]
    one = stage.referrals[child]
    assert (one.conflict, one.competence_decided) == (None, True)
    assert stage.refuses(Verb.REDIRECTED, child, O, make.redirected(T)) == "competence-decided"
    for reason in (RefusalReason.NOT_COMPETENT, RefusalReason.WRONG_RECIPIENT):
        assert stage.refuses(Verb.REJECTED, child, O, Rejected(reason=reason)) == "competence-decided"
    stage.path(child, Verb.RECEIVED, Verb.ACCEPTED, Verb.STARTED, Verb.COMPLETED, Verb.CLOSED)


def test_oversight_resolves_for_another_body_and_the_sender_gives_it_the_content() -> None:
    stage = Stage()
    disputed_one = disputed(stage)
    answer, opened = stage.say(Verb.CONFLICT_RESOLVED, disputed_one, W, resolved(T))
    assert (answer.kind, answer.state) == ("conflict-resolved", State.REDIRECTED)  # type: ignore[union-attr]
    assert isinstance(opened, RequestedFact)
    assert opened.lineage is not None
    assert (opened.lineage.by_resolution, opened.lineage.redirected_by, opened.recipient) == (True, W, T)
    child = stage.facts[-1].fact.referral
    assert child is not None
    assert stage.referrals[child].awaits_content
    assert stage.referrals[child].path == (R, O)
    sealed = len(stage.sealed)
    (given,) = stage.say(Verb.INFORMATION_PROVIDED, child, S)
    assert given.state is State.REQUESTED  # type: ignore[union-attr]
    assert (len(stage.sealed), stage.sealed[-1].recipient) == (sealed + 1, T)
    assert stage.refuses(Verb.INFORMATION_PROVIDED, child, S) == "wrong-state"
    assert stage.refuses(Verb.REDIRECTED, child, T, make.redirected(R)) == "competence-decided"
    stage.path(child, Verb.RECEIVED, Verb.ACCEPTED)
    assert stage.refolded() == stage.referrals


def test_a_resolution_may_send_it_back_to_who_asked() -> None:
    stage = Stage()
    root = stage.request()
    stage.say(Verb.REDIRECTED, root, R, make.redirected(S))
    stage.say(Verb.CONFLICT_RESOLVED, root, W, resolved(S))
    child = stage.facts[-1].fact.referral
    assert child is not None
    one = stage.referrals[child]
    assert (one.sender, one.recipient, one.awaits_content) == (S, S, False)
    stage.path(child, Verb.RECEIVED, Verb.ACCEPTED, Verb.COMPLETED, Verb.CLOSED)


@pytest.mark.parametrize(
    ("by", "competent", "reason"),
    [
        (S, T, "not-oversight"),
        (O, T, "not-oversight"),
        (make.ELSEWHERE, T, "unknown-referral"),
        (W, "nobody-knows", "unknown-recipient"),
        (W, NGO, "authorisation-required"),
    ],
)
def test_who_may_not_resolve_and_for_whom_not(by: str, competent: str, reason: str) -> None:
    stage = Stage()
    child = disputed(stage)
    assert stage.refuses(Verb.CONFLICT_RESOLVED, child, by, resolved(competent)) == reason


def test_nobody_resolves_its_own_conflict() -> None:
    stage = Stage()
    child = redirect(stage, stage.request(), W)
    stage.say(Verb.REJECTED, child, W, Rejected(reason=RefusalReason.NOT_COMPETENT))
    assert stage.refuses(Verb.CONFLICT_RESOLVED, child, W, resolved(T)) == "party-cannot-resolve"


def test_withdrawing_ends_the_conflict() -> None:
    stage = Stage()
    child = disputed(stage)
    stage.say(Verb.WITHDRAWN, child, S)
    assert (stage.referrals[child].state, stage.referrals[child].conflict) == (State.WITHDRAWN, None)


# Revocation and stop duties


def through_three_holders(stage: Stage) -> tuple[UUID, UUID, UUID]:
    """NGO, then two public bodies: the first referral rests on authorisation, the others on their function."""
    first = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    second = redirect(stage, first, O)
    return first, second, redirect(stage, second, T)


@pytest.mark.parametrize("by", [S, NGO, O, T])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_revocation_reaches_every_holder_whoever_declares_it_and_wherever(by: str, place: int) -> None:
    stage = Stage()
    chain = through_three_holders(stage)
    facts = stage.say(Verb.CONSENT_REVOKED, chain[place], by)
    assert facts[0].kind == "consent-revoked"
    duties = [fact for fact in facts if isinstance(fact, StopDutyOpenedFact)]
    assert [fact.details.holder for fact in duties] == [NGO, O, T]
    assert all(stage.referrals[one].stop_duty is StopDuty.OPEN for one in chain)
    assert stage.referrals[chain[0]].revoked
    # What rests on a public function goes on: nobody can take that back.
    assert stage.referrals[chain[2]].state is State.REQUESTED
    assert stage.refolded() == stage.referrals
    assert stage.refuses(Verb.CONSENT_REVOKED, chain[2], S) == "already-revoked"


@pytest.mark.parametrize(
    ("verbs", "state"),
    [
        ((), State.WITHDRAWN),
        ((Verb.RECEIVED, Verb.ACCEPTED, Verb.STARTED), State.WITHDRAWN),
        ((Verb.REJECTED,), State.REJECTED),
        ((Verb.ACCEPTED, Verb.COMPLETED), State.COMPLETED),
        ((Verb.ACCEPTED, Verb.COMPLETED, Verb.CLOSED), State.CLOSED),
        ((Verb.WITHDRAWN,), State.WITHDRAWN),
    ],
)
def test_a_revocation_withdraws_what_is_active_and_reaches_the_rest(verbs: tuple[Verb, ...], state: State) -> None:
    stage = Stage()
    referral = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    stage.path(referral, *verbs)
    stage.say(Verb.CONSENT_REVOKED, referral, S)
    one = stage.referrals[referral]
    assert (one.state, one.stop_duty, one.revoked) == (state, StopDuty.OPEN, True)


def test_a_revocation_needs_an_authorisation() -> None:
    stage = Stage()
    referral = stage.request()
    assert stage.refuses(Verb.CONSENT_REVOKED, referral, S) == "nothing-to-revoke"
    assert stage.refuses(Verb.CONSENT_REVOKED, referral, W) == "not-a-holder"
    voided = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    stage.path(voided, Verb.VOIDED)
    assert stage.refuses(Verb.CONSENT_REVOKED, voided, S) == "wrong-state"


def test_what_was_revoked_is_not_reopened() -> None:
    stage = Stage()
    referral = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    stage.path(referral, Verb.ACCEPTED, Verb.COMPLETED, Verb.CLOSED)
    stage.say(Verb.CONSENT_REVOKED, referral, S)
    assert stage.refuses(Verb.REOPENED, referral, S) == "authorisation-revoked"


def test_every_holder_confirms_for_itself_and_once() -> None:
    stage = Stage()
    first, second, third = through_three_holders(stage)
    assert stage.refuses(Verb.STOP_CONFIRMED, first, NGO) == "no-stop-duty"
    stage.say(Verb.CONSENT_REVOKED, first, S)
    assert stage.refuses(Verb.STOP_CONFIRMED, first, S) == "not-the-recipient"
    assert stage.refuses(Verb.STOP_CONFIRMED, second, NGO) == "not-the-recipient"
    for referral, holder in ((first, NGO), (second, O), (third, T)):
        (fact,) = stage.say(Verb.STOP_CONFIRMED, referral, holder)
        assert fact.kind == "stop-confirmed"
        assert stage.refuses(Verb.STOP_CONFIRMED, referral, holder) == "no-stop-duty"
    # Whoever has confirmed holds nothing any more, and of the others' referrals it hears nothing.
    assert stage.refuses(Verb.ACCEPTED, third, NGO) == "unknown-referral"


def test_a_withdrawal_reaches_everybody_who_had_it_and_a_voiding_only_its_own_receiver() -> None:
    stage = Stage()
    first, second, third = through_three_holders(stage)
    facts = stage.say(Verb.WITHDRAWN, third, S)
    assert [fact.details.holder for fact in facts if isinstance(fact, StopDutyOpenedFact)] == [NGO, O, T]
    stage = Stage()
    first, second, third = through_three_holders(stage)
    facts = stage.say(Verb.VOIDED, second, S)
    assert [fact.details.holder for fact in facts if isinstance(fact, StopDutyOpenedFact)] == [O]
    # Voiding a parent leaves the child.
    assert [stage.referrals[one].state for one in (first, second, third)] == [
        State.REDIRECTED, State.VOIDED, State.REQUESTED,
    ]  # fmt: skip
    stage.path(third, Verb.RECEIVED, Verb.ACCEPTED)
    assert stage.refuses(Verb.VOIDED, second, S) == "wrong-state"


def test_every_open_stop_duty_has_a_holder_that_saw_it() -> None:
    stage = Stage()
    chain = through_three_holders(stage)
    stage.say(Verb.CONSENT_REVOKED, chain[1], O)
    for referral in chain:
        one = stage.referrals[referral]
        assert "stop-duty-opened" in stage.seen_by(one.recipient, referral)


# Asking again


def test_what_is_open_is_not_asked_twice() -> None:
    stage = Stage()
    person = uuid4()
    first = stage.request(person=person)
    again = make.requested(person=person)
    for path in ((), (Verb.RECEIVED, Verb.ACCEPTED), (Verb.STARTED, Verb.COMPLETED)):
        stage.path(first, *path)
        assert stage.refuses(Verb.REQUESTED, uuid4(), S, again) == "duplicate-request"
        assert stage.last.existing == first  # type: ignore[union-attr]
    others: list[dict[str, Any]] = [{"recipient": O}, {"service": Service.CHILD_LABOUR}, {"person": uuid4()}]
    for other in others:
        stage.request(**({"person": person} | other))
    # Another institution's reference of a person means nothing here.
    stage.request(by=T, person=person)
    stage.path(first, Verb.CLOSED)
    following = stage.request(person=person)
    assert stage.referrals[following].follows == first


@pytest.mark.parametrize("verb", [Verb.REJECTED, Verb.RETURNED])
def test_what_was_refused_is_asked_again_as_a_new_one_that_names_it(verb: Verb) -> None:
    stage = Stage()
    person = uuid4()
    first = stage.request(person=person)
    stage.path(first, verb)
    assert stage.refuses(Verb.REQUESTED, uuid4(), S, make.requested(person=person)) == "duplicate-request"
    better = stage.request(person=person, follows=first)
    assert stage.referrals[better].follows == first
    assert stage.referrals[better].parent is None


def test_a_former_referral_is_the_senders_own_and_of_the_same_person() -> None:
    stage = Stage()
    person = uuid4()
    mine, another = stage.request(person=person), stage.request(by=T, person=person)
    stage.path(mine, Verb.REJECTED)
    for former in (uuid4(), another, stage.request()):
        details = make.requested(person=person, follows=former)
        assert stage.refuses(Verb.REQUESTED, uuid4(), S, details) == "former-unknown"


def test_several_referrals_of_one_need_are_one_group() -> None:
    stage = Stage()
    need, person = uuid4(), uuid4()
    for recipient in (R, O, T):
        stage.request(need=need, person=person, recipient=recipient)
    assert {one.recipient for one in stage.referrals.values() if one.need == need} == {R, O, T}


def test_only_a_request_has_no_referral() -> None:
    made = make.declaration(Verb.RECEIVED, uuid4(), uuid4(), by=R)
    with pytest.raises(ValueError, match="only a request"):
        effects(None, made, None, (), make.MEMBERS, new_id=uuid4())  # type: ignore[arg-type]


def test_a_child_is_asked_as_its_root_was() -> None:
    stage = Stage()
    root = stage.request()
    child = redirect(stage, root, O)
    asked: Requested = stage.referrals[child].request
    changed = {"recipient": O, "legal_basis": make.PUBLIC}
    assert asked == stage.referrals[root].request.model_copy(update=changed)
