"""Redirections: the child, its clock, its content, and who sees it."""

from datetime import date

import pytest

from contracts.codec import sealed_bytes
from contracts.values import State, Verb
from tests.referrals.acting import NGO, O, R, S, T, W, redirect
from tests.referrals.stage import Stage
from tests.support import builders as make


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


def test_a_redirector_sees_its_own_child_and_not_the_childs_child() -> None:
    stage = Stage()
    child = redirect(stage, stage.request(), O)
    beyond = redirect(stage, child, T)
    stage.path(beyond, Verb.RECEIVED, Verb.ACCEPTED, Verb.COMPLETED)
    assert stage.seen_by(R, child) == ["requested", "redirected"]
    assert stage.seen_by(O, beyond) == ["requested", "received", "completed"]
    assert stage.seen_by(R, beyond) == []


@pytest.mark.parametrize(("verb", "by", "to"), [(Verb.ACCEPTED, R, S), (Verb.WITHDRAWN, S, R), (Verb.ESCALATED, W, S)])
def test_a_sealed_part_goes_to_the_other_party(verb: Verb, by: str, to: str) -> None:
    stage = Stage()
    referral = stage.request()
    before = len(stage.sealed)
    stage.say(verb, referral, by, seal_it=True)
    assert [part.recipient for part in stage.sealed[before:]] == [to]
