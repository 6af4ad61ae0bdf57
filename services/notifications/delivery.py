"""What follows from an attempt to send: done, once more at a certain time, or given up. Pure: ``now`` is given."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.receipts import DeliveryProblem, ReceiptStatus
from contracts.values import Urgency

FIRST_RETRY = timedelta(seconds=2)
"""Our mail server is a relay near by: most trouble is a restart and over in seconds."""

LONGEST_WAIT = timedelta(minutes=15)
LONGEST_WAIT_URGENT = timedelta(minutes=2)
"""For U0 and U1, whose own terms are counted in hours."""

TRIED_FOR = timedelta(days=5)
"""RFC 5321 section 4.5.4.1: the give-up time is at least four to five days."""

_URGENT = frozenset({Urgency.U0, Urgency.U1})


@dataclass(frozen=True, slots=True)
class Sent:
    """The server took responsibility; ``code`` is its reply after the message."""

    code: int


@dataclass(frozen=True, slots=True)
class NotSent:
    """The attempt failed; ``code`` is the server's reply if there was one."""

    problem: DeliveryProblem
    code: int | None = None


Result = Sent | NotSent


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is recorded of an attempt; ``wait`` is set exactly when another follows."""

    status: ReceiptStatus
    attempt: int
    code: int | None
    problem: DeliveryProblem | None
    wait: timedelta | None


def next_attempt(attempts: int, since: datetime, now: datetime, urgency: Urgency | None) -> datetime | None:
    """When to try again after ``attempts`` failures, the alert being due ``since``; None to give up.

    Waits double from FIRST_RETRY up to a bound that depends on the urgency, and end TRIED_FOR after ``since``.
    """
    longest = LONGEST_WAIT_URGENT if urgency in _URGENT else LONGEST_WAIT
    # Bounded before the power is taken: attempts may be in the thousands.
    wait = min(FIRST_RETRY * 2 ** min(max(attempts, 1) - 1, 16), longest)
    return now + wait if now + wait <= since + TRIED_FOR else None


def settle(attempts_before: int, since: datetime, now: datetime, urgency: Urgency | None, result: Result) -> Settlement:
    """The settlement of one more attempt. A message that is refused for good is not tried again."""
    attempt = attempts_before + 1
    if isinstance(result, Sent):
        return Settlement(ReceiptStatus.SENT, attempt, result.code, None, None)
    again = None
    if result.problem is not DeliveryProblem.REFUSED:
        again = next_attempt(attempt, since, now, urgency)
    status = ReceiptStatus.UNDELIVERABLE if again is None else ReceiptStatus.FAILED
    return Settlement(status, attempt, result.code, result.problem, again - now if again else None)
