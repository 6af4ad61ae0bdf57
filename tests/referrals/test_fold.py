"""What a batch does, without a database: one outcome per record, replays, conflicts, our own failures."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import applied, facts
from contracts.codec import Declaration, Record
from contracts.envelope import Flaw
from contracts.values import Problem, Refusal, State, Verb
from services.referrals import lifecycle, policy
from services.referrals.entries import read, unstorable
from services.referrals.fold import Folded, fold
from services.referrals.lifecycle import Party
from services.referrals.referral import Referral, evolve
from tests.support import builders as make

PATH = (Verb.REQUESTED, Verb.RECEIVED, Verb.ACCEPTED, Verb.STARTED, Verb.COMPLETED, Verb.CLOSED)


def by(verb: Verb) -> str:
    return make.SENDER if lifecycle.DECLARED_BY[verb][0] is Party.SENDER else make.RECIPIENT


def path(referral: UUID, need: UUID, verbs: tuple[Verb, ...] = PATH) -> list[Record]:
    offsets: dict[str, int] = {}
    records = []
    for verb in verbs:
        offsets[by(verb)] = offsets.get(by(verb), -1) + 1
        made = make.declaration(verb, referral, need, by=by(verb))
        records.append(make.record(made, offset=offsets[by(verb)]))
    return records


def take(records: list[Record], referrals: dict[UUID, Referral] | None = None) -> Folded:
    return fold([read(make.located(one), make.MEMBERS) for one in records], referrals or {}, {}, make.MEMBERS)


def test_the_whole_path_in_one_batch() -> None:
    referral = uuid4()
    folded = take(path(referral, uuid4()))
    assert [one.fact.data.kind for one in folded.facts] == [verb.value for verb in PATH]
    assert folded.referrals[referral].state is State.CLOSED
    assert folded.referrals[referral].version == len(PATH)
    assert {one.parties for one in folded.facts} == {(make.SENDER, make.RECIPIENT)}


def test_the_state_is_the_fold_of_the_published_facts() -> None:
    referral, need = uuid4(), uuid4()
    folded = take(path(referral, need))
    state = None
    for one in folded.facts:
        published = facts.decode(tuple(one.fact.headers()), one.value)
        assert isinstance(published, facts.Fact)
        assert isinstance(published.data, applied.Applied)
        assert published.referral is not None
        assert published.need is not None
        state = evolve(state, published.referral, published.need, published.data)
    assert state == folded.referrals[referral]


@given(cut=st.integers(0, len(PATH)))
def test_where_a_batch_is_cut_does_not_matter(cut: int) -> None:
    records = path(uuid4(), uuid4())
    whole = take(records)
    first = take(records[:cut])
    second = take(records[cut:], dict(first.referrals))
    assert [one.value for one in (*first.facts, *second.facts)] == [one.value for one in whole.facts]


def test_a_sealed_part_goes_to_the_other_party_and_never_into_a_fact() -> None:
    referral = uuid4()
    records = path(referral, uuid4(), (Verb.REQUESTED,))
    folded = take(records)
    assert [(part.fact_id, part.recipient) for part in folded.sealed] == [(folded.facts[0].fact.id, make.RECIPIENT)]
    assert b"ciphertext" not in folded.facts[0].value


def test_the_same_record_again_is_a_duplicate_and_other_bytes_are_a_conflict() -> None:
    made = make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER)
    first = make.record(made)
    again = replace(first, offset=1)
    other = make.record(replace(made, details=make.requested()), offset=2)
    folded = take([first, again, other])
    assert [one.fact.outcome for one in folded.facts] == ["applied", "duplicate", "conflict"]
    answers = [one.fact.data.first for one in folded.facts[1:]]  # type: ignore[union-attr]
    assert answers == [folded.facts[0].fact.id] * 2
    assert folded.referrals[made.envelope.referral].version == 1


def test_a_refusal_answers_a_repeated_id_too() -> None:
    made = make.declaration(Verb.RECEIVED, uuid4(), uuid4(), by=make.RECIPIENT)
    folded = take([make.record(made), make.record(made, offset=1)])
    assert [one.fact.outcome for one in folded.facts] == ["refused", "duplicate"]
    assert folded.facts[0].fact.data.reason is Refusal.UNKNOWN_REFERRAL  # type: ignore[union-attr]


def test_a_quarantined_record_claims_nothing_so_a_mended_one_works() -> None:
    made = make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER)
    broken = replace(make.record(made), value=b"{")
    folded = take([broken, make.record(made, offset=1)])
    assert [one.fact.outcome for one in folded.facts] == ["quarantined", "applied"]


def test_who_claims_another_institutions_name_is_answered_on_its_own_topic() -> None:
    forged = make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.RECIPIENT)
    folded = take([make.record(forged, topic_of=make.OTHER)])
    (decided,) = folded.facts
    assert decided.fact.data.problem is Problem.SOURCE_NOT_OWNER  # type: ignore[union-attr]
    assert decided.parties == (make.OTHER,)


def test_a_stranger_learns_neither_that_a_referral_exists_nor_where_it_stands() -> None:
    referral, need = uuid4(), uuid4()
    known = make.record(make.declaration(Verb.RECEIVED, referral, need, by=make.OTHER))
    unknown = make.record(make.declaration(Verb.RECEIVED, uuid4(), need, by=make.OTHER), offset=1)
    opened = take(path(referral, need, (Verb.REQUESTED,)))
    folded = take([known, unknown], dict(opened.referrals))
    told = {(one.fact.data.reason, one.fact.data.state, one.parties) for one in folded.facts}  # type: ignore[union-attr]
    assert told == {(Refusal.UNKNOWN_REFERRAL, None, (make.OTHER,))}


def failing(monkeypatch: pytest.MonkeyPatch, *referrals: UUID, verb: Verb = Verb.RECEIVED) -> None:
    """Our own rules fail on this verb of these referrals."""
    original = policy.check

    def check(said: Declaration, *rest: object) -> object:
        if said.envelope.referral in referrals and said.envelope.verb is verb:
            raise ZeroDivisionError
        return original(said, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(policy, "check", check)


def test_a_failure_of_our_own_rules_quarantines_its_record_only(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = uuid4()
    failing(monkeypatch, bad, verb=Verb.REQUESTED)
    folded = take(
        [
            *path(bad, uuid4(), (Verb.REQUESTED,)),
            make.record(make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER), offset=1),
        ]
    )
    assert [one.fact.outcome for one in folded.facts] == ["quarantined", "applied"]
    assert folded.facts[0].fact.data.problem is Problem.INTERNAL_ERROR  # type: ignore[union-attr]
    assert [type(error) for error in folded.errors] == [ZeroDivisionError]


def test_what_comes_behind_a_failure_is_parked_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good, need = uuid4(), uuid4(), uuid4()
    failing(monkeypatch, bad)
    folded = take([*path(bad, need), *path(good, need)])
    kinds = {id: [f.fact.data.kind for f in folded.facts if f.fact.referral == id] for id in (bad, good, None)}  # noqa: A001
    assert kinds[bad] == ["requested", "parked", "parked", "parked", "parked"]
    assert kinds[None] == ["quarantined"]
    assert kinds[good] == [verb.value for verb in PATH]
    assert [(one.root, one.failed) for one in folded.waiting] == [(bad, True), *[(bad, False)] * 4]
    # Only whoever declared it is told; the others learn of it when it takes effect.
    assert all(one.parties == (one.entry.owner,) for one in folded.facts if one.fact.provisional)


def test_whoever_has_no_part_in_a_referral_does_not_learn_that_it_waits() -> None:
    referral, need = uuid4(), uuid4()
    opened = take(path(referral, need, (Verb.REQUESTED,)))
    strange = make.record(make.declaration(Verb.RECEIVED, referral, need, by=make.OTHER))
    entries = [read(make.located(strange), make.MEMBERS)]
    folded = fold(entries, dict(opened.referrals), {}, make.MEMBERS, parked={referral: {make.RECIPIENT}})
    assert [one.fact.data.reason for one in folded.facts] == [Refusal.UNKNOWN_REFERRAL]  # type: ignore[union-attr]


def test_a_failed_request_holds_up_its_sender_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else can know of it; and an id that somebody took from it is another's."""
    bad, need = uuid4(), uuid4()
    failing(monkeypatch, bad, verb=Verb.REQUESTED)
    withdrawn = make.record(make.declaration(Verb.WITHDRAWN, bad, need, by=make.SENDER), offset=1)
    received = make.record(make.declaration(Verb.RECEIVED, bad, need, by=make.OTHER))
    folded = take([*path(bad, need, (Verb.REQUESTED,)), withdrawn, received])
    assert [one.fact.outcome for one in folded.facts] == ["quarantined", "parked", "refused"]


def test_a_released_record_has_the_outcome_that_it_would_have_had() -> None:
    records = path(uuid4(), uuid4())
    entries = [read(make.located(one), make.MEMBERS) for one in records]
    at_once = fold(entries, {}, {}, make.MEMBERS)
    released = fold([replace(one, first=facts.RELEASED) for one in entries], {}, {}, make.MEMBERS)
    assert released.referrals == at_once.referrals
    assert all(one.fact.answer for one in (*at_once.facts, *released.facts))
    assert {one.fact.id for one in at_once.facts}.isdisjoint(one.fact.id for one in released.facts)
    assert {one.fact.data.cause.released for one in released.facts} == {True}
    assert [one.fact.time for one in released.facts] == [one.fact.time for one in at_once.facts]


def test_what_the_database_refuses_is_quarantined_without_its_content() -> None:
    made = make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER)
    entry = unstorable(read(make.located(make.record(made)), make.MEMBERS))
    assert entry.content == Flaw(Problem.STORAGE_REFUSED, envelope=made.envelope)
    (decided,) = fold([entry], {}, {}, make.MEMBERS).facts
    assert (decided.fact.outcome, decided.fact.data.cause.event) == ("quarantined", made.envelope.id)


def test_a_sender_finds_the_answer_to_an_unreadable_declaration_by_its_id() -> None:
    made = make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER)
    (decided,) = take([replace(make.record(made), value=b"{")]).facts
    assert decided.fact.data.cause.event == made.envelope.id
    assert ("ce_causationid", str(made.envelope.id).encode()) in decided.fact.headers()
    # What else it claims to be about is not believed: it must not appear in another referral's timeline.
    assert decided.fact.referral is None


def test_the_order_of_headers_does_not_make_another_declaration() -> None:
    first = make.record(make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER))
    again = replace(first, offset=1, headers=tuple(reversed(first.headers)))
    assert [one.fact.outcome for one in take([first, again]).facts] == ["applied", "duplicate"]


@given(
    key=st.none() | st.binary(max_size=50),
    headers=st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=30)), max_size=15),
    value=st.none() | st.binary(max_size=300),
)
def test_anything_that_arrives_gets_one_outcome(
    key: bytes | None, headers: list[tuple[str, bytes | None]], value: bytes | None
) -> None:
    good = make.record(make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER))
    folded = take([replace(good, key=key, headers=tuple(headers), value=value), replace(good, offset=1)])
    assert [one.fact.outcome for one in folded.facts] == ["quarantined", "applied"]
    assert not folded.errors
