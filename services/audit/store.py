"""Reads what the log knows, appends a batch. Only inserts: there is nothing else this service may do."""

from collections.abc import Collection, Sequence
from pathlib import Path

import asyncpg

from services.audit import note
from services.audit.leaf import Columns
from services.audit.note import Signer
from services.audit.reading import Arrival, Gap, owner
from services.audit.sequence import Batch, FirstUse, Stream, Tail, Use
from services.runtime import failpoints, sql

_SQL = sql.load(Path(__file__).parent / "sql" / "log.sql")


async def become_the_only_one(connection: asyncpg.Connection) -> bool:
    """Try to become the sequencer for as long as this connection lives."""
    return bool(await connection.fetchval(_SQL["lock"]))


async def positions(connection: asyncpg.Connection, cluster: str, streams: Collection[Stream]) -> dict[Stream, int]:
    """The next offset of those of these partitions that were ever read."""
    if not streams:
        return {}
    rows = await connection.fetch(_SQL["positions"], cluster, [s[1] for s in streams], [s[2] for s in streams])
    return {(cluster, row["topic_id"], row["partition"]): row["next_offset"] for row in rows}


async def owner_tails(connection: asyncpg.Connection, owners: Collection[str]) -> dict[str, Tail]:
    """The last leaf of each of these owners that has one."""
    rows = await connection.fetch(_SQL["owner_tails"], list(owners))
    return {row["owner"]: Tail(row["seq"], row["index"]) for row in rows}


async def referral_tails(connection: asyncpg.Connection, referrals: Collection[str]) -> dict[str, Tail]:
    """The last leaf of each of these referrals that has one."""
    rows = await connection.fetch(_SQL["referral_tails"], list(referrals))
    return {str(row["referral"]): Tail(row["seq"], row["index"]) for row in rows}


async def first_uses(connection: asyncpg.Connection, uses: Collection[Use]) -> dict[Use, FirstUse]:
    """Who used these event ids first, where somebody did."""
    if not uses:
        return {}
    rows = await connection.fetch(_SQL["first_uses"], *sql.columns(uses, 2))
    return {(row["owner"], str(row["event_id"])): FirstUse(row["index"], row["same"]) for row in rows}


async def append(connection: asyncpg.Connection, batch: Batch, signer: Signer) -> str:
    """Store a batch with the checkpoint of its tree, all or nothing; returns the checkpoint's note.

    A unique violation means that somebody else appended: this process must end, not try again.
    """
    signed = note.sign(note.Checkpoint(signer.verifier.name, batch.head.size, batch.head.root).text, signer)
    failpoints.hit("log.signed")
    spans = [(*stream, *span) for stream, span in batch.spans.items()]
    full = [(tile.level, tile.n, tile.hashes) for tile in batch.tiles]
    uses = [(owner, event, first.at, first.same) for (owner, event), first in batch.uses.items()]
    await connection.execute(
        _SQL["append"],
        *(batch.first_index, len(batch.leaves), batch.head.root, signed),
        *(*sql.columns(spans, 5), *sql.columns(full, 3), *sql.columns(batch.sealed, 2), *sql.columns(uses, 4)),
        *(batch.leaves, *sql.columns(batch.columns, len(Columns._fields))),
    )
    return signed


def named(items: Sequence[Arrival | Gap]) -> tuple[set[str], set[str], set[Use]]:
    """The owners, referrals and event ids that a batch is about."""
    arrivals = [item for item in items if isinstance(item, Arrival)]
    owners = {item.owner if isinstance(item, Arrival) else owner(item.topic) for item in items}
    referrals = {item.referral for item in arrivals if item.referral is not None}
    return owners, referrals, {(item.owner, item.event) for item in arrivals if item.event is not None}
