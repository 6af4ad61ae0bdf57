"""`ruta quarantine`: the records that could not be read, and the release of those that waited for a mend of ours."""

import asyncio
import json
from pathlib import Path
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table

from contracts import labels
from contracts.values import Problem
from deploy.commands_inspect import named
from deploy.database import connected, reader
from deploy.embedded.errors import StackError
from deploy.ledger.kafka import cluster, login
from deploy.provision import Target
from deploy.running import running_stack
from services.referrals.release import Released, ReleasedElsewhere
from services.referrals.release import release as release_waiting
from services.runtime import refetch, sql
from services.runtime.members import reachable

_SQL = sql.load(Path(__file__).parent / "sql" / "operator.sql")


def listed() -> None:
    """`ruta quarantine list`: coordinates and what to mend; then what waits for its release."""
    rows, waiting = asyncio.run(found(running_stack()[0]))
    table = Table("received (UTC)", "topic", "offset", "event", "problem", "detail", box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    problems = set()
    for row in reversed(rows):
        fact = json.loads(row["value"])
        problems.add(Problem(fact["problem"]))
        cause = fact["cause"]
        table.add_row(
            f"{row['received_at']:%Y-%m-%d %H:%M:%S}",
            cause["topic"],
            str(cause["offset"]),
            cause.get("event") or "-",
            fact["problem"],
            fact.get("detail", ""),
        )
    # Coordinates are there to be copied: a narrow window or a pipe does not cut them.
    Console(width=180).print(table if rows else "nothing is quarantined", soft_wrap=True)
    for problem in sorted(problems):
        print(f"{problem}: {labels.label(problem)}")
    for row in waiting:
        what = f"referral {row['root']}" if row["root"] else "unreadable"
        print(f"{what}: {row['records']} records wait for a mend of ours since {row['oldest']:%Y-%m-%d %H:%M:%S}")


async def found(target: Target) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
    """The newest records that could not be read, the newest first, and what waits for its release, the oldest first."""
    async with reader(target, "referrals") as connection:
        return await connection.fetch(_SQL["quarantined"]), await connection.fetch(_SQL["waiting"])


def release(referral: str | None) -> int:
    """`ruta quarantine release`: 0 when nothing waits any more, 1 with what still does. Raises StackError."""
    chosen = named(referral) if referral else None
    released = asyncio.run(run(running_stack()[0], chosen))
    print(f"{released.records} records were released")
    print("\n".join(released.waiting), end="\n" if released.waiting else "")
    return 1 if released.waiting else 0


async def run(target: Target, referral: UUID | None = None) -> Released:
    """Release on a running system, with the rules as they are here and now.

    Who has no topics yet is no member, as for intake: a fact for it would stop the relay. Raises StackError while
    another release runs.
    """
    there = await asyncio.to_thread(cluster, target)
    members = reachable(target.directory.by_code, there.topic_ids)
    async with (
        refetch.fetching(login(target)) as fetch,
        connected(target, "referrals", "referrals_app") as connection,
    ):
        try:
            return await release_waiting(connection, fetch, members, referral)
        except ReleasedElsewhere as error:
            raise StackError("Another release is under way: wait until it has ended.") from error
