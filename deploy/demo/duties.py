"""What Ruta owes people when things go wrong: six short scenes, each step with the answer that it must get. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID

from contracts.competence import ConflictResolved, DecidingBody, PositionStated
from contracts.declarations import (
    AcceptanceReverted,
    Accepted,
    Closed,
    Completed,
    ConsentRevoked,
    Details,
    Received,
    Redirected,
    Requested,
    Returned,
    Started,
    StopConfirmed,
    Territories,
    Voided,
)
from contracts.legal import AuthorisationChannel, LegalBasis
from contracts.moments import local_date
from contracts.reasons import (
    NeedResult,
    Outcome,
    RedirectionReason,
    RefusalReason,
    ReversalReason,
    VoidingReason,
)
from contracts.values import Basis, DataClass, DocumentType, FirstAction, Flag, Service, Urgency, Verb
from deploy.demo.stories import authorised

LAW = LegalBasis(basis=Basis.PUBLIC_FUNCTION, norm="Ley-1437-2011-art-21")
GIRON = "68307"


@dataclass(frozen=True, slots=True)
class Step:
    """What an institution declares about a referral, and the kind of its answer or the reason of its refusal."""

    by: str
    referral: UUID
    details: Details
    answer: str

    @property
    def sealed_for(self) -> tuple[str, UUID] | None:
        """Who must be able to open its sealed part, and for which referral; None if it carries none."""
        match self.details:
            case Requested(recipient=recipient):
                return recipient, self.referral
            case Redirected(target=target, child=child):
                return target, child
        return None

    @property
    def opens(self) -> tuple[str, UUID] | None:
        """The receiver and the id of the referral that it opens, with the sealed part; None if it opens none."""
        return self.sealed_for if self.answer in (Verb.REQUESTED, Verb.REDIRECTED) else None


@dataclass(frozen=True, slots=True)
class Duty:
    """One scene: its name, what it shows in a line, its need, and its steps in order."""

    name: str
    shows: str
    need: UUID
    steps: tuple[Step, ...]


def draw(seed: int, now: datetime) -> tuple[Duty, ...]:
    """The scenes with ids of their own."""
    random = Random(f"duties {seed}")  # noqa: S311 - a demonstration that can be repeated

    def new() -> UUID:
        return UUID(int=random.getrandbits(128), version=4)

    scenes = (_ping_pong, _unaccompanied_child, _revocation, _double_referral, _acceptance_reverted, _void)
    today = local_date(now)
    return tuple(scene(new, today) for scene in scenes)


New = Callable[[], UUID]


def _ping_pong(new: New, today: date) -> Duty:
    first, second = new(), new()
    sender, desk, interior, judge = (
        "personeria-giron", "enlace-migracion-giron", "interior-giron", "procuraduria-regional-santander",
    )  # fmt: skip
    norm = "Ley-136-1994-art-91"
    return Duty(
        "ping-pong",
        "two bodies send a person to each other: the loop becomes a competence conflict, told to Personería and"
        " Defensoría, and oversight records who must act",
        new(),
        (
            Step(sender, first, _asked(new(), desk, Service.RIGHTS_THREAT, Urgency.U1), "requested"),
            Step(desk, first, _sent_on(interior, second, LAW), "redirected"),
            Step(interior, second, _sent_on(desk, new(), LAW), "conflict-opened"),
            Step(desk, second, PositionStated(competent=False, norm=norm), "position-stated"),
            Step(interior, second, _accepted(today), "conflict-open"),
            Step(
                judge,
                second,
                ConflictResolved(competent=interior, decided_by=DecidingBody.ADMINISTRATIVE_COURT, norm=norm),
                "conflict-resolved",
            ),
            Step(interior, second, _accepted(today), "accepted"),
        ),
    )


def _unaccompanied_child(new: New, today: date) -> Duty:
    referral, ngo, person, need = new(), new(), new(), new()
    sender, icbf = "enlace-migracion-bucaramanga", "icbf-santander"

    def asked(recipient: str) -> Requested:
        flags, papers = (Flag.CHILD, Flag.UNACCOMPANIED), (DocumentType.MS,)
        service = Service.CHILD_UNACCOMPANIED
        return _asked(person, recipient, service, Urgency.U0, flags=flags, document_types=papers)

    return Duty(
        "unaccompanied child",
        "a child alone and without papers: sharing with a UN body without authorisation is refused, ICBF takes it, acts"
        " the same day, and both sides say how it ended",
        need,
        (
            Step(sender, ngo, asked("acnur"),
                 "authorisation-required"),
            Step(sender, referral, asked(icbf), "requested"),
            Step(icbf, referral, Received(), "received"),
            Step(icbf, referral, _accepted(today), "accepted"),
            Step(icbf, referral, Started(first_action=FirstAction.RIGHTS_VERIFICATION, on=today), "started"),
            Step(sender, referral, Closed(result=NeedResult.MET), "wrong-state"),
            Step(icbf, referral, Completed(outcome=Outcome.MEASURE_ADOPTED, on=today), "completed"),
            Step(sender, referral, Closed(result=NeedResult.MET), "closed"),
        ),
    )  # fmt: skip


def _revocation(new: New, today: date) -> Duty:
    holders = ("oim", "acnur", "gifmm-santander")
    chain = (new(), new(), new())
    sender, allowed = "personeria-bucaramanga", authorised(today)
    stopped = StopConfirmed(erased=(DataClass.IDENTITY, DataClass.CONTACT))
    return Duty(
        "revocation",
        "a person takes the authorisation back after three bodies have had the data: each gets a duty to stop, and is"
        " listed until it confirms what it erased",
        new(),
        (
            Step(sender, chain[0], _asked(new(), holders[0], Service.HOUSING_RENT, Urgency.U2, basis=allowed),
                 "requested"),
            Step(holders[0], chain[0], _sent_on(holders[1], chain[1], allowed), "redirected"),
            Step(holders[1], chain[1], _sent_on(holders[2], chain[2], allowed), "redirected"),
            Step(sender, chain[0], ConsentRevoked(on=today, channel=AuthorisationChannel.IN_PERSON), "consent-revoked"),
            *(Step(holder, one, stopped, "stop-confirmed") for holder, one in zip(holders, chain, strict=True)),
            Step(holders[2], chain[2], _accepted(today), "wrong-state"),
        ),
    )  # fmt: skip


def _double_referral(new: New, today: date) -> Duty:
    first, second, third, person = new(), new(), new(), new()
    sender, recipient = "salud-floridablanca", "desarrollo-floridablanca"

    def asked(follows: UUID | None = None) -> Requested:
        return _asked(person, recipient, Service.SOCIAL_FOOD, Urgency.U3, follows=follows)

    return Duty(
        "double referral",
        "the same asked twice is refused with the reference of the first; asking again, better, after it was"
        " returned is a new referral linked to it",
        new(),
        (
            Step(sender, first, asked(), "requested"),
            Step(sender, second, asked(), "duplicate-request"),
            Step(recipient, first, Returned(reason=RefusalReason.INSUFFICIENT_INFORMATION), "returned"),
            Step(sender, first, Closed(result=NeedResult.NOT_MET), "closed"),
            Step(sender, third, asked(follows=first), "requested"),
        ),
    )


def _acceptance_reverted(new: New, today: date) -> Duty:
    referral = new()
    sender, recipient = "enlace-migracion-piedecuesta", "imebu"
    reverted = AcceptanceReverted(reason=ReversalReason.CAPACITY_LOST)
    return Duty(
        "un-accept",
        "an acceptance is taken back before anything was done, with its reason and in sight of the sender; after the"
        " first action it no longer can be",
        new(),
        (
            Step(sender, referral, _asked(new(), recipient, Service.EMPLOYMENT_TRAINING, Urgency.U3), "requested"),
            Step(recipient, referral, _accepted(today), "accepted"),
            Step(recipient, referral, reverted, "acceptance-reverted"),
            Step(recipient, referral, _accepted(today), "accepted"),
            Step(recipient, referral, Started(first_action=FirstAction.INTERVIEW, on=today), "started"),
            Step(recipient, referral, reverted, "wrong-state"),
        ),
    )


def _void(new: New, today: date) -> Duty:
    referral = new()
    sender, recipient = "defensoria-santander", "salud-giron"
    return Duty(
        "void",
        "a referral registered by mistake is voided, never deleted; whoever had the data confirms that it stopped",
        new(),
        (
            Step(sender, referral, _asked(new(), recipient, Service.HEALTH_AFFILIATION, Urgency.U2), "requested"),
            Step(recipient, referral, Received(), "received"),
            Step(sender, referral, Voided(reason=VoidingReason.WRONG_PERSON), "voided"),
            Step(recipient, referral, StopConfirmed(erased=(DataClass.IDENTITY,)), "stop-confirmed"),
            Step(recipient, referral, _accepted(today), "wrong-state"),
        ),
    )


def _asked(
    person: UUID,
    recipient: str,
    service: Service,
    urgency: Urgency,
    *,
    basis: LegalBasis = LAW,
    flags: tuple[Flag, ...] = (),
    document_types: tuple[DocumentType, ...] = (DocumentType.PT,),
    follows: UUID | None = None,
) -> Requested:
    return Requested(
        recipient=recipient,
        service=service,
        urgency=urgency,
        territories=Territories(residence=GIRON, service=GIRON),
        person=person,
        flags=flags,
        document_types=document_types,
        legal_basis=basis,
        follows=follows,
    )


def _sent_on(target: str, child: UUID, basis: LegalBasis) -> Redirected:
    return Redirected(
        target=target,
        child=child,
        reason=RedirectionReason.NOT_COMPETENT,
        ground="Ley-1437-2011-art-21",
        legal_basis=basis,
    )


def _accepted(today: date) -> Accepted:
    return Accepted(unit="equipo-1", planned_on=today + timedelta(days=1))
