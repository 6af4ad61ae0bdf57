"""Recomputes the whole log from its stored bytes and names the first thing that does not fit.

The roots of all batches come from one tree that only grows, so what fits is also consistent: every signed tree
begins with the ones before it. Two things no reading of one database can show: that its newest part was not cut off
cleanly, and that nobody was shown another log. For these hand in a checkpoint that was kept elsewhere (``seen``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from services.audit import checks, keyring, merkle, note, predecessor, tiles
from services.audit.checks import Check, Misfit
from services.audit.leaf import Kind
from services.audit.note import Checkpoint, Verifier
from services.audit.sequence import Head
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent / "sql" / "verify.sql")

_AT_ONCE = 64
"""Rows held at a time; a sealed record may have two megabytes."""

_SURPLUS = (
    ("surplus_checkpoint", Check.CHECKPOINT, "a checkpoint belongs to no batch"),
    ("surplus_sealed", Check.SEALED, "a sealed record belongs to no leaf"),
    ("surplus_first_use", Check.FIRST_USE, "a first use belongs to no leaf"),
    ("surplus_span", Check.SPANS, "offsets belong to no batch"),
    ("offsets", Check.OFFSETS, "the offsets of its partition are not contiguous from 0 up to it"),
    ("owners", Check.OWNERS, "its number or back-pointer within its owner is wrong"),
    ("referrals", Check.REFERRALS, "its number or back-pointer within its referral is wrong"),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far everything fits. ``opened`` and ``erased`` count records by whether their key still exists."""

    leaves: int
    root: bytes
    checkpoint: str | None
    opened: int
    erased: int
    misfit: Misfit | None

    def __str__(self) -> str:
        """One line for people."""
        if self.misfit is not None:
            return f"does not fit: {self.misfit} ({self.misfit.check}); {self.leaves} leaves verified before"
        records = f", {self.opened} records opened, {self.erased} erased" if self.opened or self.erased else ""
        return f"verified {self.leaves} leaves{records}, root {self.root.hex()}"


async def verify(
    connection: asyncpg.Connection,
    vkey: str,
    keys_connection: asyncpg.Connection | None = None,
    seen: str | None = None,
) -> Verdict:
    """Check everything as of one moment; the log may grow meanwhile.

    ``connection`` reads the log's schema (search path; without a command timeout: some queries read all of it),
    ``keys_connection`` the keys' (then records are opened and
    commitments recomputed), ``seen`` is the note of an earlier checkpoint. Raises note.Unacceptable for a ``vkey`` or
    ``seen`` that is none. Memory does not grow with the log.
    """
    verifier = note.read_vkey(vkey)
    earlier = note.read_checkpoint(note.read(seen, [verifier])) if seen else None
    run = _Run(connection, keys_connection, verifier, earlier)
    misfit = None
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        try:
            await run.batches()
            await run.rest()
        except Misfit as found:
            misfit = found
    return Verdict(run.head.size, run.head.root, run.checkpoint, run.opened, run.erased, misfit)


class _Run:
    """One verification: the tree as recomputed so far."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        keys: asyncpg.Connection | None,
        verifier: Verifier,
        seen: Checkpoint | None,
    ) -> None:
        self.connection, self.keys, self.verifier, self.seen = connection, keys, verifier, seen
        self.head = Head()
        self.checkpoint: str | None = None
        self.opened = self.erased = 0

    async def batches(self) -> None:
        """Every batch in order, with its leaves."""
        entries = _Rows(await self.connection.cursor(_SQL["entries"]))
        stored = _Rows(await self.connection.cursor(_SQL["batches"]))
        while batch := await stored.take(1):
            await self._batch(batch[0], entries)

    async def _batch(self, batch: Mapping[str, Any], entries: "_Rows") -> None:
        first, end = batch["first_index"], batch["first_index"] + batch["n"]
        if first != self.head.size:
            raise Misfit(Check.BATCHES, self.head.size, f"no batch begins here; the next one begins at {first}")
        took: dict[tuple[str, str, int], tuple[int, int]] = {}
        size, frontier, edge = self.head.size, self.head.frontier, self.head.edge
        while size < end:
            rows = await entries.take(end - size)
            if not rows or rows[0]["index"] != size:
                raise Misfit(Check.ENTRIES, size, "the leaf is missing")
            rows = [row for at, row in enumerate(rows) if row["index"] == size + at] if _holes(rows) else rows
            await self._leaves(rows)
            for row in rows:
                stream = row["cluster"], row["topic_id"], row["partition"]
                took[stream] = took.get(stream, (row["record_offset"], 0))[0], row["last_offset"] + 1
            hashes = [merkle.leaf_hash(row["leaf"]) for row in rows]
            frontier = merkle.extend(size, frontier, hashes)
            edge, full = tiles.extend(size, edge, hashes)
            size += len(rows)
            for tile in full:
                await self._tile(tile)
        head = Head(end, frontier, edge)
        if head.root != batch["root"]:
            raise Misfit(Check.ROOT, first, f"the root of its batch ({first} to {end - 1}) is not that of its leaves")
        checks.spans(first, took, [tuple(span) for span in batch["spans"]])
        checks.checkpoint(end, head.root, batch["note"], self.verifier)
        self._compare_with_seen(self.head, head)
        self.head, self.checkpoint = head, batch["note"]

    async def _leaves(self, rows: list[Mapping[str, Any]]) -> None:
        checked = []
        for row in rows:
            fields = checks.form(row["index"], row)
            checks.sealed(row["index"], row, fields)
            checks.first_use(row["index"], row, fields)
            checked.append((row, fields))
        if self.keys is None:
            return
        records = [(row, fields) for row, fields in checked if fields["k"] != Kind.GAP]
        keys = await keyring.by_id(self.keys, {fields["kid"] for _, fields in records})
        for row, fields in records:
            kid = fields["kid"]
            if kid not in keys:
                raise Misfit(Check.KEYS, row["index"], "its key is missing, and was not destroyed")
            if (key := keys[kid]) is None:
                self.erased += 1
            else:
                checks.opened(row["index"], row, fields, key)
                self.opened += 1

    async def _tile(self, tile: tiles.Tile) -> None:
        stored = await self.connection.fetchval(_SQL["tile"], tile.level, tile.n)
        if stored != tile.hashes:
            name = tiles.path(tile.level, tile.n)
            first = tile.n << (tiles.HEIGHT * (tile.level + 1))
            if stored is None:
                raise Misfit(Check.TILES, first, f"{name} is missing")
            at = next(
                i for i in range(tiles.WIDTH) if stored[i * 32 : i * 32 + 32] != tile.hashes[i * 32 : i * 32 + 32]
            )
            index = first + (at << (tiles.HEIGHT * tile.level))
            raise Misfit(Check.TILES, index, f"{name} does not have its hash, or the leaf was changed")

    def _compare_with_seen(self, before: Head, after: Head) -> None:
        if self.seen is None or not before.size < self.seen.size <= after.size:
            return
        if self.seen != Checkpoint(self.verifier.name, after.size, after.root):
            raise Misfit(Check.SEEN, self.seen.size - 1, "the log is not the one whose checkpoint was seen before")

    async def rest(self) -> None:
        """What is left over, and everything that needs an order other than the log's."""
        size = self.head.size
        if self.seen is not None and self.seen.size > size:
            raise Misfit(Check.SEEN, size, f"the log ends here, and was seen with {self.seen.size} leaves before")
        await self._none("surplus_entry", Check.ENTRIES, "the leaf belongs to no batch", size)
        levels = sum(1 for _, full, _ in tiles.widths(size) if full)
        await self._none("surplus_tile", Check.TILES, "a tile belongs to no leaves", size, levels)
        for name, check, what in _SURPLUS:
            await self._none(name, check, what)
        await predecessor.check(self.connection)

    async def _none(self, name: str, check: Check, what: str, *arguments: object) -> None:
        at = await self.connection.fetchval(_SQL[name], *arguments)
        if at is not None:
            raise Misfit(check, at, what)


def _holes(rows: list[Mapping[str, Any]]) -> bool:
    return bool(rows[-1]["index"] != rows[0]["index"] + len(rows) - 1)


class _Rows:
    """The rows of a server-side cursor, a few at a time."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._waiting: list[Mapping[str, Any]] = []

    async def take(self, most: int) -> list[Mapping[str, Any]]:
        """The next rows, at least one and at most ``most``; none at the end."""
        if not self._waiting:
            self._waiting = await self._cursor.fetch(_AT_ONCE)
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return taken
