"""Facts of every kind, between two institutions, for tests of notices."""

from typing import Any
from uuid import UUID, uuid4

from contracts import facts, story, topics
from contracts.applied import APPLIED, Actor, Cause, ConflictOpenedFact, StopDutyOpenedFact
from contracts.codec import Located, Record
from contracts.facts import Fact
from contracts.values import AuthType, Problem, Refusal, State, Verb
from tests.support import builders as make

SENDER, RECIPIENT = make.SENDER, make.RECIPIENT

BY_SENDER = frozenset(verb for verb in Verb if story.BY.get(verb) == story.SENDER)
BY_OVERSIGHT = frozenset(verb for verb in Verb if story.BY.get(verb) == story.OVERSIGHT)


def cause(owner: str, offset: int = 7) -> Cause:
    return Cause(
        cluster="test-cluster",
        topic=topics.inbound(owner),
        topic_id=f"id-of-{owner}",
        partition=0,
        offset=offset,
        owner=owner,
        event=uuid4(),
        sha256="ab" * 32,
    )


def applied(
    verb: Verb,
    *,
    referral: UUID | None = None,
    owner: str | None = None,
    told: tuple[str, ...] | None = None,
    **details: Any,
) -> Fact:
    """A fact of an applied declaration; ``owner`` is who declared it, by default a party that may."""
    asked = make.requested(**details) if verb is Verb.REQUESTED else make.default_details(verb)
    recipient = asked.recipient if verb is Verb.REQUESTED else RECIPIENT  # type: ignore[union-attr]
    by = SENDER if verb in BY_SENDER else make.OVERSIGHT if verb in BY_OVERSIGHT else recipient
    fields = _fields(owner or by, recipient, story.MOVES[verb][1], told) | {"details": asked}
    return _fact(APPLIED[verb](**fields), referral or uuid4())


def conflict_opened(told: tuple[str, ...] = (make.OVERSIGHT,), owner: str = RECIPIENT) -> Fact:
    fields = _fields(owner, RECIPIENT, State.RECEIVED, told)
    return _fact(ConflictOpenedFact(**fields, details=story.CONFLICT), uuid4())


def stop_duty_opened(owner: str = SENDER) -> Fact:
    fields = _fields(owner, RECIPIENT, State.WITHDRAWN, None)
    return _fact(StopDutyOpenedFact(**fields, details=story.STOP_DUTY), uuid4())


def _fields(owner: str, recipient: str, state: State, told: tuple[str, ...] | None) -> dict[str, Any]:
    return {
        "cause": cause(owner),
        "actor": Actor(type=AuthType.USER, id="official-1"),
        "version": 1,
        "state": state,
        "sender": SENDER,
        "recipient": recipient,
        "received_at": make.NOW,
        "declared_at": make.NOW,
        "told": told,
        "sealed_sha256": "cd" * 32,
    }


def refused(owner: str = SENDER, referral: UUID | None = None, reason: Refusal = Refusal.WRONG_STATE) -> Fact:
    data = facts.RefusedFact(
        cause=cause(owner), verb=Verb.ACCEPTED, reason=reason, received_at=make.NOW, declared_at=make.NOW
    )
    return _fact(data, referral or uuid4())


def conflict(owner: str = SENDER) -> Fact:
    return _fact(facts.ConflictFact(cause=cause(owner), first=uuid4(), received_at=make.NOW), uuid4())


def duplicate(owner: str = SENDER) -> Fact:
    data = facts.DuplicateFact(cause=cause(owner), first=uuid4(), first_outcome="applied", received_at=make.NOW)
    return _fact(data, uuid4())


def quarantined(owner: str = SENDER, problem: Problem = Problem.JSON_INVALID, detail: str = "") -> Fact:
    data = facts.QuarantinedFact(cause=cause(owner), problem=problem, detail=detail, received_at=make.NOW)
    return _fact(data, None)


def parked(owner: str = SENDER) -> Fact:
    data = facts.ParkedFact(cause=cause(owner), verb=Verb.ACCEPTED, received_at=make.NOW, declared_at=make.NOW)
    return _fact(data, uuid4())


def every_kind() -> list[Fact]:
    """One fact of every kind there is."""
    failures = [refused(), conflict(), duplicate(), quarantined(), parked()]
    return [*(applied(verb) for verb in APPLIED), conflict_opened(), stop_duty_opened(), *failures]


def located(fact: Fact, offset: int = 0) -> Located:
    """The fact as a record of the facts topic."""
    record = Record(
        topics.FACTS, 0, offset, int(make.NOW.timestamp() * 1000), fact.key, tuple(fact.headers()), fact.value()
    )
    return Located(record, "test-cluster", "id-of-facts")


def _fact(data: Any, referral: UUID | None) -> Fact:
    return Fact(id=uuid4(), time=make.NOW, referral=referral, need=referral and uuid4(), data=data)
