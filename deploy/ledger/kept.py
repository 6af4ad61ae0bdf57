"""What Kafka still has. Topics forget their oldest records; the ledger then begins where they do, and says so. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts import topics
from deploy.ledger.kafka import OUTBOUND, Seen
from deploy.ledger.stored import StoredFact
from services.runtime.kafka import partition


@dataclass(frozen=True, slots=True)
class Kept:
    """Where each partition begins (topic, partition), the facts that a topic has forgotten, and when it was looked."""

    first: Mapping[tuple[str, int], int] = field(default_factory=dict)
    forgotten: Mapping[str, frozenset[UUID]] = field(default_factory=dict)
    now: datetime | None = None

    def has(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a record with these coordinates is still there, if it ever was."""
        return offset >= self.first.get((topic, partition), 0)

    def forgot(self, topic: str, fact: UUID) -> bool:
        """Whether a topic had this fact so long ago that it need not have it any more."""
        return fact in self.forgotten.get(topic, ())


def kept(
    seen: Sequence[Seen], stored: Sequence[StoredFact], first: Mapping[tuple[str, int], int], now: datetime
) -> Kept:
    """``stored``: in the order in which the facts were decided, which is that in which each partition had them."""
    order = {fact.fact_id: number for number, fact in enumerate(stored)}
    oldest: dict[tuple[str, int], int] = {}
    for one in seen:
        if one.fact is not None and one.fact.id in order:
            where = one.topic, one.partition
            oldest[where] = min(oldest.get(where, len(order)), order[one.fact.id])
    forgotten: dict[str, frozenset[UUID]] = {}
    for topic in {topic for (topic, _), offset in first.items() if offset}:
        if topic == topics.FACTS or topic.startswith(OUTBOUND):
            count = sum(1 for name, _ in first if name == topic)
            places = ((fact, (topic, partition(_key(fact), count))) for fact in stored)
            forgotten[topic] = frozenset(
                fact.fact_id
                for fact, where in places
                if first.get(where, 0) and order[fact.fact_id] < oldest.get(where, len(order))
            )
    return Kept(dict(first), forgotten, now)


def _key(fact: StoredFact) -> bytes:
    return str(fact.referral or fact.owner).encode()
