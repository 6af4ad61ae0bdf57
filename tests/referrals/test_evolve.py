"""How a fact changes what is known of a referral: never out of order, and with its own time."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from contracts.applied import AppliedFact
from contracts.codec import Declaration
from contracts.values import Verb
from services.referrals.referral import evolve
from tests.referrals.acting import NGO, O, R, S, T, W, disputed
from tests.referrals.stage import Stage
from tests.support import builders as make


def facts_of(stage: Stage, referral: UUID) -> list[AppliedFact]:
    return [one.fact.data for one in stage.facts if one.fact.referral == referral]  # type: ignore[misc]


def test_facts_are_never_skipped_nor_repeated() -> None:
    stage = Stage()
    referral = stage.request()
    stage.path(referral, Verb.RECEIVED, Verb.ACCEPTED)
    need = stage.referrals[referral].need
    requested, received, accepted = facts_of(stage, referral)
    one = evolve(None, referral, need, requested)
    assert evolve(evolve(one, referral, need, received), referral, need, accepted) == stage.referrals[referral]
    for before, fact in ((one, requested), (None, requested.model_copy(update={"version": 2}))):
        with pytest.raises(ValueError, match=r"^a referral is requested once, as its first version"):
            evolve(before, referral, need, fact)
    for before, fact in ((None, received), (one, accepted), (one, received.model_copy(update={"version": 1}))):
        with pytest.raises(ValueError, match=r"^a fact follows the version before it"):
            evolve(before, referral, need, fact)


def test_a_referral_knows_when_it_was_opened_and_last_changed_and_a_chain_from_when_it_counts() -> None:
    stage, need = Stage(), uuid4()
    root, first, second = uuid4(), make.redirected(O), make.redirected(T)

    def at(hour: int, made: Declaration) -> datetime:
        record = make.record(made, offset=hour)
        now = make.NOW + timedelta(hours=hour)
        stage.batch([replace(record, timestamp=int(now.timestamp() * 1000))])
        return now

    opened = at(0, make.declaration(Verb.REQUESTED, root, need, by=S))
    received = at(1, make.declaration(Verb.RECEIVED, root, need, by=R))
    assert (stage.referrals[root].opened_at, stage.referrals[root].changed_at) == (opened, received)
    sent_on = at(2, make.declaration(Verb.REDIRECTED, root, need, by=R, details=first))
    again = at(3, make.declaration(Verb.REDIRECTED, first.child, need, by=O, details=second))
    child, grandchild = stage.referrals[first.child], stage.referrals[second.child]
    assert (child.opened_at, child.changed_at, child.clock_from) == (sent_on, again, opened)
    assert (grandchild.opened_at, grandchild.changed_at, grandchild.clock_from) == (again, again, opened)


def test_flags_are_set_and_stay() -> None:
    stage = Stage()
    referral = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    assert stage.referrals[referral].escalated is False
    stage.say(Verb.ESCALATED, referral, W)
    stage.path(referral, Verb.ACCEPTED)
    assert stage.referrals[referral].escalated is True
    assert stage.referrals[referral].revoked is False
    child = disputed(stage)
    stage.say(Verb.CONFLICT_RESOLVED, child, W)
    opened = next(one for one in stage.referrals.values() if one.parent == child)
    assert opened.awaits_content is True
    stage.say(Verb.INFORMATION_PROVIDED, opened.id, S)
    assert stage.referrals[opened.id].awaits_content is False
