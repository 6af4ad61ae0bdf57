"""The operator's dashboard for Grafana: from what people feel down to what the machine does."""

from dataclasses import dataclass, field
from typing import Any

COLUMNS = 24
"""Grafana's grid."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: expressions by their legend, in Prometheus' language; ``unit`` in Grafana's words."""

    title: str
    expressions: dict[str, str]
    unit: str = "short"
    width: int = 8
    kind: str = "timeseries"
    description: str = field(default="")


def _quantile(metric: str, share: float, by: str = "") -> str:
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({metric}_bucket[$__rate_interval])))"


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "What people feel",
        (
            Panel("Ready", {"{{job}} {{instance}}": "ruta_ready"}, width=6, kind="stat"),
            Panel(
                "Declaration to inbox",
                {f"p{share * 100:g}": _quantile("ruta_alert_latency_seconds", share) for share in (0.5, 0.95, 0.99)},
                "s", 9, description="From Kafka's receipt of the declaration to its alert, all channels.",
            ),
            Panel(
                "Answers", {"{{outcome}} {{reason}}": "sum by (outcome, reason) (rate(ruta_outcomes_total[5m]))"},
                "ops", 9,
            ),
        ),
    ),
    (
        "What waits",
        (
            Panel("Lag", {"{{job}}": "sum by (job) (ruta_lag)"}, width=4),
            Panel("Watermark age", {"behind now": "max(ruta_watermark_age_seconds)"}, "s", 5),
            Panel("Outbox age", {"{{job}}": "max by (job) (ruta_outbox_age_seconds)"}, "s", 5),
            Panel("Mails", {"waiting": "max(ruta_mail_waiting)", "oldest (s)": "max(ruta_mail_age_seconds)"}, width=5),
            Panel(
                "Parked", {"records": "max(ruta_parked)", "oldest (s)": "max(ruta_parked_age_seconds)"}, width=5,
                description="What waits for a mend of our own rules, and its release.",
            ),
        ),
    ),
    (
        "What is done",
        (
            Panel("Outbox", {"{{job}}": "sum by (job) (rate(ruta_outbox_sent_total[5m]))"}, "ops"),
            Panel(
                "Alerts and mails",
                {
                    "alerts {{channel}}": "sum by (channel) (rate(ruta_alerts_total[5m]))",
                    "mails {{status}}": "sum by (status) (rate(ruta_mail_attempts_total[5m]))",
                },
                "ops",
            ),
            Panel("Leaves", {"{{kind}}": "sum by (kind) (rate(ruta_leaves_total[5m]))"}, "ops"),
        ),
    ),
    (
        "The log",
        (
            Panel("Tree size", {"leaves": "max(ruta_tree_size)"}, kind="stat"),
            Panel("Checkpoint age", {"age": "max(ruta_checkpoint_age_seconds)"}, "s"),
            Panel("Record to checkpoint", {"p99": _quantile("ruta_sequencing_latency_seconds", 0.99)}, "s"),
        ),
    ),
    (
        "The machine",
        (
            Panel("Batch duration, p95", {"{{job}}": _quantile("ruta_batch_duration_seconds", 0.95, "job")}, "s", 6),
            Panel("Batch size, p95", {"{{job}}": _quantile("ruta_batch_size", 0.95, "job")}, width=6),
            Panel("Memory", {"{{job}}": 'process_resident_memory_bytes{job=~"ruta-.*"}'}, "bytes", 6),
            Panel("Processor", {"{{job}}": 'rate(process_cpu_seconds_total{job=~"ruta-.*"}[5m])'}, "percentunit", 6),
        ),
    ),
)  # fmt: skip


def document() -> dict[str, Any]:
    """The dashboard as Grafana imports it; the data source is chosen there."""
    panels: list[dict[str, Any]] = []
    down = 0
    for title, row in ROWS:
        panels.append(_placed(len(panels), {"type": "row", "title": title}, 0, down, COLUMNS, 1))
        across = 0
        for panel in row:
            panels.append(_placed(len(panels), _panel(panel), across, down + 1, panel.width, 8))
            across += panel.width
        down += 9
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "title": "Ruta",
        "uid": "ruta-operator",
        "schemaVersion": 41,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }


def _panel(panel: Panel) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + place), "expr": expression, "legendFormat": legend}
        for place, (legend, expression) in enumerate(panel.expressions.items())
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def _placed(number: int, panel: dict[str, Any], x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"id": number + 1, "gridPos": {"x": x, "y": y, "w": width, "h": height}, **panel}
