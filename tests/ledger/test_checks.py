"""A check that cannot fail proves nothing: each is shown a small ledger that fits, then one with its own fault."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from uuid import UUID

import pytest

from contracts import topics
from contracts.applied import Actor, Applied, Cause, ReceivedFact, RequestedFact
from contracts.codec import Record
from contracts.declarations import Received
from contracts.facts import SEALED_TYPE, Fact, QuarantinedFact, headers
from contracts.values import AuthType, Problem, State
from deploy.ledger import checks, kafka
from deploy.ledger.kafka import SealedPart, Seen
from deploy.ledger.kept import kept
from deploy.ledger.stored import Place, StoredAlert, StoredFact
from services.notifications.routing import plan
from tests.support.builders import MEMBERS, NOW, OTHER, RECIPIENT, SENDER, requested

REFERRAL, NEED = UUID(int=1), UUID(int=2)
JWE = b'{"ciphertext": "..."}'
CANARY = "PERSONA-INVENTADA"
IN_SENDER, IN_RECIPIENT = topics.inbound(SENDER), topics.inbound(RECIPIENT)
OUT_SENDER, OUT_RECIPIENT = topics.outbound(SENDER), topics.outbound(RECIPIENT)


def cause(owner: str, offset: int) -> Cause:
    return Cause(
        cluster="c", topic=topics.inbound(owner), topic_id="t", partition=0, offset=offset, owner=owner, sha256="0" * 64
    )


def applied(owner: str, version: int, state: State, sealed: str | None = None) -> dict[str, object]:
    return {
        "cause": cause(owner, 0),
        "actor": Actor(type=AuthType.USER, id="1"),
        "version": version,
        "state": state,
        "sender": SENDER,
        "recipient": RECIPIENT,
        "received_at": NOW,
        "declared_at": NOW,
        "sealed_sha256": sealed,
    }


ASKED = Fact(
    UUID(int=11),
    NOW,
    REFERRAL,
    NEED,
    RequestedFact.model_validate(
        applied(SENDER, 1, State.REQUESTED, sha256(JWE).hexdigest()) | {"details": requested()}
    ),
)
ANSWERED = Fact(
    UUID(int=12),
    NOW,
    REFERRAL,
    NEED,
    ReceivedFact.model_validate(applied(RECIPIENT, 2, State.RECEIVED) | {"details": Received()}),
)
UNREADABLE = Fact(
    UUID(int=13),
    NOW,
    None,
    None,
    QuarantinedFact(cause=cause(SENDER, 1), problem=Problem.JSON_INVALID, received_at=NOW),
)
FACTS = (ASKED, ANSWERED, UNREADABLE)


def record(topic: str, offset: int, fact: Fact | None = None, sealed: SealedPart | None = None) -> Seen:
    return Seen(topic, 0, offset, f"{topic}{offset}".encode(), fact, sealed)


SEALED = SealedPart(ASKED.id, sha256(JWE).hexdigest())
SEEN = (
    record(IN_SENDER, 0),
    record(IN_SENDER, 1),
    record(IN_RECIPIENT, 0),
    *(record(topics.FACTS, offset, fact) for offset, fact in enumerate(FACTS)),
    *(record(OUT_SENDER, offset, fact) for offset, fact in enumerate(FACTS)),
    record(OUT_RECIPIENT, 0, ASKED),
    record(OUT_RECIPIENT, 1, sealed=SEALED),
    record(OUT_RECIPIENT, 2, ANSWERED),
)


def stored(fact: Fact, place: Place, parties: frozenset[str], sealed_for: str | None = None) -> StoredFact:
    version = fact.data.version if isinstance(fact.data, Applied) else None
    digest = f"{place[0]}{place[2]}".encode()
    owner = fact.data.cause.owner
    return StoredFact(
        fact.id, fact.outcome, 0, True, fact.provisional, False, owner, place, digest, fact.referral, version, parties,
        sealed_for,
    )  # fmt: skip


BOTH = frozenset({SENDER, RECIPIENT})
STORED = (
    stored(ASKED, (IN_SENDER, 0, 0), BOTH, RECIPIENT),
    stored(ANSWERED, (IN_RECIPIENT, 0, 0), BOTH),
    stored(UNREADABLE, (IN_SENDER, 0, 1), frozenset({SENDER})),
)
ALERTS = tuple(
    StoredAlert(UUID(int=100 + n), alert.fact_id, alert.recipient, str(alert.channel))
    for n, alert in enumerate(alert for fact in FACTS for alert in plan(fact, MEMBERS))
)
MAILED = Counter(str(alert.alert_id) for alert in ALERTS if alert.channel == "email")
LOGGED = Counter((one.topic, one.partition, one.offset) for one in SEEN if not one.topic.startswith(kafka.OUTBOUND))


@dataclass(frozen=True)
class Ledger:
    """Everything that the checks are shown. ``first``: where topics begin."""

    first: Mapping[str, int] = field(default_factory=dict)
    seen: Sequence[Seen] = SEEN
    stored: Sequence[StoredFact] = STORED
    alerts: Sequence[StoredAlert] = ALERTS
    mailed: Counter[str] = field(default_factory=lambda: MAILED)
    logged: Counter[Place] = field(default_factory=lambda: LOGGED)
    version: int = 2

    def problems(self) -> list[str]:
        """What every check says, under the check's name."""
        places = {one.topic for one in SEEN}
        first = {(topic, 0): self.first.get(topic, 0) for topic in places}
        seen = [one for one in self.seen if one.offset >= self.first.get(one.topic, 0)]
        has = kept(seen, self.stored, first, NOW)
        found = {
            "offsets": checks.offsets(seen, has),
            "one_outcome_each": checks.one_outcome_each(seen, self.stored, has),
            "parked": checks.parked(self.stored),
            "versions": checks.versions(self.stored, {REFERRAL: self.version}),
            "published_facts": checks.published_facts(seen, self.stored, has),
            "told_parties": checks.told_parties(seen, self.stored, has),
            "sealed_parts": checks.sealed_parts(seen, self.stored, has),
            "canary_free": checks.canary_free(seen),
            "alerts": checks.alerts(seen, self.alerts, MEMBERS, self.mailed, has),
            "leaves": checks.leaves(seen, self.logged, has),
        }
        return [f"{check}: {problem}" for check, problems in found.items() for problem in problems]


def without(topic: str, offset: int) -> tuple[Seen, ...]:
    return tuple(one for one in SEEN if (one.topic, one.offset) != (topic, offset))


def changed(topic: str, offset: int, **changes: object) -> tuple[Seen, ...]:
    return tuple(
        replace(one, **changes) if (one.topic, one.offset) == (topic, offset) else one  # type: ignore[arg-type]
        for one in SEEN
    )


def with_stored(number: int, **changes: object) -> tuple[StoredFact, ...]:
    return tuple(replace(fact, **changes) if n == number else fact for n, fact in enumerate(STORED))  # type: ignore[arg-type]


def at(topic: str, *facts: Fact | SealedPart) -> tuple[Seen, ...]:
    """The ledger with other records in one topic."""
    others = tuple(one for one in SEEN if one.topic != topic)
    made = (
        record(topic, n, fact=one) if isinstance(one, Fact) else record(topic, n, sealed=one)
        for n, one in enumerate(facts)
    )
    return (*others, *made)


def released(*, waits: bool) -> tuple[StoredFact, ...]:
    """The second record was parked first; its outcome came with its release."""
    before = replace(
        STORED[1], fact_id=UUID(int=14), outcome="parked", version=None, provisional=True, waits=waits, sealed_for=None
    )
    return (STORED[0], before, STORED[2], replace(STORED[1], ordinal=1))


BY_MAIL = next(alert for alert in ALERTS if alert.channel == "email")


def test_what_fits_is_not_named() -> None:
    assert ALERTS
    assert MAILED
    assert Ledger().problems() == []


def test_a_batch_that_a_crash_repeated_fits() -> None:
    twice = at(OUT_RECIPIENT, ASKED, SEALED, ASKED, SEALED, ANSWERED)
    assert Ledger(seen=twice).problems() == []
    published_twice = at(topics.FACTS, ASKED, ANSWERED, ASKED, ANSWERED, UNREADABLE)
    logged = LOGGED + Counter([(topics.FACTS, 0, 3), (topics.FACTS, 0, 4)])
    assert Ledger(seen=published_twice, logged=logged).problems() == []


@pytest.mark.parametrize(
    "first",
    [
        {IN_SENDER: 1},
        {IN_SENDER: 2},
        {topics.FACTS: 1},
        {topics.FACTS: 3},
        {OUT_SENDER: 2},
        {OUT_RECIPIENT: 1},
        {OUT_RECIPIENT: 3},
        {topics.FACTS: 2, OUT_RECIPIENT: 2, OUT_SENDER: 1, IN_SENDER: 1, IN_RECIPIENT: 1},
    ],
)
def test_what_kafka_has_forgotten_is_not_looked_for(first: dict[str, int]) -> None:
    assert Ledger(first=first).problems() == []


def test_what_is_missing_behind_the_first_that_is_kept_is_named() -> None:
    said = Ledger(first={topics.FACTS: 1}, seen=without(topics.FACTS, 1)).problems()
    assert f"offsets: {topics.FACTS}-0: offsets are not contiguous from 1" in said
    said = Ledger(first={topics.FACTS: 1}, seen=without(topics.FACTS, 2)).problems()
    assert any("stored but was not published" in line for line in said)
    said = Ledger(first={OUT_SENDER: 1}, seen=without(OUT_SENDER, 2)).problems()
    assert any("has not had fact" in line for line in said)


def test_what_waits_and_what_was_released_fits() -> None:
    waiting = with_stored(2, provisional=True, waits=True)
    assert Ledger(stored=waiting).problems() == []
    assert list(checks.one_outcome_each(SEEN, released(waits=False))) == []
    assert list(checks.parked(released(waits=False))) == []
    assert Counter(one.outcome for one in checks.outcomes(released(waits=False))) == {"applied": 2, "quarantined": 1}


@pytest.mark.parametrize(
    ("ledger", "check", "problem"),
    [
        (Ledger(seen=without(OUT_SENDER, 1)), "offsets", "not contiguous"),
        (Ledger(seen=without(topics.FACTS, 0)), "offsets", "not contiguous"),
        (Ledger(stored=STORED[:2]), "one_outcome_each", "has 0 outcomes"),
        (Ledger(stored=(*STORED, STORED[2])), "one_outcome_each", "has 2 outcomes"),
        (Ledger(stored=with_stored(2, digest=b"other")), "one_outcome_each", "decided on other bytes"),
        (
            Ledger(stored=(*STORED, replace(STORED[1], ordinal=2, answer=False))),
            "one_outcome_each",
            r"the ordinals \[0, 2\]",
        ),
        (Ledger(stored=with_stored(1, ordinal=1)), "one_outcome_each", r"the ordinals \[1\]"),
        (Ledger(stored=with_stored(1, answer=False)), "one_outcome_each", "has 0 outcomes"),
        (Ledger(stored=(*STORED, replace(STORED[1], ordinal=1))), "one_outcome_each", "has 2 outcomes"),
        (Ledger(stored=with_stored(2, provisional=True)), "parked", "nobody will release it"),
        (Ledger(stored=with_stored(2, waits=True)), "parked", "waits for its release, but has its outcome"),
        (Ledger(stored=released(waits=True)), "parked", "waits for its release, but has its outcome"),
        (Ledger(seen=without(IN_SENDER, 1)), "one_outcome_each", "there is no such record"),
        (Ledger(stored=with_stored(1, version=3)), "versions", r"versions \[1, 3\]"),
        (Ledger(version=1), "versions", "state at version 1, facts at 2"),
        (Ledger(seen=changed(topics.FACTS, 2, fact=None)), "published_facts", "1 records of .* cannot be read"),
        (Ledger(seen=without(topics.FACTS, 2)), "published_facts", "stored but was not published"),
        (Ledger(stored=STORED[:2]), "published_facts", "published but is not stored"),
        (
            Ledger(seen=at(topics.FACTS, ANSWERED, ASKED, UNREADABLE)),
            "published_facts",
            "version 2 was published after 0",
        ),
        (Ledger(seen=without(OUT_SENDER, 2)), "told_parties", "has not had fact"),
        (Ledger(seen=tuple(s for s in SEEN if s.topic != OUT_SENDER)), "told_parties", "has not had fact"),
        (Ledger(seen=at(topics.outbound(OTHER), ASKED)), "told_parties", "which is not for it"),
        (Ledger(seen=at(OUT_RECIPIENT, ASKED, SEALED, ANSWERED, UNREADABLE)), "told_parties", "which is not for it"),
        (Ledger(seen=at(OUT_SENDER, ANSWERED, ASKED, UNREADABLE)), "told_parties", "has version 1 after 2"),
        (Ledger(seen=changed(OUT_SENDER, 2, fact=None)), "told_parties", "cannot be read"),
        (Ledger(seen=at(OUT_RECIPIENT, ASKED, ANSWERED)), "sealed_parts", "has not had the sealed part"),
        (Ledger(seen=at(OUT_RECIPIENT, ASKED, ANSWERED, SEALED)), "sealed_parts", "behind something else"),
        (Ledger(seen=at(OUT_RECIPIENT, SEALED, ASKED, ANSWERED)), "sealed_parts", "behind something else"),
        (
            Ledger(seen=at(OUT_RECIPIENT, ASKED, replace(SEALED, fact_id=None), ANSWERED)),
            "sealed_parts",
            "behind something else",
        ),
        (Ledger(seen=at(OUT_SENDER, ASKED, SEALED, ANSWERED, UNREADABLE)), "sealed_parts", "not for this topic"),
        (
            Ledger(seen=at(OUT_RECIPIENT, ASKED, replace(SEALED, sha256="0" * 64), ANSWERED)),
            "sealed_parts",
            "not the one that the fact names",
        ),
        (Ledger(stored=with_stored(0, sealed_for=None)), "sealed_parts", "names a sealed part that is not stored"),
        (Ledger(seen=changed(OUT_SENDER, 0, leaks=True)), "canary_free", "holds personal data"),
        (Ledger(alerts=ALERTS[1:]), "alerts", "was not alerted"),
        (Ledger(alerts=(*ALERTS, replace(ALERTS[0], recipient=OTHER))), "alerts", "for no reason"),
        (Ledger(alerts=(*ALERTS, ALERTS[0])), "alerts", "was alerted 2 times"),
        (Ledger(mailed=Counter()), "alerts", f"e-mail {BY_MAIL.alert_id} never arrived"),
        (Ledger(mailed=MAILED + Counter(["foreign"])), "alerts", "e-mail foreign belongs to no alert"),
        (Ledger(logged=LOGGED - Counter([(topics.FACTS, 0, 1)])), "leaves", "has 0 leaves"),
        (Ledger(logged=LOGGED + Counter([(topics.FACTS, 0, 1)])), "leaves", "has 2 leaves"),
        (Ledger(logged=LOGGED + Counter([(topics.FACTS, 0, 9)])), "leaves", "there is no such record"),
    ],
)
def test_what_does_not_fit_is_named(ledger: Ledger, check: str, problem: str) -> None:
    said = [line for line in ledger.problems() if line.startswith(f"{check}: ")]
    assert said
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError("\n".join(said))


def on_the_wire(topic: str, **changes: object) -> Record:
    made = Record(topic, 0, 0, 0, ASKED.key, tuple(ASKED.headers()), ASKED.value())
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("topic", [topics.FACTS, topics.ALERTS, OUT_SENDER])
@pytest.mark.parametrize(
    "changes",
    [
        {"key": CANARY.encode()},
        {"value": f'{{"detail": "{CANARY}"}}'.encode()},
        {"headers": (("x-nota", CANARY.encode()),)},
        {"headers": ((CANARY, None),)},
    ],
)
def test_the_canary_is_seen_in_every_part_of_a_record(topic: str, changes: dict[str, object]) -> None:
    assert kafka.seen_of(on_the_wire(topic, **changes), CANARY).leaks
    assert not kafka.seen_of(on_the_wire(topic), CANARY).leaks
    assert not kafka.seen_of(on_the_wire(topic, **changes), None).leaks


def test_the_canary_may_stand_where_it_was_sent() -> None:
    assert not kafka.seen_of(on_the_wire(IN_SENDER, value=CANARY.encode()), CANARY).leaks


def test_a_sealed_part_is_told_from_a_fact() -> None:
    sealed_headers = tuple(headers(UUID(int=21), SEALED_TYPE, NOW, str(REFERRAL), REFERRAL, NEED, ASKED.id))
    assert kafka.seen_of(on_the_wire(OUT_RECIPIENT, headers=sealed_headers, value=JWE), None).sealed == SEALED
    assert kafka.seen_of(on_the_wire(OUT_RECIPIENT), None).fact == ASKED
