"""Traces reach a real collector, and one trace follows a declaration; metrics are those of the table."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from contracts import topics
from contracts.envelope import TRACEPARENT
from contracts.values import Verb
from deploy.embedded.ports import Ports
from deploy.embedded.stack import SERVICES, Stack
from services.runtime.metrics import METRICS, Kind
from services.runtime.telemetry import MAX_LINKS, Telemetry, oldest_age
from tests.support import builders as make
from tests.support import wire
from tests.support.hostile import Sent
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01".encode()


class Collector:
    """Takes OTLP over HTTP, as a collector does."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def spans(self) -> list[tuple[str, Span]]:
        """Every span with the service that sent it."""
        found = []
        for body in self.received:
            for of in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = next(a.value.string_value for a in of.resource.attributes if a.key == "service.name")
                found += [(service, span) for scope in of.scope_spans for span in scope.spans]
        return found


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                collector.received.append(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@asynccontextmanager
async def running(folder: Path, **environment: str) -> AsyncIterator[Stack]:
    async with Stack(folder, Ports.free(), extra_environment=environment) as stack:
        await stack.start(*SERVICES)
        for name in SERVICES:
            await stack.wait_ready(name, 60)
        yield stack


async def exposed(stack: Stack, service: str) -> str:
    async with httpx.AsyncClient(timeout=10) as client:
        return (await client.get(f"{stack.addresses.http[service]}/metrics")).text


def value(exposition: str, name: str, **labels: str) -> float:
    """The sum over all series of this name with these labels."""
    total = 0.0
    for line in exposition.splitlines():
        match = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
        if match and all(f'{key}="{text}"' in (match[1] or "") for key, text in labels.items()):
            total += float(match[2])
    return total


def traced(traceparent: bytes | None, name: str = TRACEPARENT) -> Sent:
    """A request of the sender with this trace."""
    one = make.record(make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER, time=datetime.now(UTC)))
    return Sent(one.key, [*one.headers, (name, traceparent)], one.value)


HOSTILE = [
    traced(b"x" * 60_000),
    traced(b"\xff\xfe"),
    traced(None),
    traced(b"00-" + b"0" * 32 + b"-" + PARENT.encode() + b"-01"),
    traced(b'00-4bf9"}\n\xe2\x80\xae'),
]


async def test_one_trace_follows_a_declaration(session_folder: Path) -> None:
    with collecting() as (collector, address):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        async with running(session_folder / "traced", **environment) as stack:
            sent = [*HOSTILE, traced(SAMPLED), traced(b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-00")]
            await wire.send(stack, make.SENDER, sent)

            async def followed() -> bool:
                seen = {service for service, span in collector.spans() if span.trace_id.hex() == TRACE}
                return seen == {"ruta-referrals", "ruta-notifications", "ruta-audit"}

            await eventually(followed, 60, "a span of every service in the publisher's trace")
            spans = collector.spans()
            in_trace = [span for _, span in spans if span.trace_id.hex() == TRACE]
            assert {span.parent_span_id.hex() for span in in_trace} == {PARENT}
            # Each leads to the span of its batch, and that one leads back.
            batches = {span.span_id: span for _, span in spans if span.trace_id.hex() != TRACE}
            for span in in_trace:
                batch = batches[span.links[0].span_id]
                assert TRACE in {link.trace_id.hex() for link in batch.links}
            # Nobody asked to sample the other trace; what is no trace is no link.
            links = {link.trace_id.hex() for span in batches.values() for link in span.links}
            assert links == {TRACE}
            await eventually(lambda: counted(stack, len(sent)), 60, "every declaration in the figures of every service")
            assert b"personeria-giron" not in b"".join(collector.received)
            await every_metric_is_exposed(stack)


async def counted(stack: Stack, declared: int) -> bool:
    return (
        value(await exposed(stack, "referrals"), "ruta_outcomes_total", outcome="applied") == declared
        and value(await exposed(stack, "notifications"), "ruta_alerts_total", channel="inbox") == declared
        # Its record, its fact and the receipt of its alert.
        and value(await exposed(stack, "audit"), "ruta_tree_size") >= 3 * declared
    )


async def every_metric_is_exposed(stack: Stack) -> None:
    for service in SERVICES:
        shown = await exposed(stack, service)
        names = set(re.findall(r"^# TYPE (ruta_\w+) ", shown, re.MULTILINE))
        assert names == {one.exposed for one in METRICS.values() if service in one.services}, service
        assert value(shown, "ruta_ready") == 1
        assert value(shown, "process_resident_memory_bytes") > 10**7
        assert make.SENDER not in shown.replace(topics.inbound(make.SENDER), "")
    audit = await exposed(stack, "audit")
    assert value(audit, "ruta_leaves_total", kind="event") == value(audit, "ruta_tree_size")
    notifications = await exposed(stack, "notifications")
    assert value(notifications, "ruta_alert_latency_seconds_count", channel="inbox") >= 1


async def test_a_collector_that_is_away_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    telemetry = Telemetry("audit")
    for _ in range(3_000):
        with telemetry.batch("append", [[(TRACEPARENT, SAMPLED)]]):
            pass
    async with asyncio.timeout(30):
        await telemetry.close()


def test_a_flood_of_traces_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as (collector, address):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        telemetry = Telemetry("audit")
        flood = [[(TRACEPARENT, f"00-{n + 1:032x}-{PARENT}-01".encode())] for n in range(1_000)]
        with telemetry.batch("append", flood):
            pass
        asyncio.run(telemetry.close())
        spans = [span for _, span in collector.spans()]
        assert len(spans) == MAX_LINKS + 1
        assert max(len(span.links) for span in spans) == MAX_LINKS


def test_what_is_not_in_the_table_cannot_be_measured() -> None:
    telemetry = Telemetry("audit")
    uses: tuple[Callable[[], None], ...] = (
        lambda: telemetry.add("ruta.outcomes", outcome="applied", reason=""),
        lambda: telemetry.add("ruta.leaves", kind="event", referral=str(uuid4())),
        lambda: telemetry.record("ruta.leaves", 1.0),
        lambda: telemetry.watch("ruta.outbox.age", list),
    )
    for use in uses:
        with pytest.raises(KeyError):
            use()


def test_the_table_follows_the_conventions() -> None:
    for metric in METRICS.values():
        assert re.fullmatch(r"ruta(\.[a-z]+)+", metric.name)
        assert metric.says
        assert metric.says[0].islower() or metric.says[0].isdigit()
        assert (metric.kind is Kind.HISTOGRAM) == bool(metric.bounds)


def test_nobody_is_told_that_nothing_waits_before_somebody_has_looked() -> None:
    assert oldest_age(None) == []
    assert oldest_age({"oldest": None}) == [(0.0, {})]
    ((seconds, _),) = oldest_age({"oldest": datetime(2026, 1, 1, tzinfo=UTC)})
    assert seconds > 0
