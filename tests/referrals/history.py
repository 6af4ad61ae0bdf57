"""What the facts of referrals say, read without the engine."""

from typing import cast
from uuid import UUID

from contracts import applied
from contracts.applied import AppliedFact
from contracts.competence import ConflictOpened
from contracts.declarations import Requested
from contracts.directory import Institution, Kind
from services.referrals.lifecycle import Party
from tests.referrals.design import ENDED
from tests.support import builders as make


class History:
    """All facts of all referrals so far, in order."""

    def __init__(self) -> None:
        self.of: dict[UUID, list[AppliedFact]] = {}

    def said(self, referral: UUID, kind: str) -> bool:
        """Whether there is a fact of this kind."""
        return any(one.kind == kind for one in self.of.get(referral, ()))

    def opening(self, referral: UUID) -> applied.RequestedFact:
        """The first fact."""
        return cast(applied.RequestedFact, self.of[referral][0])

    def asked(self, referral: UUID) -> Requested:
        """What was asked."""
        return self.opening(referral).details

    def path(self, referral: UUID) -> tuple[str, ...]:
        """Who had it before."""
        lineage = self.opening(referral).lineage
        return lineage.path if lineage else ()

    def root(self, referral: UUID) -> UUID:
        """The first of its chain."""
        lineage = self.opening(referral).lineage
        return self.root(lineage.parent) if lineage else referral

    def chain(self, referral: UUID) -> list[UUID]:
        """All of its chain."""
        root = self.root(referral)
        return [one for one in self.of if self.root(one) == root]

    def holders(self, referral: UUID) -> set[str]:
        """Whoever has received one of the chain and has not confirmed that it stopped."""
        return {self.of[one][0].recipient for one in self.chain(referral) if self.stop(one) != "stop-confirmed"}

    def stop(self, referral: UUID) -> str | None:
        """What was said last of its recipient's stop."""
        kinds = [one.kind for one in self.of[referral] if one.kind in ("stop-duty-opened", "stop-confirmed")]
        return kinds[-1] if kinds else None

    def conflict(self, referral: UUID) -> ConflictOpened | None:
        """The open competence conflict."""
        found = None
        for one in self.of.get(referral, ()):
            if isinstance(one, applied.ConflictOpenedFact):
                found = one.details
            elif isinstance(one, applied.ConflictResolvedFact) or one.state in ENDED:
                found = None
        return found

    def watching(self, referral: UUID) -> set[str]:
        """Oversight of its places."""
        return {one.code for one in make.MEMBERS.values() if one.oversight and self.covers(one, referral)}

    def last_conflict(self, referral: UUID) -> ConflictOpened:
        """The competence conflict that was opened last."""
        opened = [one for one in self.of[referral] if isinstance(one, applied.ConflictOpenedFact)]
        return opened[-1].details

    def ombudsmen(self, referral: UUID) -> set[str]:
        """Whom a conflict is told."""
        kinds = (Kind.PERSONERIA, Kind.OMBUDSMAN)
        return {one.code for one in make.MEMBERS.values() if one.kind in kinds and self.covers(one, referral)}

    def covers(self, one: Institution, referral: UUID) -> bool:
        """Whether it is in an institution's territory, by any of its places."""
        places = self.asked(referral).territories
        return any(one.covers(place) for place in (places.residence, places.service, places.fact) if place)

    def plays(self, institution: str, party: Party, referral: UUID) -> bool:
        """Whether an institution has this part in it."""
        if referral not in self.of:
            return False
        last = self.of[referral][-1]
        match party:
            case Party.SENDER:
                return institution == last.sender
            case Party.RECIPIENT:
                return institution == last.recipient
            case Party.HOLDER:
                return institution in self.holders(referral)
            case Party.OVERSIGHT:
                return institution in self.watching(referral)
            case Party.IN_CONFLICT:
                opened = self.conflict(referral)
                return opened is not None and institution in opened.parties
        return False
