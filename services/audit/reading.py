"""What the log takes from a record: whose it is, which event, which referral. Total, and blind to the content.

Only what can be judged without the value (``codec.head_of``) and whose topic it is. Whether the value means anything
is the referral service's decision, and that decision is a fact with a leaf of its own.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from contracts import codec, facts, receipts, topics
from contracts import envelope as ce
from contracts.codec import Record
from contracts.declarations import TYPE_PREFIX
from contracts.envelope import Envelope, Flaw, timestamp
from contracts.values import Problem

_OWN_TYPE = re.compile(
    rf"(?:{re.escape(facts.TYPE_PREFIX)}|{re.escape(receipts.TYPE_PREFIX)})[a-z-]{{1,32}}\.v[0-9]{{1,3}}"
)
LOST, HOLE, CLOSED = "lost", "hole", "closed"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MILLISECOND = 253_402_300_799_999
"""The end of the year 9999: a producer's clock may say anything."""


class Arrival(NamedTuple):
    """A record with its unique coordinates and what its envelope says. ``flaw`` set: it says nothing that counts, and
    ``referral`` is the one that it names all the same, where that much can be read.

    ``owner`` alone may write to the topic; for the topic of our pages it is the institution in whose name they wrote.
    Ids are texts in UUID's usual form: they are looked up and written out far more often than taken apart.
    """

    record: Record
    cluster: str
    topic_id: str
    owner: str
    event: str | None = None
    type: str | None = None
    time: str | None = None
    referral: str | None = None
    cause: str | None = None
    flaw: str | None = None

    @property
    def scope(self) -> tuple[str, str]:
        """Whose key seals it: of a referral at one owner, or of a month's records of an owner that name none."""
        return self.owner, self.referral or month(self.record.timestamp)


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets without a leaf of a record, ``first`` to ``last``.

    ``why``: lost (Kafka has dropped them), hole (Kafka jumps over them; whether there were any it does not tell), or
    closed: they have their leaves in the log that this one goes on from, whose last ``checkpoint`` (its text) is then
    named, and how many of its leaves are ``kept``.
    """

    cluster: str
    topic: str
    topic_id: str
    partition: int
    first: int
    last: int
    why: str
    checkpoint: str | None = None
    kept: int | None = None


@cache
def owner(topic: str) -> str:
    """Who alone may write to a logged topic: an institution, the desk, or the service of ours that does."""
    own = {topics.FACTS: topics.REFERRALS, topics.ALERTS: topics.NOTIFICATIONS}.get(topic)
    return own or topics.owner(topic) or topic


def logged(topic: str) -> bool:
    """Whether the records of a topic get leaves."""
    return topic in (topics.FACTS, topics.ALERTS) or topics.owner(topic) is not None


def read(record: Record, cluster: str, topic_id: str) -> Arrival:
    """Read a record of a logged topic. Never raises."""
    whose = owner(record.topic)
    if record.topic in (topics.FACTS, topics.ALERTS):
        return _read_own(record, cluster, topic_id, whose)
    head = codec.head_of(record)
    if isinstance(head, Envelope) and whose == topics.DESK:
        whose = head.institution
    if isinstance(head, Envelope) and head.institution != whose:
        head = Flaw(Problem.SOURCE_NOT_OWNER, envelope=head)
    if isinstance(head, Flaw):
        named = str(head.envelope.referral) if head.envelope else None
        return Arrival(record, cluster, topic_id, whose, referral=named, flaw=str(head.problem))
    return Arrival(
        record, cluster, topic_id, whose, str(head.id), f"{TYPE_PREFIX}{head.verb}.v1", timestamp(head.time),
        str(head.referral), str(head.causation) if head.causation else None,
    )  # fmt: skip


def _read_own(record: Record, cluster: str, topic_id: str, whose: str) -> Arrival:
    texts = ce.read_headers(record.headers)
    if isinstance(texts, Flaw):
        return Arrival(record, cluster, topic_id, whose, flaw=str(texts.problem))
    time = ce.read_time(texts.get("ce_time", ""))
    if time is None or not _OWN_TYPE.fullmatch(texts.get("ce_type", "")):
        return Arrival(record, cluster, topic_id, whose, flaw=str(Problem.HEADER_INVALID))
    event, referral, cause = texts.get("ce_id", ""), texts.get("ce_subject"), texts.get("ce_causationid")
    if not all(ce.is_uuid(one) for one in (event, referral, cause) if one is not None):
        return Arrival(record, cluster, topic_id, whose, flaw=str(Problem.HEADER_INVALID))
    return Arrival(record, cluster, topic_id, whose, event, texts["ce_type"], timestamp(time), referral, cause)


def month(milliseconds: int) -> str:
    """The UTC month of a broker time: ``2026-11``. Times that no calendar has count as the first month or the last."""
    bounded = min(max(milliseconds, 0), LAST_MILLISECOND)
    return f"{_EPOCH + timedelta(milliseconds=bounded):%Y-%m}"
