"""What one process tells of itself: metrics at ``/metrics``, and traces and metrics to a collector if one is named.

Traces are sent only where ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``…_TRACES_ENDPOINT``) names a collector; all settings
are OpenTelemetry's own environment variables. A collector that does not answer costs nothing but a log line in a while.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, set_span_in_context
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from contracts.envelope import Header, trace_context
from services.runtime import clock
from services.runtime.metrics import METRICS, Kind
from services.runtime.progress import lags

MAX_LINKS = 128
"""Declarations that one batch's span names. A flood of traced records must not become a flood of spans."""

CLOSED_WITHIN = 2.0
"""Seconds for the last spans to leave when the process ends; a collector that is away must not hold it."""

_TRACES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_METRICS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")

Attributes = Mapping[str, str]
Reading = Callable[[], Iterable[tuple[float, Attributes]]]
"""Gives a gauge's values when somebody asks. Runs in another thread: it only looks."""


def _metric_exporter() -> MetricExporter:
    # Read where it is needed: it brings a tenth of all that a service reads when it starts.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter()


def _span_exporter() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


class Telemetry:
    """The instruments of one process. ``service`` decides which metrics of the table it has."""

    def __init__(self, service: str, instance: str = "0", environment: Mapping[str, str] = os.environ) -> None:
        resource = Resource.create({"service.name": f"ruta-{service}", "service.instance.id": instance})
        self._service = service
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        readers: list[MetricReader] = [PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)]
        if any(environment.get(name) for name in _METRICS):
            readers.append(PeriodicExportingMetricReader(_metric_exporter()))
        views = [
            View(instrument_name=one.name, aggregation=ExplicitBucketHistogramAggregation(one.bounds))
            for one in METRICS.values()
            if one.kind is Kind.HISTOGRAM
        ]
        self._meters = MeterProvider(readers, resource, views=views, shutdown_on_exit=False)
        meter = self._meters.get_meter("ruta")
        own = [one for one in METRICS.values() if service in one.services]
        self._counters = {
            one.name: meter.create_counter(one.name, one.unit, one.says) for one in own if one.kind is Kind.COUNTER
        }
        for one in own:
            for attributes in one.zeros:
                self.add(one.name, 0, **attributes)
        self._histograms = {
            one.name: meter.create_histogram(one.name, one.unit, one.says) for one in own if one.kind is Kind.HISTOGRAM
        }
        self._readings: dict[str, Reading] = {}
        self.gauges = frozenset(one.name for one in own if one.kind is Kind.GAUGE)
        for name in self.gauges:
            one = METRICS[name]
            meter.create_observable_gauge(name, [self._observing(name)], one.unit, one.says)
        self._spans: TracerProvider | None = None
        if any(environment.get(name) for name in _TRACES):
            self._spans = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._spans.add_span_processor(BatchSpanProcessor(_span_exporter()))
        self._tracer = self._spans.get_tracer("ruta") if self._spans else None

    def add(self, name: str, amount: float = 1, **attributes: str) -> None:
        """Count up. Raises KeyError for a metric that this service does not have."""
        self._counters[name].add(amount, _checked(name, attributes))

    def record(self, name: str, value: float, **attributes: str) -> None:
        """Add a value to a distribution. Raises KeyError for a metric that this service does not have."""
        self._histograms[name].record(value, _checked(name, attributes))

    def watch(self, name: str, reading: Reading) -> None:
        """Read a gauge from here from now on."""
        if name not in self.gauges:
            raise KeyError(name)
        self._readings[name] = reading

    @contextmanager
    def batch(self, name: str, headers: Iterable[Iterable[Header]]) -> Iterator[None]:
        """Measure a batch of records, given their headers.

        Where traces are sent it becomes one span, linked to the declarations of the batch that are traced, and in
        each of their traces one span that leads back to it.
        """
        began, wall = time.monotonic(), time.time_ns()
        records = list(headers)
        if self._tracer is None:
            yield
        else:
            traced = _traced(records)
            links = [Link(one) for one in traced]
            with self._tracer.start_as_current_span(
                f"{self._service} {name}", kind=SpanKind.CONSUMER, links=links, start_time=wall,
                attributes={"messaging.system": "kafka", "messaging.batch.message_count": len(records)},
            ) as span:  # fmt: skip
                yield
            self._lead_back(name, traced, span, wall)
        self.record("ruta.batch.size", len(records))
        self.record("ruta.batch.duration", time.monotonic() - began)

    def _lead_back(self, name: str, traced: Iterable[SpanContext], batch: Span, began: int) -> None:
        assert self._tracer is not None
        ended = time.time_ns()
        for one in traced:
            parent = set_span_in_context(NonRecordingSpan(one))
            self._tracer.start_span(
                f"{self._service} {name} of one", context=parent, kind=SpanKind.CONSUMER, start_time=began,
                links=[Link(batch.get_span_context())],
            ).end(ended)  # fmt: skip

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    async def close(self) -> None:
        """Send what is left, for a moment at most."""
        # Not asyncio's own threads: the end of the loop would wait for them.
        sending = threading.Thread(target=self._shut_down, daemon=True)
        sending.start()
        deadline = time.monotonic() + CLOSED_WITHIN
        while sending.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    def _shut_down(self) -> None:
        if self._spans:
            self._spans.shutdown()
        self._meters.shutdown()

    def _observing(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            reading = self._readings.get(name)
            return [Observation(value, _checked(name, of)) for value, of in reading()] if reading else []

        return observe


def value(number: float | None) -> list[tuple[float, Attributes]]:
    """A gauge without attributes; None while it is not known."""
    return [] if number is None else [(number, {})]


def age(since: datetime) -> float:
    """Seconds from a time until now; never less than none, because clocks differ."""
    return max(0.0, (clock.now() - since).total_seconds())


def oldest_age(queue: Mapping[str, Any] | None) -> list[tuple[float, Attributes]]:
    """The age of the ``oldest`` that waits, 0 when none does; not known before anybody has looked."""
    return value(None if queue is None else age(queue["oldest"]) if queue["oldest"] else 0.0)


def by_topic(consumer: Any) -> list[tuple[float, Attributes]]:
    """The lag of each topic that a consumer reads."""
    return [(lag, {"topic": topic}) for topic, lag in lags(consumer).items()]


def _checked(name: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    if attributes.keys() != set(METRICS[name].attributes):
        raise KeyError(f"{name} has the attributes {METRICS[name].attributes}")
    return dict(attributes)


def _traced(records: Iterable[Iterable[Header]]) -> list[SpanContext]:
    found: dict[tuple[int, int], SpanContext] = {}
    for headers in records:
        text = trace_context(headers)
        if text is None or not int(text[-2:], 16) & TraceFlags.SAMPLED:
            continue
        context = SpanContext(int(text[3:35], 16), int(text[36:52], 16), is_remote=True, trace_flags=TraceFlags(1))
        found[context.trace_id, context.span_id] = context
        if len(found) == MAX_LINKS:
            break
    return list(found.values())
