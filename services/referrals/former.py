"""Asking again: the same service of the same body for the same person. Pure.

What is still open is not asked twice: the existing referral is named instead. What was rejected or returned is asked
again, better, as a new referral that names the former one; after one that has ended, the new one is linked to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.declarations import Requested
from contracts.values import Refusal, Service, State
from services.referrals.referral import ENDED

ANSWERED = frozenset({State.REJECTED, State.RETURNED})


@dataclass(frozen=True, slots=True)
class Former:
    """A referral that a sender already made for a person."""

    id: UUID
    recipient: str
    service: Service
    state: State
    opened_at: datetime


def existing(asked: Requested, formers: Iterable[Former]) -> UUID | None:
    """The open referral that asks the same; None if there is none, or if it was refused and is named as the former.

    Whoever names the last that was refused has seen those before it, so these are not in the way either.
    """
    same = sorted((one for one in _same(asked, formers) if one.state not in ENDED), key=lambda one: one.opened_at)
    named = next((one for one in same if one.id == asked.follows), None)
    left = [one for one in same if named is None or one.state not in ANSWERED or one.opened_at > named.opened_at]
    return left[-1].id if left else None


def follows(asked: Requested, formers: Iterable[Former]) -> UUID | Refusal | None:
    """The former referral that a request is linked to: the one that it names, else the last that asked the same.

    A refusal when it names one that the sender never made for this person.
    """
    formers = tuple(formers)
    if asked.follows is not None:
        return asked.follows if any(one.id == asked.follows for one in formers) else Refusal.FORMER_UNKNOWN
    ended = [one for one in _same(asked, formers) if one.state in (State.CLOSED, State.WITHDRAWN, State.REDIRECTED)]
    return max(ended, key=lambda one: (one.opened_at, one.id)).id if ended else None


def _same(asked: Requested, formers: Iterable[Former]) -> Iterable[Former]:
    return (one for one in formers if one.recipient == asked.recipient and one.service is asked.service)
