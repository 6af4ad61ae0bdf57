"""Dashboards and rules are written from their code, and name only metrics that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from deploy.observability import alerts, dashboard, generate
from services.runtime.metrics import METRICS, Kind
from services.runtime.telemetry import Telemetry

PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds"}
"""From the Prometheus client itself."""

EXPOSED = {one.exposed: one for one in METRICS.values()}
SELECTED = [
    (rule, name, matchers)
    for rule in alerts.RULES
    for name, matchers in dict.fromkeys(re.findall(r"\b(ruta_\w+_total){([^}]*)}", rule.expression))
]
"""Every counter of which a rule selects series by label, and the labels."""


def fresh(service: str) -> list[Sample]:
    """What a service exposes before anything has happened."""
    text = Telemetry(service, environment={}).exposition().decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


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
    # A counter is read as a rate (that of a young process beside it as it is), a gauge never.
    for name in metrics:
        counted = name.endswith(("_total", "_bucket", "_count", "_sum"))
        assert counted == bool(re.search(rf"(rate|increase)\({name}", expression)), where


@pytest.mark.parametrize(("rule", "name", "matchers"), SELECTED, ids=lambda one: getattr(one, "name", None))
def test_what_a_rule_waits_for_is_there_before_its_first_event(rule: alerts.Rule, name: str, matchers: str) -> None:
    labels = [
        [(label, value) for value in values.split("|")] for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers)
    ]
    for service in EXPOSED[name].services:
        shown = [sample.labels.items() for sample in fresh(service) if sample.name == name]
        for series in product(*labels):
            assert any(dict(series).items() <= one for one in shown), f"{rule.name}: {service} has no {name} {series}"


def test_every_service_tells_of_its_process() -> None:
    for service in {service for metric in METRICS.values() for service in metric.services}:
        assert {sample.name for sample in fresh(service)} >= PROCESS


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


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool on PATH: Debian's package prometheus has it")
    return found


@pytest.mark.parametrize(("what", "file"), [("rules", "alerts.yaml"), ("config", "prometheus.yaml")])
def test_prometheus_accepts_the_files(promtool: str, what: str, file: str) -> None:
    accepted(promtool, "check", what, str(generate.FOLDER / file))


ONCE = [(rule, name, matchers) for rule, name, matchers in SELECTED if "increase(" in rule.expression]


@pytest.mark.parametrize(("rule", "name", "matchers"), ONCE, ids=lambda one: getattr(one, "name", None))
def test_the_first_event_alerts(promtool: str, tmp_path: Path, rule: alerts.Rule, name: str, matchers: str) -> None:
    """In an old process, in one that counts it before its first scrape, and in none that counts nothing."""
    ((label, values),) = re.findall(r'(\w+)=~?"([^"]*)"', matchers)
    value = values.partition("|")[0]
    counted = {"old": "0x30 1x30", "young": "_x30 1x30", "idle": "0x60"}
    began = {"old": "-90000x60", "young": "_x30 1800x30", "idle": "-90000x60"}
    series = {f'{name}{{{label}="{value}",instance="{who}"}}': values for who, values in counted.items()}
    series |= {f'process_start_time_seconds{{instance="{who}"}}': values for who, values in began.items()}
    labels = {label: value, "severity": "page" if rule.page else "ticket"}
    told = {"summary": rule.summary, "description": rule.action}
    fired = [{"exp_labels": {"instance": who, **labels}, "exp_annotations": told} for who in ("old", "young")]
    test = {
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "alert_rule_test": [{"eval_time": "32m", "alertname": rule.name, "exp_alerts": fired}],
    }
    file = tmp_path / "test.yaml"
    rules = [str(generate.FOLDER / "alerts.yaml")]
    file.write_text(json.dumps({"rule_files": rules, "evaluation_interval": "1m", "tests": [test]}), "utf-8")
    accepted(promtool, "test", "rules", str(file))


def accepted(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
