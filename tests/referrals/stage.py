"""A small world in memory: institutions declare, one after the other, and everything that follows is kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from contracts.codec import Declaration, Record
from contracts.declarations import Details, Requested
from contracts.facts import FactData
from contracts.values import State, Verb
from services.referrals.answers import Claim, Decided
from services.referrals.chain import Members
from services.referrals.entries import Entry, read
from services.referrals.fold import Folded, Person, SealedPart, fold
from services.referrals.former import Former
from services.referrals.referral import Referral, evolve
from tests.support import builders as make


@dataclass
class Stage:
    """What all institutions together have done so far."""

    members: Members = field(default_factory=lambda: make.MEMBERS)
    referrals: dict[UUID, Referral] = field(default_factory=dict)
    claims: dict[tuple[str, UUID], Claim] = field(default_factory=dict)
    facts: list[Decided] = field(default_factory=list)
    sealed: list[SealedPart] = field(default_factory=list)
    _offset: int = 0

    def request(self, by: str = make.SENDER, *, need: UUID | None = None, **changes: Any) -> UUID:
        """Open a referral; returns its id. Fails unless it was applied."""
        id = uuid4()  # noqa: A001
        self.say(Verb.REQUESTED, id, by, make.requested(**changes), need=need or uuid4())
        assert id in self.referrals, self.last
        return id

    def say(
        self,
        verb: Verb,
        referral: UUID,
        by: str,
        details: Details | None = None,
        *,
        need: UUID | None = None,
        seal_it: bool | None = None,
        time: datetime = make.NOW,
    ) -> list[FactData]:
        """Declare something; returns the facts that it caused."""
        known = self.referrals.get(referral)
        made = make.declaration(
            verb,
            referral,
            need or (known.need if known else uuid4()),
            by=by,
            details=details,
            seal_it=seal_it,
            time=time,
        )
        return [one.fact.data for one in self.take(made)]

    def take(self, made: Declaration) -> list[Decided]:
        """Declare what was made already."""
        self._offset += 1
        return self.batch([make.record(made, offset=self._offset)]).facts

    def batch(self, records: Sequence[Record]) -> Folded:
        """Take records as the service does: from the store only the chains that they name, whole."""
        entries = [read(make.located(one), self.members) for one in records]
        folded = fold(entries, self._stored(entries), self.claims, self.members, self._formers(entries))
        assert not folded.errors, folded.errors
        self.referrals.update(folded.referrals)
        self.facts += folded.facts
        self.sealed += folded.sealed
        for one in folded.facts:
            event = one.fact.data.cause.event
            if one.answer and event and one.fact.outcome in ("applied", "refused"):
                self.claims[one.entry.owner, event] = Claim(one.fact.id, one.entry.digest, one.fact.outcome)
        return folded

    def path(self, referral: UUID, *verbs: Verb) -> None:
        """Go along; every step is its party's and must be applied."""
        for verb in verbs:
            one = self.referrals[referral]
            sends = verb in (Verb.WITHDRAWN, Verb.CLOSED, Verb.REOPENED, Verb.VOIDED, Verb.INFORMATION_PROVIDED)
            facts = self.say(verb, referral, one.sender if sends else one.recipient)
            assert facts[0].kind == verb.value, facts[0]

    def refuses(self, verb: Verb, referral: UUID, by: str, details: Details | None = None, **more: Any) -> str:
        """The reason for which this is refused; nothing may have changed."""
        before = dict(self.referrals)
        (data,) = self.say(verb, referral, by, details, **more)
        assert self.referrals == before
        return str(getattr(data, "reason", data.kind)) if data.kind == "refused" else f"{data.kind}, not refused"

    @property
    def last(self) -> FactData:
        """The last fact."""
        return self.facts[-1].fact.data

    def seen_by(self, institution: str, referral: UUID) -> list[str]:
        """The kinds of the facts of a referral in an institution's topic."""
        mine = (one for one in self.facts if institution in one.parties and one.fact.referral == referral)
        return [one.fact.data.kind for one in mine]

    def refolded(self) -> dict[UUID, Referral]:
        """The fold of the published facts, read back from their bytes."""
        from contracts import applied, facts

        states: dict[UUID, Referral] = {}
        for one in self.facts:
            data = facts.read(one.value)
            if isinstance(data, applied.Applied):
                id, need = one.fact.referral, one.fact.need  # noqa: A001
                assert id is not None
                assert need is not None
                states[id] = evolve(states.get(id), id, need, data)
        return states

    def _stored(self, entries: Iterable[Entry]) -> dict[UUID, Referral]:
        named = {head.referral for one in entries if (head := one.content.envelope)}
        named |= {opened for one in entries if (opened := one.opens)}
        roots = {self.referrals[one].root for one in named if one in self.referrals}
        parted = {one for one in roots if self.referrals[one].state in (State.REDIRECTED, State.VOIDED)}
        return {one.id: one for one in self.referrals.values() if one.id in roots or one.root in parted}

    def _formers(self, entries: Iterable[Entry]) -> dict[Person, list[Former]]:
        asked = {
            (one.owner, one.content.details.person)
            for one in entries
            if isinstance(one.content, Declaration) and isinstance(one.content.details, Requested)
        }
        found: dict[Person, list[Former]] = {}
        for one in self.referrals.values():
            if (one.sender, one.person) in asked:
                former = Former(one.id, one.recipient, one.service, one.state, one.opened_at)
                found.setdefault((one.sender, one.person), []).append(former)
        return found
