"""Duplicates, re-referrals, and what a chain asks of each of its referrals."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.declarations import Requested
from contracts.values import Service, State, Verb
from services.referrals.effects import effects
from services.referrals.former import Former, existing, follows
from tests.referrals.acting import O, R, S, T, redirect
from tests.referrals.stage import Stage
from tests.support import builders as make


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
    # The first has ended; the second is open, and it is the one that is named.
    assert stage.refuses(Verb.REQUESTED, uuid4(), S, again) == "duplicate-request"
    assert stage.last.existing == following  # type: ignore[union-attr]


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


def test_what_was_refused_more_than_once_is_asked_again_by_naming_the_last() -> None:
    stage = Stage()
    person = uuid4()
    last: UUID | None = None
    for verb in (Verb.REJECTED, Verb.RETURNED, Verb.REJECTED):
        before, last = last, stage.request(person=person, follows=last)
        assert stage.referrals[last].follows == before
        stage.path(last, verb)


def test_whoever_names_an_older_one_or_none_is_told_of_the_last_that_was_refused() -> None:
    asked = make.requested()
    first, second, third = (
        Former(UUID(int=4 - number), asked.recipient, asked.service, State.REJECTED, make.NOW + timedelta(days=number))
        for number in (1, 2, 3)
    )
    for formers in permutations((first, second, third)):
        for named in (None, first, second):
            assert existing(asked.model_copy(update={"follows": named and named.id}), formers) == third.id
        assert existing(asked.model_copy(update={"follows": third.id}), formers) is None
    unanswered = replace(first, state=State.RECEIVED)
    assert existing(asked.model_copy(update={"follows": third.id}), (unanswered, second, third)) == first.id


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
    with pytest.raises(ValueError, match=r"^only a request"):
        effects(None, made, None, (), make.MEMBERS, new_id=uuid4())  # type: ignore[arg-type]


def test_a_child_is_asked_as_its_root_was() -> None:
    stage = Stage()
    root = stage.request()
    child = redirect(stage, root, O)
    asked: Requested = stage.referrals[child].request
    changed = {"recipient": O, "legal_basis": make.PUBLIC}
    assert asked == stage.referrals[root].request.model_copy(update=changed)


def test_of_several_that_have_ended_the_last_is_followed() -> None:
    """The last by the time of receipt: ids are no order, institutions choose them."""
    asked = make.requested()
    ended = [
        Former(UUID(int=number), asked.recipient, asked.service, State.CLOSED, make.NOW - timedelta(days=days))
        for number, days in ((3, 9), (1, 2), (2, 5))
    ]
    assert follows(asked, ended) == UUID(int=1)
    assert existing(asked, ended) is None


def test_a_child_follows_nobody() -> None:
    stage = Stage()
    person = uuid4()
    first = stage.request(person=person)
    stage.path(first, Verb.RETURNED)
    again = stage.request(person=person, follows=first)
    child = redirect(stage, again, O)
    assert stage.referrals[again].request.follows == stage.referrals[again].follows == first
    assert stage.referrals[child].request.follows is stage.referrals[child].follows is None
