"""When somebody must look, what it means, and what to do: Prometheus' alert rules."""

from dataclasses import dataclass
from typing import Any

from contracts import topics

_HALF_KEPT = topics.INSTITUTION_KEPT.days // 2
"""Days: half of the time for which what waits is in Kafka."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert: ``expression`` holds for ``minutes``. ``page``: somebody is called, otherwise it waits for morning."""

    name: str
    expression: str
    minutes: int
    page: bool
    summary: str
    action: str


def _counted(series: str, minutes: int) -> str:
    """Anything was counted in the last ``minutes``: also before a process's first scrape, which no increase shows."""
    young = f"time() - process_start_time_seconds < {60 * minutes}"
    return f"increase({series}[{minutes}m]) > 0 or {series} > 0 and on (job, instance) {young}"


RULES = (
    Rule(
        "RutaNotReady", "min by (job, instance) (ruta_ready) == 0", 1, True,
        "A service makes no progress.",
        "GET /readyz of the service says what it waits for; its log says since when.",
    ),
    Rule(
        "RutaGone", 'up{job=~"ruta-.*"} == 0', 1, True,
        "A service does not answer at all.",
        "The last lines of its log say why. A log that refuses to go on: never delete anything, ./ruta audit verify.",
    ),
    Rule(
        "RutaRestarts", 'changes(process_start_time_seconds{job=~"ruta-.*"}[10m]) > 3', 1, True,
        "A process ends again and again; between two of its ends it may answer and look well.",
        "The last lines of its log before each end say why; of a log that refuses to go on, see RutaGone.",
    ),
    Rule(
        "RutaLag", "sum by (job) (ruta_lag) > 5000", 5, True,
        "Records wait in Kafka longer than a burst explains.",
        "Compare batch size and duration with usual days; a second worker (--workers) helps where a core is free.",
    ),
    Rule(
        "RutaWatermarkBehind", "max(ruta_watermark_age_seconds) > 300", 1, True,
        "Declarations of five minutes ago are not decided yet; deadlines are not judged meanwhile.",
        "Look at the lag by topic: one topic that stands still holds the watermark of all.",
    ),
    Rule(
        "RutaOutboxOld", "max by (job) (ruta_outbox_age_seconds) > 30", 1, True,
        "What was decided does not reach Kafka.",
        "Kafka's disk and log first; the facts are safe in PostgreSQL and are sent when it takes them again.",
    ),
    Rule(
        "RutaAlertsSlow",
        "histogram_quantile(0.99, sum by (le) (rate(ruta_alert_latency_seconds_bucket{channel=\"inbox\"}[5m]))) > 10",
        5, False,
        "One alert in a hundred needs more than ten seconds to its inbox.",
        "Lag and outbox age say where it waits.",
    ),
    Rule(
        "RutaMailWaiting", "max(ruta_mail_age_seconds) > 900", 1, True,
        "A mail has waited for a quarter of an hour.",
        "GET /v1/counts of notifications says whether the mail server is down; urgent referrals may need a call.",
    ),
    Rule(
        "RutaMailUndeliverable", _counted('ruta_mail_attempts_total{status="undeliverable"}', 60), 1, False,
        "A mail was given up.",
        "The institution's contact point is wrong or full: correct the directory and tell the institution.",
    ),
    Rule(
        "RutaFactsUnreadable", "max(ruta_unreadable) > 0", 1, True,
        "Facts that notifications cannot read: nobody is alerted of them.",
        "Deploy notifications in the version of referrals; it reads them again at its start, for as long as Kafka has "
        f"them ({topics.SHARED_KEPT.days} days). Its log names them.",
    ),
    Rule(
        "RutaInternalError", _counted('ruta_outcomes_total{reason="internal-error"}', 10), 1, True,
        "The rules failed on a declaration; its sender waits for us.",
        "./ruta quarantine list names the record; the critical line of the log names the place in the code.",
    ),
    Rule(
        "RutaParked", "max(ruta_parked_age_seconds) > 3600", 1, True,
        "Records have waited for an hour for a mend of our rules; their referrals stand still.",
        "Mend the rules, start the referral service again, then ./ruta quarantine release.",
    ),
    Rule(
        "RutaParkedNearRetention", f"max(ruta_parked_age_seconds) > {_HALF_KEPT} * 86400", 1, True,
        f"Records that wait for their release are in Kafka for {_HALF_KEPT} days more at most.",
        "Lengthen retention.ms of their topics now (./ruta quarantine list names them); then mend and release.",
    ),
    Rule(
        "RutaQuarantineFlood", 'sum(rate(ruta_outcomes_total{outcome="quarantined"}[5m])) > 1', 5, False,
        "An institution sends records that cannot be read.",
        "./ruta quarantine list names it and the reason; its developers get the same answer in their out topic.",
    ),
    Rule(
        "RutaLogBehind",
        "histogram_quantile(0.99, sum by (le) (rate(ruta_sequencing_latency_seconds_bucket[5m]))) > 30", 5, True,
        "Records reach the log late.",
        "Lag of the audit service; its disk; a second sequencer does not help, there is one by design.",
    ),
    Rule(
        "RutaLogSilent", "max(ruta_checkpoint_age_seconds) > 60 and sum(ruta_lag{job=\"ruta-audit\"}) > 0", 2, True,
        "Records wait and no checkpoint is signed.",
        "GET /readyz of audit says what it waits for. A log that refuses to go on ends: see RutaGone.",
    ),
    Rule(
        "RutaLogIrregular", _counted('ruta_leaves_total{kind=~"conflict|gap"}', 60), 1, False,
        "The log recorded a conflict or a gap.",
        "The log's page, filtered by kind, shows which and whose.",
    ),
    Rule(
        "RutaMemory", "process_resident_memory_bytes{job=~\"ruta-.*\"} > 1e9", 10, False,
        "A service holds more than a gigabyte.",
        "It is flat in every soak we ran; note what was different, then restart the process: nothing is lost.",
    ),
)  # fmt: skip
"""Every alert. Thresholds are generous: an alert that fires in vain is not read the next time."""


def document() -> dict[str, Any]:
    """The rules as Prometheus reads them."""
    rules = [
        {
            "alert": rule.name,
            "expr": rule.expression,
            "for": f"{rule.minutes}m",
            "labels": {"severity": "page" if rule.page else "ticket"},
            "annotations": {"summary": rule.summary, "description": rule.action},
        }
        for rule in RULES
    ]
    return {"groups": [{"name": "ruta", "rules": rules}]}
