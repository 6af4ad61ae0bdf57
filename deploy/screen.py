"""What `ruta up` shows while it runs: processes, addresses, live counts, the latest alerts."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from contracts.moments import COLOMBIA
from deploy.database import reader
from deploy.embedded.stack import Stack
from deploy.embedded.supervisor import Phase, Status
from deploy.status.readings import COUNTED, Look, highest, quantile, total
from deploy.status.watch import Watch
from services.runtime import database, sql

_SQL = sql.load(Path(__file__).parent / "sql" / "operator.sql")
_LATEST = 6
_ACROSS = 6
"""Figures beside each other: as many as a terminal of 80 columns shows."""
_EVERY = 1.0  # seconds between two looks
_LINE_EVERY = 30.0  # seconds between two lines where there is no terminal


async def show(stack: Stack) -> None:
    """Draw until cancelled: a live screen in a terminal, a line now and then elsewhere."""
    console = Console()
    watch = Watch(stack.addresses.http)
    watching = asyncio.ensure_future(watch.run())
    try:
        if console.is_terminal:
            with Live(console=console, auto_refresh=False, transient=True) as live:
                await _every(
                    stack,
                    _EVERY,
                    lambda counts, latest: live.update(draw(stack, counts, latest, watch.looks), refresh=True),
                )
        else:
            await _every(stack, _LINE_EVERY, lambda counts, _: print(line(counts, stack.statuses()), flush=True))
    finally:
        watching.cancel()


async def _every(stack: Stack, seconds: float, use: Callable[[Mapping[str, Any], Sequence[Any]], None]) -> None:
    counts: Mapping[str, Any] = {}
    latest: Sequence[Any] = ()
    target = stack.target  # once: it reads the directory file, which somebody may be editing
    while True:
        try:
            async with asyncio.timeout(5), reader(target, "referrals") as connection:
                counts = await connection.fetchrow(_SQL["counts"]) or {}
                latest = await connection.fetch(_SQL["latest_alerts"], _LATEST)
        except database.AWAY:
            pass  # PostgreSQL is being restarted: the last figures stay on the screen
        use(counts, latest)
        await asyncio.sleep(seconds)


def draw(stack: Stack, counts: Mapping[str, Any], latest: Sequence[Any], looks: Sequence[Look]) -> RenderableType:
    """The whole screen."""
    parts = (_processes(stack), _figures(counts), _health(looks), _alerts(latest), _footer(stack))
    return Group(*(line for part in parts for line in (part, Text())))


def line(counts: Mapping[str, Any], statuses: Sequence[Status]) -> str:
    """The figures in one line, for logs; names what is not running and what had to be started again."""
    figures = ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in _FIGURES if name in counts)
    ill = [f"{s.name} {s.phase}" for s in statuses if s.phase is not Phase.RUNNING]
    again = [f"{s.name} restarted: {s.restarts}" for s in statuses if s.restarts]
    return f"{datetime.now(UTC):%H:%M:%S} " + "; ".join([figures or "waiting for PostgreSQL", *ill, *again])


_FIGURES = ("referrals", "open_referrals", "decided", "applied", "refused", "duplicates", "conflicts",
            "quarantined", "parked", "alerts", "mails", "leaves")  # fmt: skip


def _processes(stack: Stack) -> Table:
    where = {
        "kafka": stack.addresses.kafka,
        "postgres": f"{stack.addresses.database_host}:{stack.addresses.database_port}",
        "mail": f"smtp {stack.addresses.smtp_host}:{stack.addresses.smtp_port}",
        **stack.addresses.http,
        "status": stack.addresses.status,
    }
    table = Table("process", "state", "address", "up", "restarts", box=None, pad_edge=False, header_style="dim")
    for status in stack.statuses():
        good = status.phase is Phase.RUNNING
        table.add_row(
            status.name,
            Text(status.phase, style="green" if good else "bold yellow"),
            where.get(status.name, ""),
            f"{int(time.monotonic() - status.since)} s",
            Text(str(status.restarts), style="bold yellow" if status.restarts else "dim"),
        )
    return table


def _figures(counts: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    names = [name for name in _FIGURES if name in counts]
    for row in (names[:_ACROSS], names[_ACROSS:]):
        table.add_row(*(Text(f"{counts[name]:,}", style="bold") for name in row))
        table.add_row(*(Text(name.replace("_", " "), style="dim") for name in row))
    return table


def _health(looks: Sequence[Look]) -> Table:
    """What the services say of themselves at /metrics: what waits, how long it takes, how fresh the log is."""
    table = Table.grid(padding=(0, 2))
    if not looks:
        return table
    first, now = looks[0], looks[-1]
    slow = quantile(first, now, "notifications", "ruta.alert.latency", 0.95, channel="inbox")
    outboxes = [highest(now, service, "ruta.outbox.age") for service in ("referrals", "notifications")]
    figures = {
        "lag": _number(sum(total(now, service, "ruta.lag") or 0 for service in COUNTED)),
        "outbox age": _seconds(max((age for age in outboxes if age is not None), default=None)),
        "alert p95": "-" if slow is None else f"<= {_seconds(slow)}",
        "mails waiting": _number(total(now, "notifications", "ruta.mail.waiting")),
        "tree size": _number(total(now, "audit", "ruta.tree.size")),
        "checkpoint age": _seconds(highest(now, "audit", "ruta.checkpoint.age")),
    }
    table.add_row(*(Text(value, style="bold") for value in figures.values()))
    table.add_row(*(Text(name, style="dim") for name in figures))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if 0 < value < 1 else f"{value:.0f} s"


def _alerts(latest: Sequence[Any]) -> Table:
    table = Table("in Colombia", "told", "what", "by", "", box=None, pad_edge=False, header_style="dim")
    for column in table.columns:
        column.no_wrap = True
    table.add_column("latest alerts, about", no_wrap=True, min_width=36)  # to be copied for ./ruta show
    for alert in latest:
        table.add_row(
            f"{alert['occurred_at'].astimezone(COLOMBIA):%H:%M:%S}",
            alert["recipient"],
            alert["kind"],
            alert["actor"],
            alert["urgency"] or "",
            str(alert["referral"] or ""),
        )
    return table


def _footer(stack: Stack) -> Text:
    return Text(f"State and logs: {stack.state.root}   ·   Ctrl-C stops everything.", style="dim")
