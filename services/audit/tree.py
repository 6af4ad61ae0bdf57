"""Reads the stored tree: where the log ends, tiles of any width, the hashes of a proof."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import asyncpg

from services.audit import merkle, note, tiles
from services.audit.merkle import Node, Range
from services.audit.note import Verifier
from services.audit.sequence import Head
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent / "sql" / "log.sql")


class NotOurs(RuntimeError):
    """The stored log does not end as it should: it was restored, changed, or signed by another key.

    It must not be continued, because its signed roots are out in the world. Look into it with `./ruta audit verify`;
    a log that cannot be mended is closed and a new one begins with its last checkpoint.
    """


class Shorter(NotOurs):
    """The stored log ends before what was seen of it, and fits together as far as it goes."""


async def head(connection: asyncpg.Connection, verifier: Verifier) -> Head:
    """The end of the log, rebuilt from stored leaves and tiles. Raises NotOurs unless we signed exactly that."""
    last = await connection.fetchrow(_SQL["last_batch"])
    size = last["first_index"] + last["n"] if last else 0
    if await connection.fetchval(_SQL["entries_end"]) != size:
        raise NotOurs("leaves and batches end at different places")
    edge = tuple([await _hashes(connection, level, n, width) for level, n, width in tiles.widths(size)])
    found = Head(size, tiles.frontier(edge), edge)
    if last is None:
        return found
    if found.root != last["root"]:
        raise NotOurs("the last root is not the root of the stored leaves")
    try:
        signed = note.read_checkpoint(note.read(last["note"] or "", [verifier]))
    except note.Unacceptable as error:
        raise NotOurs("the last checkpoint is missing or not signed by our key") from error
    if signed != note.Checkpoint(verifier.name, size, found.root):
        raise NotOurs("the last checkpoint is about another tree")
    return found


async def tile(connection: asyncpg.Connection, level: int, n: int, width: int) -> bytes:
    """The hashes of a tile; a partial one follows from what stands below it. Raises NotOurs where that is missing."""
    if width == tiles.WIDTH:
        stored = await connection.fetchval(_SQL["tile"], level, n)
        if stored is None:
            raise NotOurs(f"{tiles.path(level, n)} is missing")
        return bytes(stored)
    return b"".join(await _hashes(connection, level, n, width))


async def _hashes(connection: asyncpg.Connection, level: int, n: int, width: int) -> tuple[bytes, ...]:
    first = n * tiles.WIDTH
    if level == 0:
        rows = await connection.fetch(_SQL["leaves_from"], first, first + width)
        hashes = tuple(merkle.leaf_hash(row["leaf"]) for row in rows)
    else:
        rows = await connection.fetch(_SQL["tiles_from"], level - 1, first, first + width)
        hashes = tuple(tiles.root(row["hashes"]) for row in rows)
    if len(hashes) != width:
        raise NotOurs(f"what {tiles.path(level, n, width)} is made of is missing")
    return hashes


async def roots(connection: asyncpg.Connection, size: int, ranges: Sequence[Range]) -> list[bytes]:
    """The roots of these ranges in a tree of ``size`` leaves, such as those of a proof."""
    parts = [merkle.nodes(span) for span in ranges]
    found = await _nodes(connection, size, {node for part in parts for node in part})
    return [merkle.fold([found[node] for node in part]) for part in parts]


async def _nodes(connection: asyncpg.Connection, size: int, wanted: Iterable[Node]) -> dict[Node, bytes]:
    read: dict[tuple[int, int], bytes] = {}
    found = {}
    for node in wanted:
        level, n, first, count = tiles.place(node)
        if (level, n) not in read:
            width = min(tiles.WIDTH, (size >> (tiles.HEIGHT * level)) - n * tiles.WIDTH)
            read[level, n] = await tile(connection, level, n, width)
        found[node] = tiles.node_hash(read[level, n], first, count)
    return found
