"""What every part gets for every verb in every state, as ``lifecycle.decide`` answers it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from contracts.competence import ConflictOpened, ConflictTrigger
from contracts.reasons import RefusalReason
from contracts.values import Refusal, Service, State, Urgency, Verb
from services.referrals.lifecycle import TRANSITIONS, Condition, Party, Transition, decide
from services.referrals.referral import Conflict, Referral, StopDuty

_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_NOBODY = UUID(int=0)
_DISPUTE = Conflict(
    opened=ConflictOpened(
        trigger=ConflictTrigger.LOOP,
        declared=Verb.REDIRECTED,
        reason=RefusalReason.NOT_COMPETENT,
        parties=("recipient",),
        responsible="recipient",
    ),
    opened_at=_LONG_AGO,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One answer. ``state`` None: the referral does not exist yet; ``part`` None: whoever has no part in it.

    A condition of the transition is met; ``lifecycle.Condition`` names it.
    """

    state: State | None
    verb: Verb
    part: Party | None
    answer: Transition | Refusal


def standing(state: State, condition: Condition | None = None) -> Referral:
    """A referral in a state in which a condition is met. The parties are nobody."""
    held = {State.AWAITING_INFORMATION: State.RECEIVED, State.WAITLISTED: State.ACCEPTED}
    return Referral(
        id=_NOBODY,
        version=1,
        state=state,
        sender="sender",
        recipient="recipient",
        need=_NOBODY,
        person=_NOBODY,
        service=Service.LEGAL_ADVICE,
        urgency=Urgency.U3,
        opened_at=_LONG_AGO,
        changed_at=_LONG_AGO,
        root=_NOBODY,
        parent=None,
        path=(),
        redirected_by=None,
        clock_from=_LONG_AGO,
        follows=None,
        asked="",
        held_from=held.get(state),
        stop_duty=StopDuty.OPEN if condition is Condition.STOP_DUTY else None,
        awaits_content=condition is Condition.CONTENT_AWAITED,
        conflict=_DISPUTE if condition is Condition.CONFLICT else None,
    )


def cells() -> Iterator[Cell]:
    """Every state × verb × part, in the order of the contracts."""
    disputed = {verb for (_, verb), transition in TRANSITIONS.items() if transition.when is Condition.CONFLICT}
    for verb in Verb:
        opens = Party.SENDER if verb is Verb.REQUESTED else None
        yield Cell(None, verb, opens, decide(None, verb, frozenset({opens} if opens else ())))
        for state in State:
            transition = TRANSITIONS.get((state, verb))
            condition = transition.when if transition else Condition.CONFLICT if verb in disputed else None
            referral = standing(state, condition)
            for part in (*Party, None):
                yield Cell(state, verb, part, decide(referral, verb, frozenset({part} if part else ())))
