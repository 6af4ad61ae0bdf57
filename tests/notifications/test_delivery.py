"""What follows from an attempt: waits that grow to a bound, an end, and refusals that end it at once."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.receipts import DeliveryProblem, ReceiptStatus
from contracts.values import Urgency
from services.notifications import delivery
from services.notifications.delivery import NotSent, Sent, next_attempt, settle
from tests.support.builders import NOW

TEMPORARY = [problem for problem in DeliveryProblem if problem is not DeliveryProblem.REFUSED]


@pytest.mark.parametrize("urgency", [None, *Urgency])
def test_waits_grow_to_their_bound(urgency: Urgency | None) -> None:
    times = [next_attempt(attempts, NOW, NOW, urgency) for attempts in range(1, 40)]
    waits = [at - NOW for at in times if at is not None]
    assert len(waits) == 39
    assert waits[0] == delivery.FIRST_RETRY
    assert all(later >= earlier for earlier, later in pairwise(waits))
    urgent = urgency in (Urgency.U0, Urgency.U1)
    assert waits[-1] == (delivery.LONGEST_WAIT_URGENT if urgent else delivery.LONGEST_WAIT)


@given(attempts=st.integers(0, 10**9), age=st.timedeltas(timedelta(0), timedelta(days=30)))
def test_another_attempt_is_soon_and_never_after_the_end(attempts: int, age: timedelta) -> None:
    now = NOW + age
    again = next_attempt(attempts, NOW, now, None)
    if again is None:
        assert age > delivery.TRIED_FOR - delivery.LONGEST_WAIT
    else:
        assert now + delivery.FIRST_RETRY <= again <= now + delivery.LONGEST_WAIT
        assert again <= NOW + delivery.TRIED_FOR


@pytest.mark.parametrize("problem", TEMPORARY)
def test_temporary_trouble_is_tried_again_until_the_end(problem: DeliveryProblem) -> None:
    settled = settle(0, NOW, NOW, None, NotSent(problem, 451))
    assert (settled.status, settled.attempt, settled.code) == (ReceiptStatus.FAILED, 1, 451)
    assert settled.wait == delivery.FIRST_RETRY
    ended = settle(700, NOW, NOW + delivery.TRIED_FOR, None, NotSent(problem))
    assert (ended.status, ended.attempt, ended.wait) == (ReceiptStatus.UNDELIVERABLE, 701, None)


def test_a_refusal_for_good_ends_it_at_once() -> None:
    settled = settle(0, NOW, NOW, Urgency.U0, NotSent(DeliveryProblem.REFUSED, 550))
    assert (settled.status, settled.wait, settled.code) == (ReceiptStatus.UNDELIVERABLE, None, 550)


def test_sent_is_the_end() -> None:
    settled = settle(3, NOW, NOW + timedelta(days=30), None, Sent(250))
    assert (settled.status, settled.attempt, settled.wait, settled.problem) == (ReceiptStatus.SENT, 4, None, None)
