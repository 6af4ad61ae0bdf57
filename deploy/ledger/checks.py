"""The invariants, each a function that names what does not fit. Pure, over what was read from each part."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import NamedTuple
from uuid import UUID

from contracts import topics
from contracts.applied import Applied
from contracts.directory import Institution
from contracts.facts import RELEASED, Fact
from deploy.ledger.kafka import OUTBOUND, Seen
from deploy.ledger.kept import Kept
from deploy.ledger.stored import Place, StoredAlert, StoredFact
from services.notifications.routing import plan


class Kind(StrEnum):
    """What is wrong: something is missing, is there more than once or unasked, or contradicts the rest."""

    LOST = "lost"
    DOUBLED = "doubled"
    WRONG = "wrong"


class Misfit(NamedTuple):
    """One thing that does not fit, and why."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return self.text


lost = partial(Misfit, Kind.LOST)
doubled = partial(Misfit, Kind.DOUBLED)
wrong = partial(Misfit, Kind.WRONG)


ALL = Kept()
"""Nothing was forgotten yet."""


def offsets(seen: Sequence[Seen], kept: Kept = ALL) -> Iterable[Misfit]:
    """Offsets of every partition are contiguous from the first that is kept: nothing is missing between."""
    by_partition: dict[tuple[str, int], list[int]] = defaultdict(list)
    for one in seen:
        by_partition[one.topic, one.partition].append(one.offset)
    for (topic, partition), found in by_partition.items():
        first = kept.first.get((topic, partition), 0)
        if found != list(range(first, first + len(found))):
            yield lost(f"{topic}-{partition}: offsets are not contiguous from {first}")


def one_outcome_each(seen: Sequence[Seen], stored: Sequence[StoredFact], kept: Kept = ALL) -> Iterable[Misfit]:
    """Every inbound record has one outcome with its digest, and no fact is without its record or out of its order."""
    records = {_place(one): one for one in seen if topics.owner(one.topic)}
    answered = Counter(fact.place for fact in outcomes(stored))
    ordinals: dict[Place, list[int]] = defaultdict(list)
    digests: dict[Place, set[bytes]] = defaultdict(set)
    for fact in stored:
        ordinals[fact.place].append(fact.ordinal)
        digests[fact.place].add(fact.digest)
    for place, record in records.items():
        if answered[place] != 1:
            yield _counted(answered[place], f"{_at(place)} has {answered[place]} outcomes")
        elif digests[place] != {record.digest}:
            yield wrong(f"{_at(place)}: its outcome was decided on other bytes")
        elif ordinals[place] != list(range(len(ordinals[place]))):
            yield wrong(f"{_at(place)}: its facts have the ordinals {ordinals[place]}")
    for place in sorted(place for place in ordinals.keys() - records.keys() if kept.has(*place)):
        yield wrong(f"{_at(place)} has an outcome but there is no such record")


def outcomes(stored: Sequence[StoredFact]) -> Sequence[StoredFact]:
    """The outcomes of all records; of a released one without the provisional one that it had before."""
    released = {fact.place for fact in stored if fact.answer and fact.ordinal == RELEASED}
    return [fact for fact in stored if fact.answer and not (fact.provisional and fact.place in released)]


def parked(stored: Sequence[StoredFact]) -> Iterable[Misfit]:
    """What has a provisional outcome waits for its release, and nothing else does."""
    final = {fact.fact_id for fact in outcomes(stored)}
    for fact in stored:
        if fact.provisional and fact.fact_id in final and not fact.waits:
            yield lost(f"{_at(fact.place)} has a provisional outcome, and nobody will release it")
        elif fact.waits and not (fact.provisional and fact.fact_id in final):
            yield wrong(f"{_at(fact.place)} waits for its release, but has its outcome")


def versions(stored: Sequence[StoredFact], current: Mapping[UUID, int]) -> Iterable[Misfit]:
    """A referral's versions count its applied declarations without holes, and the state is at the last one."""
    applied: dict[UUID, list[int]] = defaultdict(list)
    for fact in stored:
        if fact.referral is not None and fact.version is not None:
            applied[fact.referral].append(fact.version)
    for referral in dict.fromkeys((*applied, *current)):
        found = applied.get(referral, [])
        if found != list(range(1, len(found) + 1)):
            yield wrong(f"referral {referral}: its facts have the versions {found[:20]}")
        elif current.get(referral) != len(found):
            yield wrong(f"referral {referral}: state at version {current.get(referral)}, facts at {len(found)}")


def published_facts(seen: Sequence[Seen], stored: Sequence[StoredFact], kept: Kept = ALL) -> Iterable[Misfit]:
    """Every stored fact was published, nothing else was, and a referral's versions appear in order."""
    published = [one.fact for one in seen if one.topic == topics.FACTS and one.fact]
    unreadable = sum(1 for one in seen if one.topic == topics.FACTS and one.fact is None)
    if unreadable:
        yield lost(f"{unreadable} records of {topics.FACTS} cannot be read")
    known = dict.fromkeys(fact.fact_id for fact in stored)
    told = dict.fromkeys(fact.id for fact in published)
    yield from (
        lost(f"fact {id} is stored but was not published")
        for id in known  # noqa: A001
        if id not in told and not kept.forgot(topics.FACTS, id)
    )
    yield from (wrong(f"fact {id} was published but is not stored") for id in told if id not in known)  # noqa: A001
    last: dict[UUID, int] = {}
    for old in stored:
        if old.referral is not None and old.version is not None and kept.forgot(topics.FACTS, old.fact_id):
            last[old.referral] = max(last.get(old.referral, 0), old.version)
    for fact in published:
        if isinstance(fact.data, Applied) and fact.referral is not None:
            before = last.get(fact.referral, 0)
            # A crash may repeat a batch; what may not happen is a version that was never preceded.
            if fact.data.version > before + 1:
                yield lost(f"referral {fact.referral}: version {fact.data.version} was published after {before}")
            last[fact.referral] = max(before, fact.data.version)


def told_parties(seen: Sequence[Seen], stored: Sequence[StoredFact], kept: Kept = ALL) -> Iterable[Misfit]:
    """Every party's topic has exactly the facts that concern it, and a referral's versions there are in order."""
    told: dict[str, dict[UUID, Fact]] = defaultdict(dict)  # by first appearance: a crash may repeat a batch
    for one in seen:
        if one.topic.startswith(OUTBOUND):
            if one.fact is not None:
                told[one.topic].setdefault(one.fact.id, one.fact)
            elif one.sealed is None:
                yield lost(f"{_at(_place(one))} cannot be read")
    wanted: dict[str, dict[UUID, None]] = defaultdict(dict)
    for fact in stored:
        for party in fact.parties:
            wanted[topics.outbound(party)][fact.fact_id] = None
    for topic in sorted(wanted.keys() | told.keys()):
        found, due = told.get(topic, {}), wanted[topic]
        yield from (
            lost(f"{topic} has not had fact {id}")
            for id in due  # noqa: A001
            if id not in found and not kept.forgot(topic, id)
        )
        yield from (wrong(f"{topic} has fact {id}, which is not for it") for id in found if id not in due)  # noqa: A001
        last: dict[UUID, int] = {}
        for told_fact in found.values():
            if isinstance(told_fact.data, Applied) and told_fact.referral is not None:
                before = last.get(told_fact.referral, 0)
                if told_fact.data.version <= before:
                    yield wrong(
                        f"{topic}: referral {told_fact.referral} has version {told_fact.data.version} after {before}"
                    )
                last[told_fact.referral] = max(before, told_fact.data.version)


def sealed_parts(seen: Sequence[Seen], stored: Sequence[StoredFact], kept: Kept = ALL) -> Iterable[Misfit]:
    """Sealed parts reached their recipients, nobody else, directly behind their fact and with the bytes it names."""
    recipients = {fact.fact_id: fact.sealed_for for fact in stored}
    arrived: set[UUID] = set()
    before: dict[tuple[str, int], Seen] = {}
    for one in seen:
        previous = before.get((one.topic, one.partition))
        before[one.topic, one.partition] = one
        if one.sealed is None:
            continue
        if previous is None and one.offset and one.offset == kept.first.get((one.topic, one.partition)):
            continue  # its fact was the last that the topic forgot
        at, fact = _at(_place(one)), previous.fact if previous else None
        if fact is None or fact.id != one.sealed.fact_id:
            yield wrong(f"{at}: a sealed part stands behind something else than its fact {one.sealed.fact_id}")
            continue
        recipient = recipients.get(fact.id)
        if recipient is None or one.topic != topics.outbound(recipient):
            yield wrong(f"{at}: the sealed part of fact {fact.id} is not for this topic")
        elif not isinstance(fact.data, Applied) or fact.data.sealed_sha256 != one.sealed.sha256:
            yield wrong(f"{at}: the sealed part of fact {fact.id} is not the one that the fact names")
        else:
            arrived.add(fact.id)
    for id, recipient in recipients.items():  # noqa: A001
        if recipient is not None and id not in arrived and not kept.forgot(topics.outbound(recipient), id):
            yield lost(f"{topics.outbound(recipient)} has not had the sealed part of fact {id}")
    named = {
        one.fact.id
        for one in seen
        if one.fact and isinstance(one.fact.data, Applied) and one.fact.data.sealed_sha256
        if not _over(one.fact.time, kept)
    }
    for id in named:  # noqa: A001
        if recipients.get(id) is None:
            yield lost(f"fact {id} names a sealed part that is not stored")


def canary_free(seen: Sequence[Seen]) -> Iterable[Misfit]:
    """No record that we write shows what stood in sealed parts and unreadable records only."""
    yield from (wrong(f"{_at(_place(one))} holds personal data") for one in seen if one.leaks)


def alerts(
    seen: Sequence[Seen],
    stored: Sequence[StoredAlert],
    members: Mapping[str, Institution],
    mailed: Counter[str],
    kept: Kept = ALL,
) -> Iterable[Misfit]:
    """Alerts are exactly the plan recomputed from the facts; every e-mail arrived, under its alert's id."""
    distinct: dict[UUID, Fact] = {one.fact.id: one.fact for one in seen if one.topic == topics.FACTS and one.fact}
    planned = dict.fromkeys(
        (alert.fact_id, alert.recipient, str(alert.channel))
        for fact in distinct.values()
        for alert in plan(fact, members)
    )
    found = Counter((alert.fact_id, alert.recipient, alert.channel) for alert in stored)
    yield from (
        lost(f"fact {f}: {to} was not alerted through {by}") for f, to, by in planned if (f, to, by) not in found
    )
    yield from (
        doubled(f"fact {f}: {to} was alerted through {by} for no reason")
        for f, to, by in found
        if (f, to, by) not in planned and not kept.forgot(topics.FACTS, f)
    )
    yield from (
        doubled(f"fact {f}: {to} was alerted {n} times through {by}") for (f, to, by), n in found.items() if n > 1
    )
    wanted = dict.fromkeys(str(alert.alert_id) for alert in stored if alert.channel == "email")
    yield from (lost(f"e-mail {id} never arrived") for id in wanted if id not in mailed)  # noqa: A001
    yield from (doubled(f"e-mail {id} belongs to no alert") for id in mailed if id not in wanted)  # noqa: A001


def leaves(seen: Sequence[Seen], logged: Counter[Place], kept: Kept = ALL) -> Iterable[Misfit]:
    """Every record of the logged topics has one leaf, and no leaf is without its record."""
    records = {_place(one) for one in seen if not one.topic.startswith(OUTBOUND)}
    for place in sorted(records | logged.keys()):
        count = logged[place]
        if place not in records and not kept.has(*place):
            continue
        if place not in records:
            yield wrong(f"{_at(place)} has a leaf but there is no such record")
        elif count != 1:
            yield _counted(count, f"{_at(place)} has {count} leaves")


def _over(time: datetime, kept: Kept) -> bool:
    """Whether the sealed part of a fact of that time is kept no longer."""
    return kept.now is not None and kept.now - time > topics.INSTITUTION_KEPT


def _counted(count: int, text: str) -> Misfit:
    return doubled(text) if count > 1 else lost(text)


def _place(one: Seen) -> Place:
    return one.topic, one.partition, one.offset


def _at(place: Place) -> str:
    return f"{place[0]}-{place[1]} offset {place[2]}"
