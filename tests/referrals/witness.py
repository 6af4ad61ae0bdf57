"""Judges what the engine did by its published facts alone, with the design written out a second time.

It knows nothing of ``evolve``, ``decide`` or ``parts``: it reads the bytes of every fact, keeps them per referral, and
asks of each whether it may follow those before it, by whom it was caused, and who may see it.
"""

from collections.abc import Sequence
from uuid import UUID

from contracts import applied, facts
from contracts.applied import Applied, AppliedFact
from contracts.competence import ConflictTrigger
from contracts.values import Basis, State, Verb
from services.referrals.answers import Decided
from services.referrals.fold import SealedPart
from services.referrals.lifecycle import Lead, Party
from tests.referrals.design import ACTIVE, DISPUTABLE, ENDED, designed
from tests.referrals.history import History
from tests.support import builders as make

DESIGNED = designed()
DURING_CONFLICT = {
    "position-stated", "conflict-resolved", "withdrawn", "consent-revoked", "stop-confirmed", "stop-duty-opened",
    "voided", "escalated",
}  # fmt: skip
OF_A_CONFLICT = {"conflict-opened", "position-stated", "conflict-resolved"}
REDIRECTOR_SEES = {
    "requested", "received", "completed", "not-achieved", "rejected", "returned", "redirected", "withdrawn", "closed",
    "voided",
}  # fmt: skip
STOPS = {"withdrawn", "consent-revoked"}


class Witness:
    """Sees every record and what became of it."""

    def __init__(self) -> None:
        self.past = History()
        self.answered: set[tuple[str, int]] = set()

    def step(self, decided: Sequence[Decided], sealed: Sequence[SealedPart]) -> None:
        """One record's facts, and the sealed parts that go with them."""
        first, owner = decided[0], decided[0].entry.owner
        cause = first.fact.data.cause
        assert (cause.topic, cause.offset) not in self.answered, "a record has two outcomes"
        self.answered.add((cause.topic, cause.offset))
        assert [one.ordinal for one in decided] == list(range(len(decided)))
        if first.fact.outcome != "applied":
            assert len(decided) == 1
            assert not sealed, "a sealed part of what was not applied"
            assert first.parties == (owner,), "somebody else hears of what was not applied"
            self._silent(first)
            return
        read = [self._read(one) for one in decided]
        for one, (referral, fact) in zip(decided, read, strict=True):
            self._follows(referral, fact, one, read)
            self.past.of.setdefault(referral, []).append(fact)
        for one, (referral, fact) in zip(decided, read, strict=True):
            self._seen(referral, fact, one)
        self._whole(read)
        self._sealed(decided, read, sealed)

    def _read(self, one: Decided) -> tuple[UUID, AppliedFact]:
        data = facts.read(one.value)
        assert isinstance(data, Applied), data
        assert one.fact.referral is not None
        return one.fact.referral, data

    # What may follow what

    def _follows(self, referral: UUID, fact: AppliedFact, one: Decided, step: list[tuple[UUID, AppliedFact]]) -> None:
        before = self.past.of.get(referral, [])
        previous = before[-1].state if before else None
        assert (fact.version, fact.previous) == (len(before) + 1, previous), "a hole in the versions"
        kind = fact.kind
        if conflict := self.past.conflict(referral):
            assert kind in DURING_CONFLICT, f"{kind} while a conflict is open"
            assert previous in DISPUTABLE
            assert conflict.responsible in (*conflict.parties, fact.recipient)
        match fact:
            case applied.StopDutyOpenedFact():
                assert one.ordinal > 0
                assert fact.state is previous
                assert fact.details.holder == fact.recipient != fact.sender, "a duty that nobody holds"
                stop = self.past.stop(referral)
                assert stop is None or (stop == "stop-confirmed" and previous in ACTIVE), "told twice to stop"
                return
            case applied.ConflictOpenedFact():
                assert (one.ordinal, fact.state) == (0, previous)
                assert previous in DISPUTABLE
                assert self.past.plays(one.entry.owner, Party.RECIPIENT, referral)
                self._dispute(referral, fact)
                return
            case applied.RequestedFact() if fact.lineage:
                self._child(fact, one, step)
                return
        designed = DESIGNED[previous, Verb(kind)]
        assert any(self.past.plays(one.entry.owner, party, referral) for party in designed.by) or not before, (
            f"{kind}: not its part"
        )
        self._leads(referral, fact, designed.to, previous)

    def _leads(self, referral: UUID, fact: AppliedFact, state: State | Lead, previous: State | None) -> None:
        match fact:
            case applied.RequestedFact():
                assert fact.state is State.REQUESTED
            case applied.ConflictResolvedFact():
                stays = fact.details.competent == fact.recipient
                assert fact.state is (previous if stays else State.REDIRECTED)
            case applied.ConsentRevokedFact():
                active = previous not in (*ENDED, State.COMPLETED, State.NOT_ACHIEVED, State.REJECTED, State.RETURNED)
                ends = active and self.past.asked(referral).legal_basis.basis is Basis.AUTHORISATION
                assert fact.state is (State.WITHDRAWN if ends else previous)
            case applied.StopConfirmedFact():
                assert self.past.stop(referral) == "stop-duty-opened", "confirmed what was not asked, or twice"
                assert fact.state is previous
            case applied.ReopenedFact():
                assert not self.past.said(referral, "stop-duty-opened"), "reopened what must not be used"
                assert fact.state is state
            case _ if state is Lead.BACK:
                assert fact.state is self._held_from(referral)
            case _ if state is Lead.UNCHANGED:
                assert fact.state is previous
            case applied.RejectedFact() | applied.ReturnedFact() | applied.RedirectedFact():
                assert fact.state is state
                assert previous is not State.AWAITING_INFORMATION or self._held_from(referral) is State.RECEIVED
            case _:
                assert fact.state is state

    def _held_from(self, referral: UUID) -> State | None:
        came = [one for one in self.past.of[referral] if one.state is not one.previous]
        return came[-1].previous

    def _dispute(self, referral: UUID, fact: applied.ConflictOpenedFact) -> None:
        path, opened = self.past.path(referral), fact.details
        assert set(opened.parties) >= {*path, fact.recipient}
        match opened.trigger:
            case ConflictTrigger.LOOP:
                assert opened.target in (*path, fact.sender)
            case ConflictTrigger.THIRD_HOP:
                assert len(path) >= 2
                assert opened.target not in opened.parties
            case ConflictTrigger.DOUBLE_REFUSAL:
                assert path
                assert opened.target is None
        asked = self.past.asked(referral)
        child = asked.service.value.startswith("child.") or {"child", "unaccompanied"} & set(asked.flags)
        public = [one for one in (*path, fact.recipient) if make.MEMBERS[one].kind.public]
        assert opened.responsible == (public[0] if child and public else fact.recipient)

    def _child(self, fact: applied.RequestedFact, one: Decided, step: list[tuple[UUID, AppliedFact]]) -> None:
        lineage = fact.lineage
        assert lineage is not None
        assert one.ordinal == 1, "a child without its redirection"
        parent, redirected = step[0]
        assert lineage.parent == parent
        assert redirected.state is State.REDIRECTED
        assert (redirected.kind == "conflict-resolved") is lineage.by_resolution
        assert lineage.path == (*self.past.path(parent), redirected.recipient)
        assert (fact.sender, lineage.redirected_by) == (redirected.sender, one.entry.owner)
        assert lineage.root == self.past.root(parent)
        assert lineage.clock_from == self.past.of[lineage.root][0].received_at
        assert lineage.by_resolution or fact.recipient not in (*lineage.path, fact.sender), "sent round once more"
        assert lineage.by_resolution or len(lineage.path) <= 2, "a third hop"
        revoked = any(self.past.said(one, "consent-revoked") for one in self.past.chain(parent))
        assert not revoked or fact.details.legal_basis.basis is not Basis.AUTHORISATION, "shared what was taken back"

    # What belongs together

    def _whole(self, step: list[tuple[UUID, AppliedFact]]) -> None:
        kinds = [fact.kind for _, fact in step]
        referral, answer = step[0]
        parted = answer.state is State.REDIRECTED and answer.previous is not State.REDIRECTED
        assert ("requested" in kinds[1:]) is parted, "half of a redirection"
        if kinds[0] in STOPS:
            for one in self.past.chain(referral):
                last = self.past.of[one][-1]
                told, own = self.past.stop(one), last.recipient == last.sender
                must = (one == step[0][0] and kinds[0] == "withdrawn") or last.state in ACTIVE
                assert own or told == "stop-duty-opened" or (told and not must), "a holder was not told"
        if kinds[0] == "consent-revoked":
            for one in self.past.chain(referral):
                rests = self.past.asked(one).legal_basis.basis is Basis.AUTHORISATION
                assert (
                    not rests or self.past.said(one, "consent-revoked") or self.past.of[one][-1].state is State.VOIDED
                )
        if kinds[0] == "voided":
            assert answer.recipient == answer.sender or self.past.said(referral, "stop-duty-opened")

    def _sealed(
        self, decided: Sequence[Decided], step: list[tuple[UUID, AppliedFact]], sealed: Sequence[SealedPart]
    ) -> None:
        of = {one.fact.id: fact for one, (_, fact) in zip(decided, step, strict=True)}
        referrals = {one.fact.id: referral for one, (referral, _) in zip(decided, step, strict=True)}
        for part in sealed:
            fact = of[part.fact_id]
            assert part.recipient in (fact.sender, fact.recipient), "a sealed part for somebody outside"
            assert part.recipient != decided[0].entry.owner
            assert fact.sealed_sha256 is not None
            assert step[0][1].kind != "redirected" or referrals[part.fact_id] != step[0][0]
        assert len(sealed) == len({(part.fact_id, part.recipient) for part in sealed})
        assert len(sealed) == sum(fact.sealed_sha256 is not None for fact in of.values())
        assert len(sealed) <= 1
        must = step[0][1].kind in ("requested", "redirected", "information-provided")
        assert sealed or not must, "the content reached nobody"

    # Who sees what

    def _seen(self, referral: UUID, fact: AppliedFact, one: Decided) -> None:
        kind, path = fact.kind, self.past.path(referral)
        may = {fact.sender, fact.recipient}
        must = set(may)
        if one.ordinal == 0:
            may.add(one.entry.owner)
            must.add(one.entry.owner)
        if kind in REDIRECTOR_SEES and path:
            may.add(path[-1])
        ended = kind == "consent-revoked" and fact.state is not fact.previous
        if path and (kind == "requested" or ended):
            may.add(path[-1])
            must.add(path[-1])
        if kind in (*OF_A_CONFLICT, "escalated", "reopened"):
            may |= self.past.watching(referral)
            must |= self.past.watching(referral)
        if kind in OF_A_CONFLICT:
            opened = self.past.last_conflict(referral)
            may |= set(opened.parties)
            must |= set(opened.parties)
        assert must <= set(one.parties) <= may, f"{kind} is seen by {set(one.parties) - may}, not {must}"
        assert len(one.parties) == len(set(one.parties))
        told = set(fact.told or ())
        assert told <= may | self.past.ombudsmen(referral)
        if kind == "conflict-opened":
            assert told >= self.past.ombudsmen(referral) | set(self.past.last_conflict(referral).parties)

    def _silent(self, one: Decided) -> None:
        data = one.fact.data
        if not isinstance(data, facts.RefusedFact):
            return
        referral = one.fact.referral
        owner = one.entry.owner
        known = self.past.of.get(referral) if referral else None
        if known is None:
            assert data.state is None
            return
        assert referral is not None
        knows = {known[-1].sender, known[-1].recipient} | self.past.watching(referral)
        if opened := self.past.conflict(referral):
            knows |= set(opened.parties)
        assert data.state is (known[-1].state if owner in knows else None), "it hears where it stands"
        assert owner in knows | set(self.past.holders(referral)) or data.reason == "unknown-referral", (
            "it hears that it is"
        )
        if data.existing is not None:
            assert self.past.of[data.existing][-1].sender == owner
