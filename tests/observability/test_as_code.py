"""Dashboards and rules are written from their code, and name only metrics that there are."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from deploy.observability import alerts, dashboard, generate
from services.runtime.metrics import METRICS, Kind

PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
"""From the Prometheus client itself; tests/runtime/test_telemetry.py finds them exposed."""

EXPOSED = {one.exposed: one for one in METRICS.values()}


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression with where it stands."""
    for rule in alerts.RULES:
        yield rule.name, rule.expression
    for _, row in dashboard.ROWS:
        for panel in row:
            for expression in panel.expressions.values():
                yield panel.title, expression


def named(expression: str) -> set[str]:
    """The metrics that an expression reads."""
    return set(re.findall(r"\b(?:ruta|process)_[a-z_]+\b", expression)) | set(re.findall(r"\bup\b", expression))


def test_the_files_are_what_the_code_says() -> None:
    for path, content in generate.files().items():
        assert path.read_text("utf-8") == content, f"{path.name}: run python -m deploy.observability.generate"


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_every_metric_that_is_named_is_there(where: str, expression: str) -> None:
    metrics = named(expression)
    assert metrics, where
    for name in metrics - PROCESS - {"up"}:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        metric = EXPOSED.get(name) or EXPOSED.get(base)
        assert metric is not None, f"{where}: {name} is no metric of ours"
        assert (metric.kind is Kind.HISTOGRAM) == (name != metric.exposed), f"{where}: {name}"
        for label in re.findall(r"(\w+)=~?\"", expression) + re.findall(r"by \(([^)]*)\)", expression):
            for one in label.split(", "):
                assert one in (*metric.attributes, "job", "instance", "le"), f"{where}: {name} has no {one}"
    # A counter is only ever read as a rate, a gauge never.
    for name in metrics:
        counted = name.endswith(("_total", "_bucket", "_count", "_sum"))
        assert counted == bool(re.search(rf"(rate|increase)\({name}", expression)), where


def test_every_metric_is_looked_at() -> None:
    seen = {re.sub(r"_(bucket|sum|count)$", "", name) for _, expression in expressions() for name in named(expression)}
    assert seen >= EXPOSED.keys()


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    assert len({rule.name for rule in alerts.RULES}) == len(alerts.RULES)
    for rule in alerts.RULES:
        assert rule.summary.endswith(".")
        assert rule.action.endswith(".")


def test_panels_fill_the_grid_and_do_not_overlap() -> None:
    for _, row in dashboard.ROWS:
        assert sum(panel.width for panel in row) == dashboard.COLUMNS


@pytest.mark.parametrize(("what", "file"), [("rules", "alerts.yaml"), ("config", "prometheus.yaml")])
def test_prometheus_accepts_the_files(what: str, file: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH: Debian's package prometheus has it")
    done = subprocess.run(
        [promtool, "check", what, str(generate.FOLDER / file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
