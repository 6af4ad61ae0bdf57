"""What happens in a demonstration: one story per referral, drawn from a seed. Pure.

A story is the steps that its institutions take in turn. Some institutions also make the mistakes that real
ones make: they send a record twice, reuse an id, answer in the wrong state or send something unreadable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from random import Random
from uuid import UUID

from contracts.declarations import (
    Accepted,
    Closed,
    Completed,
    Details,
    Received,
    Rejected,
    Requested,
    Returned,
    Started,
    Territories,
    Withdrawn,
)
from contracts.directory import Directory, Institution
from contracts.legal import Assent, AuthorisationChannel, LegalBasis, Representative
from contracts.moments import local_date
from contracts.reasons import NeedResult, Outcome, RefusalReason, WithdrawalReason
from contracts.values import Basis, DataClass, DocumentType, FirstAction, Flag, Service, Urgency, Verb

CANARY = "PERSONA-INVENTADA"
"""Begins every name in the demonstration's sealed parts and stands in its unreadable records, but nowhere else."""

MUNICIPALITIES = ("68001", "68276", "68307", "68547")

PATHS: tuple[tuple[int, tuple[Verb, ...]], ...] = (
    (50, (Verb.REQUESTED, Verb.RECEIVED, Verb.ACCEPTED, Verb.STARTED, Verb.COMPLETED, Verb.CLOSED)),
    (12, (Verb.REQUESTED, Verb.RECEIVED, Verb.ACCEPTED, Verb.STARTED)),
    (8, (Verb.REQUESTED, Verb.ACCEPTED, Verb.COMPLETED, Verb.CLOSED)),
    (10, (Verb.REQUESTED, Verb.RECEIVED, Verb.REJECTED, Verb.CLOSED)),
    (8, (Verb.REQUESTED, Verb.RETURNED, Verb.CLOSED)),
    (6, (Verb.REQUESTED, Verb.RECEIVED, Verb.WITHDRAWN)),
    (6, (Verb.REQUESTED,)),
)
"""How often each path is taken, in hundredths: more than a quarter of real referrals stay without an end."""

SENDERS_STEPS = frozenset({Verb.REQUESTED, Verb.WITHDRAWN, Verb.CLOSED})


class Mistake(StrEnum):
    """What the sender does wrong beside its proper request, and the outcome that it must get."""

    SENT_TWICE = "duplicate"
    ID_REUSED = "conflict"
    WRONG_STATE = "refused"
    UNREADABLE = "quarantined"


@dataclass(frozen=True, slots=True)
class Story:
    """One referral: who asks whom, which steps are taken, and the sender's mistake if it makes one."""

    referral: UUID
    need: UUID
    sender: str
    recipient: str
    request: Requested
    path: tuple[Verb, ...]
    mistake: Mistake | None = None

    def step_after(self, version: int) -> tuple[Verb, str] | None:
        """The verb that follows the referral's ``version``-th change and who declares it; None at the end."""
        if version >= len(self.path):
            return None
        verb = self.path[version]
        return verb, self.sender if verb in SENDERS_STEPS else self.recipient


def draw(directory: Directory, count: int, seed: int, now: datetime) -> tuple[Story, ...]:
    """``count`` stories in which every institution asks and is asked, as far as the count allows."""
    random = Random(seed)  # noqa: S311 - a demonstration that can be repeated
    senders, recipients = list(directory.institutions), list(directory.institutions)
    random.shuffle(senders)
    random.shuffle(recipients)
    stories, today = [], local_date(now)
    for number in range(count):
        sender = senders[number % len(senders)]
        # Every round of senders meets the recipients one place further on.
        turn = number + number // len(senders)
        recipient = recipients[turn % len(recipients)]
        if recipient is sender:
            recipient = recipients[(turn + 1) % len(recipients)]
        stories.append(_story(random, number, sender, recipient, today))
    return tuple(stories)


def _story(random: Random, number: int, sender: Institution, recipient: Institution, today: date) -> Story:
    weights, paths = zip(*PATHS, strict=True)
    mistakes: Sequence[Mistake] = tuple(Mistake)
    return Story(
        referral=_uuid(random),
        need=_uuid(random),
        sender=sender.code,
        recipient=recipient.code,
        request=_request(random, recipient, today),
        path=random.choices(paths, weights)[0],
        # Every tenth sender makes one of the mistakes, each in turn, so that all of them occur.
        mistake=mistakes[number // 10 % len(mistakes)] if number % 10 == 9 else None,
    )


def _request(random: Random, recipient: Institution, today: date) -> Requested:
    service = random.choice(recipient.services or tuple(Service))
    child = service.value.startswith("child.") or random.random() < 0.2
    return Requested(
        recipient=recipient.code,
        service=service,
        urgency=random.choices(tuple(Urgency), (5, 25, 30, 40))[0],
        territories=Territories(residence=random.choice(MUNICIPALITIES), service=random.choice(MUNICIPALITIES)),
        person=_uuid(random),
        flags=(Flag.CHILD,) if child else (),
        document_types=(random.choice(tuple(DocumentType)),),
        legal_basis=_basis(recipient, today, child),
    )


def _basis(recipient: Institution, today: date, child: bool) -> LegalBasis:
    if recipient.kind.public:
        return LegalBasis(basis=Basis.PUBLIC_FUNCTION, norm="Ley-1581-2012-art-10")
    given = authorised(today)
    if not child:
        return given
    return given.model_copy(update={"representative": Representative.PARENT, "assent": Assent.GIVEN})


def authorised(today: date) -> LegalBasis:
    """An adult's authorisation, given today in person."""
    return LegalBasis(
        basis=Basis.AUTHORISATION,
        text_version="mesa-2026-1",
        channel=AuthorisationChannel.IN_PERSON,
        given_on=today,
        languages=("es",),
        data_classes=(DataClass.IDENTITY, DataClass.CONTACT),
    )


def details(story: Story, verb: Verb, now: datetime) -> Details:
    """What a step carries that is taken ``now``."""
    today = local_date(now)
    match verb:
        case Verb.REQUESTED:
            return story.request
        case Verb.RECEIVED:
            return Received()
        case Verb.ACCEPTED:
            return Accepted(unit="equipo-1", planned_on=today + timedelta(days=2))
        case Verb.STARTED:
            return Started(first_action=FirstAction.INTERVIEW, on=today)
        case Verb.COMPLETED:
            return Completed(outcome=Outcome.SERVICE_PROVIDED, on=today)
        case Verb.REJECTED:
            return Rejected(reason=RefusalReason.NO_CAPACITY)
        case Verb.RETURNED:
            return Returned(reason=RefusalReason.INSUFFICIENT_INFORMATION)
        case Verb.WITHDRAWN:
            return Withdrawn(reason=WithdrawalReason.PERSON_DESISTS)
        case Verb.CLOSED:
            return Closed(result=NeedResult.MET)
    raise ValueError(f"no story contains {verb}")


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)
