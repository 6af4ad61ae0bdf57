"""Competence conflicts: what opens one, who is told, who answers meanwhile, and how it ends."""

import pytest

from contracts.applied import ConflictOpenedFact, RequestedFact
from contracts.competence import ConflictTrigger, PositionStated
from contracts.declarations import Rejected, Returned
from contracts.directory import Kind
from contracts.reasons import RefusalReason
from contracts.values import State, Verb
from tests.referrals.acting import ADULT, NGO, O, R, S, T, W, disputed, redirect, resolved
from tests.referrals.stage import Stage
from tests.support import builders as make


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


@pytest.mark.parametrize(
    "begun", [(Verb.RECEIVED,), (Verb.ACCEPTED,), (Verb.ACCEPTED, Verb.STARTED), (Verb.ACCEPTED, Verb.WAITLISTED)]
)
def test_the_content_is_still_given_to_whoever_began_without_it(begun: tuple[Verb, ...]) -> None:
    stage = Stage()
    stage.say(Verb.CONFLICT_RESOLVED, disputed(stage), W, resolved(T))
    child = stage.facts[-1].fact.referral
    assert child is not None
    stage.path(child, *begun)
    state = stage.referrals[child].state
    stage.say(Verb.INFORMATION_PROVIDED, child, S)
    assert (stage.referrals[child].state, stage.referrals[child].awaits_content) == (state, False)
    assert stage.sealed[-1].recipient == T
    assert stage.refuses(Verb.INFORMATION_PROVIDED, child, S) == "wrong-state"


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


def test_the_words_of_a_refusal_that_is_disputed_reach_the_sender_only() -> None:
    stage = Stage()
    child = redirect(stage, stage.request(), O)
    before = len(stage.sealed)
    stage.say(Verb.REJECTED, child, O, Rejected(reason=RefusalReason.NOT_COMPETENT), seal_it=True)
    assert [part.recipient for part in stage.sealed[before:]] == [S]


def test_the_words_of_a_resolution_reach_the_sender_and_not_the_body_that_it_names() -> None:
    """What oversight has sealed is no content for the new receiver: that comes from the sender."""
    stage = Stage()
    child = disputed(stage)
    before = len(stage.sealed)
    answer, opened = stage.say(Verb.CONFLICT_RESOLVED, child, W, resolved(T), seal_it=True)
    assert (answer.kind, opened.kind) == ("conflict-resolved", "requested")
    assert [part.recipient for part in stage.sealed[before:]] == [S]


def test_what_is_resolved_elsewhere_waits_for_nothing_any_more() -> None:
    stage = Stage()
    child = redirect(stage, stage.request(), O)
    stage.path(child, Verb.RECEIVED, Verb.INFORMATION_REQUESTED)
    stage.say(Verb.REJECTED, child, O, Rejected(reason=RefusalReason.NOT_COMPETENT))
    assert stage.referrals[child].held_from is State.RECEIVED
    stage.say(Verb.CONFLICT_RESOLVED, child, W, resolved(T))
    assert (stage.referrals[child].state, stage.referrals[child].held_from) == (State.REDIRECTED, None)


def test_oversight_that_disciplines_sees_a_conflict_and_is_told_how_it_goes_on() -> None:
    """That one was opened is told to the Personería and the Defensoría (DESIGN §4); every body of oversight sees it."""
    watching = make.institution("procuraduria-santander", Kind.DISCIPLINARY, territory=("68",), oversight=True)
    stage = Stage({**make.MEMBERS, watching.code: watching})
    child = disputed(stage)
    opened = stage.facts[-1]
    assert watching.code in opened.parties
    assert set(getattr(opened.fact.data, "told", ())) == {S, W, R, O}
    for verb, by in ((Verb.POSITION_STATED, R), (Verb.CONFLICT_RESOLVED, W)):
        stage.say(verb, child, by)
        answer = next(one for one in reversed(stage.facts) if one.fact.data.kind == verb.value)
        told = {watching.code, W, R, O} | ({S} if verb is Verb.CONFLICT_RESOLVED else set())
        assert set(getattr(answer.fact.data, "told", ())) == told
        assert {watching.code, W, R, O} <= set(answer.parties)
