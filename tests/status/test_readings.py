"""The figures of the status page follow from what services expose, restarts and silence included."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.status import readings, view, wording
from deploy.status.readings import COUNTED, SILENT, Look, Reading
from services.runtime.metrics import METRICS
from services.runtime.telemetry import Telemetry

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def said(service: str, *missing: str, **counts: float) -> Reading:
    """What a real process exposes after it counted this much."""
    telemetry = Telemetry(service, environment={})
    for name, amount in counts.items():
        metric = METRICS["ruta." + name.replace("_", ".")]
        labels = dict.fromkeys(metric.attributes, "inbox")
        if metric.kind == "counter":
            telemetry.add(metric.name, amount, **labels)
        elif metric.kind == "histogram":
            telemetry.record(metric.name, amount, **labels)
        else:
            telemetry.watch(metric.name, lambda amount=amount, labels=labels: [(amount, labels)])  # type: ignore[misc]
    return readings.read({"ready": not missing, "missing": list(missing)}, telemetry.exposition().decode())


def look(seconds: float, of: Mapping[str, Reading]) -> Look:
    return Look(NOW + timedelta(seconds=seconds), of)


def test_a_service_of_several_processes_is_their_sum() -> None:
    both = look(0, {"referrals": said("referrals", lag=3), "referrals-2": said("referrals", lag=4)})
    assert readings.total(both, "referrals", "ruta.lag") == 7
    assert readings.highest(both, "referrals", "ruta.lag") == 4
    assert readings.total(both, "audit", "ruta.lag") is None


@pytest.mark.parametrize(("service", "metric"), COUNTED.items())
def test_a_rate_is_what_was_counted_between_two_looks(service: str, metric: str) -> None:
    name = metric.removeprefix("ruta.")
    before, after = (look(at, {service: said(service, **{name: count})}) for at, count in ((0, 10), (5, 60)))
    assert readings.rate(before, after, service) == 10


def test_a_process_that_began_anew_counts_from_nothing() -> None:
    before, after = look(0, {"audit": said("audit", leaves=100)}), look(5, {"audit": said("audit", leaves=20)})
    assert readings.rate(before, after, "audit") == 4


@pytest.mark.parametrize("silent", [0, 1])
def test_no_rate_where_a_look_got_no_answer(silent: int) -> None:
    before, after = (look(at, {"audit": SILENT if at == silent else said("audit", leaves=at)}) for at in (0, 1))
    assert readings.rate(before, after, "audit") is None


def test_a_quantile_is_of_what_came_between_the_looks() -> None:
    before = look(0, {"notifications": said("notifications", alert_latency=200.0)})
    telemetry = said("notifications", alert_latency=0.02)
    samples = {
        name: [(labels, value + old) for (labels, value), (_, old) in zip(values, earlier, strict=True)]
        for name, values in telemetry.samples.items()
        if (earlier := before.readings["notifications"].samples.get(name))
    }
    after = look(60, {"notifications": Reading((), samples)})
    assert readings.quantile(before, after, "notifications", "ruta.alert.latency", 0.95, channel="inbox") == 0.025
    assert readings.quantile(after, after, "notifications", "ruta.alert.latency", 0.95, channel="inbox") is None
    assert readings.quantile(before, after, "notifications", "ruta.alert.latency", 0.95, channel="email") is None


def test_what_a_process_waits_for_is_said_in_spanish() -> None:
    now = look(0, {"referrals-2": said("referrals", "PostgreSQL does not answer", "ruta.in.imebu.v1 is not read yet"),
                   "audit": SILENT, "notifications": said("notifications", "something new")})  # fmt: skip
    first, second, third = view.processes(now)
    assert (first.name, first.missing) == ("Remisiones 2", ("PostgreSQL no responde", "aún no se lee ruta.in.imebu.v1"))
    assert not second.answers
    assert third.missing == ("something new",)
    assert not any(one.ready for one in (first, second, third))


def test_tables_have_a_row_for_each_minute_newest_first() -> None:
    looks = [look(at, {"audit": said("audit", lag=at, leaves=at * 60)}) for at in range(0, 181, 30)]
    lag, rate = view.plots(looks)
    assert [row.values[2] for row in lag.rows] == ["180", "150", "90", "30"]
    assert [row.values[2] for row in rate.rows] == ["60,0", "60,0", "60,0"]
    assert [row.values[0] for row in lag.rows] == ["–"] * 4
    assert len(lag.lines["Registro"]) == len(looks)


def test_nothing_known_is_no_number() -> None:
    assert {figure.value for figure in view.figures([look(0, dict.fromkeys(COUNTED, SILENT))])} == {"–", "sin avisos"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.0123, "12 ms"), (1, "1 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (None, "–")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize("answer", [([], ""), ({}, ""), ({"missing": None}, ""), ({"missing": []}, "not { metrics")])
def test_another_programs_answer_is_an_error(answer: tuple[Any, str]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        readings.read(*answer)
