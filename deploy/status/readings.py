"""What one look at the services tells, from their answers alone. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from services.runtime.metrics import METRICS

COUNTED: Mapping[str, str] = {"referrals": "ruta.outcomes", "notifications": "ruta.alerts", "audit": "ruta.leaves"}
"""What each service gets done, counted: declarations answered, alerts planned, leaves added."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process said. ``missing`` None: it did not answer; empty: it is ready.

    ``samples`` are values by exposed name and one label's value (``le``, ``topic``, ``channel`` …; empty for none).
    """

    missing: Sequence[str] | None
    samples: Mapping[str, Sequence[tuple[Mapping[str, str], float]]]


SILENT = Reading(None, {})


@dataclass(frozen=True, slots=True)
class Look:
    """All processes at one time."""

    at: datetime
    readings: Mapping[str, Reading]

    def of(self, service: str) -> Iterable[Reading]:
        """The readings of a service's processes: one, or one for each worker."""
        return (reading for name, reading in self.readings.items() if name.partition("-")[0] == service)


def read(readiness: Mapping[str, Any], metrics: str) -> Reading:
    """A reading from the answers at /readyz and /metrics. Another program's raise ValueError, KeyError or TypeError."""
    samples: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return Reading(tuple(map(str, readiness["missing"])), samples)


def total(look: Look, service: str, metric: str) -> float | None:
    """The sum over a service's processes and all attributes; None while nobody knows."""
    values = _values(look, service, METRICS[metric].exposed)
    return sum(values) if values else None


def highest(look: Look, service: str, metric: str) -> float | None:
    """The largest value among a service's processes; None while nobody knows."""
    return max(_values(look, service, METRICS[metric].exposed), default=None)


def rate(before: Look, after: Look, service: str) -> float | None:
    """How much a service gets done per second between two looks; None where one of them knows nothing."""
    name = METRICS[COUNTED[service]].exposed
    first, last = _values(before, service, name), _values(after, service, name)
    seconds = (after.at - before.at).total_seconds()
    known = all(reading.missing is not None for look in (before, after) for reading in look.of(service))
    if not known or seconds <= 0:
        return None
    done = sum(last) - sum(first)
    # A process that was started again counts from 0.
    return (done if done >= 0 else sum(last)) / seconds


def quantile(before: Look, after: Look, service: str, metric: str, share: float, **labels: str) -> float | None:
    """The upper bound of the histogram bucket below which this share of what came between two looks lies.

    None where nothing came. ``inf`` where it lies above the last bound.
    """
    counts = _buckets(after, service, metric, labels)
    for bound, count in _buckets(before, service, metric, labels).items():
        counts[bound] = counts.get(bound, 0.0) - count
    everything = counts.get(float("inf"), 0.0)
    if everything <= 0:
        return None
    return next(bound for bound in sorted(counts) if counts[bound] >= share * everything)


def _buckets(look: Look, service: str, metric: str, labels: Mapping[str, str]) -> dict[float, float]:
    found: dict[float, float] = {}
    for reading in look.of(service):
        for of, value in reading.samples.get(METRICS[metric].exposed + "_bucket", ()):
            if labels.items() <= of.items():
                bound = float(of["le"])
                found[bound] = found.get(bound, 0.0) + value
    return found


def _values(look: Look, service: str, exposed: str) -> list[float]:
    return [value for reading in look.of(service) for _, value in reading.samples.get(exposed, ())]
