"""Every metric there is, with its meaning: instruments are made from this table and from nothing else.

Names, kinds and units follow OpenTelemetry; ``exposed`` is the name at ``/metrics`` (Prometheus). Attribute values are
codes of the contracts, topics and names of our own parts: few, bounded, and never about a person or a referral.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from contracts import topics
from contracts.receipts import ReceiptStatus
from contracts.values import Problem


class Kind(StrEnum):
    """What a metric is: only ever counted up, a distribution, or a value of now."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


REFERRALS, NOTIFICATIONS, AUDIT = "referrals", "notifications", "audit"
ALL = (REFERRALS, NOTIFICATIONS, AUDIT)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)

_SUFFIXES = {"s": "_seconds", "By": "_bytes"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: ``unit`` in UCUM (``s``, ``{record}``), ``attributes`` by name, the services that have it.

    ``zeros``: what a counter exposes from the start, at 0. An alert waits for the first of these, and Prometheus sees
    no increase in a series that begins with its first event.
    """

    name: str
    kind: Kind
    unit: str
    says: str
    services: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    zeros: tuple[Mapping[str, str], ...] = ()

    @property
    def exposed(self) -> str:
        """The name at ``/metrics``; histograms add ``_bucket``, ``_sum`` and ``_count`` to it."""
        total = "_total" if self.kind is Kind.COUNTER else ""
        return self.name.replace(".", "_") + _SUFFIXES.get(self.unit, "") + total


_ALL = (
    Metric("ruta.ready", Kind.GAUGE, "1", "1 while the service makes progress, 0 while it waits for something", ALL),
    Metric(
        "ruta.lag", Kind.GAUGE, "{record}",
        "records that wait in Kafka, by topic; it returns to 0 whenever the service has caught up", ALL, ("topic",),
    ),
    Metric(
        "ruta.batch.size", Kind.HISTOGRAM, "{record}",
        "records of a batch: small at low load, up to the limit while a backlog is taken", ALL, (), SIZES,
    ),
    Metric(
        "ruta.batch.duration", Kind.HISTOGRAM, "s", "from the records in hand to the transaction committed",
        ALL, (), SECONDS,
    ),
    Metric(
        "ruta.outcomes", Kind.COUNTER, "{record}",
        "declarations answered, by outcome and, for refused and quarantined ones, by reason code",
        (REFERRALS,), ("outcome", "reason"), zeros=({"outcome": "quarantined", "reason": Problem.INTERNAL_ERROR},),
    ),
    Metric(
        "ruta.parked", Kind.GAUGE, "{record}",
        "records that wait for a mend of our own rules and their release (ruta quarantine release)", (REFERRALS,),
    ),
    Metric(
        "ruta.parked.age", Kind.GAUGE, "s",
        f"how long the oldest of them has waited; Kafka keeps it for {topics.INSTITUTION_KEPT.days} days", (REFERRALS,),
    ),
    Metric(
        "ruta.watermark.age", Kind.GAUGE, "s",
        "how far the least consumed inbound topic is behind now; deadlines are judged only up to there", (REFERRALS,),
    ),
    Metric(
        "ruta.outbox.age", Kind.GAUGE, "s",
        "how long the oldest row that Kafka has not acknowledged has been there; 0 when there is none",
        (REFERRALS, NOTIFICATIONS),
    ),
    Metric(
        "ruta.outbox.sent", Kind.COUNTER, "{row}", "rows of the outbox that Kafka has acknowledged",
        (REFERRALS, NOTIFICATIONS),
    ),
    Metric("ruta.alerts", Kind.COUNTER, "{alert}", "alerts planned, by channel", (NOTIFICATIONS,), ("channel",)),
    Metric(
        "ruta.alert.latency", Kind.HISTOGRAM, "s",
        "from Kafka's receipt of the declaration until its alert lies in the inbox (the oldest of each batch) or the "
        "mail server has taken its mail (each)",
        (NOTIFICATIONS,), ("channel",), SECONDS,
    ),
    Metric(
        "ruta.mail.attempts", Kind.COUNTER, "{attempt}", "attempts to send a mail, by what became of them",
        (NOTIFICATIONS,), ("status",), zeros=({"status": ReceiptStatus.UNDELIVERABLE},),
    ),
    Metric("ruta.mail.waiting", Kind.GAUGE, "{mail}", "mails that wait to be sent", (NOTIFICATIONS,)),
    Metric(
        "ruta.mail.age", Kind.GAUGE, "s", "how long the oldest mail has waited to be sent; 0 when none waits",
        (NOTIFICATIONS,),
    ),
    Metric(
        "ruta.unreadable", Kind.GAUGE, "{record}",
        "facts that this version cannot read, while Kafka has them: nobody is alerted of them until one can",
        (NOTIFICATIONS,),
    ),
    Metric(
        "ruta.leaves", Kind.COUNTER, "{leaf}", "leaves added to the log, by kind", (AUDIT,), ("kind",),
        zeros=({"kind": "conflict"}, {"kind": "gap"}),
    ),
    Metric("ruta.tree.size", Kind.GAUGE, "{leaf}", "leaves under the newest signed checkpoint", (AUDIT,)),
    Metric(
        "ruta.checkpoint.age", Kind.GAUGE, "s",
        "time since the newest checkpoint was signed; it grows while nothing is published, too", (AUDIT,),
    ),
    Metric(
        "ruta.sequencing.latency", Kind.HISTOGRAM, "s",
        "from Kafka's receipt of a record until its leaf is under a signed checkpoint, of the oldest of each batch",
        (AUDIT,), (), SECONDS,
    ),
)  # fmt: skip

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})
"""Every metric by name."""
