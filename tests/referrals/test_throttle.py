"""Garbage slows its own topic down, by as much as it is too much."""

from dataclasses import replace
from uuid import uuid4

from contracts.values import Verb
from services.referrals.fold import Folded
from services.referrals.throttle import BURST, PER_SECOND, Throttle
from tests.referrals.test_fold import path, take
from tests.support import builders as make


def batch(garbage: int) -> Folded:
    """So many unreadable records of one institution, and a request of another."""
    bad = replace(make.record(make.declaration(Verb.RECEIVED, uuid4(), uuid4(), by=make.OTHER)), value=b"{")
    records = [replace(bad, offset=offset) for offset in range(garbage)]
    return take([*records, *path(uuid4(), uuid4(), (Verb.REQUESTED,))])


def test_a_mistake_or_two_slow_nobody() -> None:
    throttle = Throttle()
    assert [list(throttle.pauses(batch(PER_SECOND), now)) for now in range(30)] == [[]] * 30


def test_a_flood_pauses_its_topic_until_it_is_worth_no_more_than_it_may_be() -> None:
    throttle = Throttle()
    topic = make.record(make.declaration(Verb.RECEIVED, uuid4(), uuid4(), by=make.OTHER)).topic
    assert list(throttle.pauses(batch(BURST), 0.0)) == []
    assert list(throttle.pauses(batch(PER_SECOND * 3), 0.0)) == [(topic, 3.0)]
    assert list(throttle.pauses(batch(PER_SECOND), 3.0)) == [(topic, 1.0)]
    assert list(throttle.pauses(batch(1), 1000.0)) == []
