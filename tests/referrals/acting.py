"""What several tests of chains begin with."""

from typing import Any
from uuid import UUID

from contracts.competence import ConflictResolved, DecidingBody
from contracts.declarations import Rejected
from contracts.reasons import RefusalReason
from contracts.values import Service, Urgency, Verb
from tests.referrals.stage import Stage
from tests.support import builders as make

S, R, O, T, W, NGO = make.SENDER, make.RECIPIENT, make.OTHER, make.THIRD, make.OVERSIGHT, make.NGO  # noqa: E741
ADULT = {"flags": (), "service": Service.LEGAL_ADVICE, "urgency": Urgency.U2}


def redirect(stage: Stage, referral: UUID, target: str, **changes: object) -> UUID:
    """The receiver sends a referral on; returns the child."""
    details = make.redirected(target, **changes)
    facts = stage.say(Verb.REDIRECTED, referral, stage.referrals[referral].recipient, details)
    assert [fact.kind for fact in facts] == ["redirected", "requested"], facts[0]
    return details.child


def resolved(competent: str) -> ConflictResolved:
    return ConflictResolved(competent=competent, decided_by=DecidingBody.FAMILY_JUDGE, norm="Ley-1098-2006-art-99")


def disputed(stage: Stage, **changes: Any) -> UUID:
    """A child whose second receiver refuses competence too: an open conflict between R and O."""
    child = redirect(stage, stage.request(**changes), O)
    stage.say(Verb.REJECTED, child, O, Rejected(reason=RefusalReason.NOT_COMPETENT))
    assert stage.referrals[child].conflict is not None
    return child


def through_three_holders(stage: Stage) -> tuple[UUID, UUID, UUID]:
    """NGO, then two public bodies: the first referral rests on authorisation, the others on their function."""
    first = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    second = redirect(stage, first, O)
    return first, second, redirect(stage, second, T)
