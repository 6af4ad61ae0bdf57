"""Proofs from the stored tree: a leaf in it, and an older tree at its beginning (RFC 6962 section 2.1)."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from services.audit import merkle, tree
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent / "sql" / "read.sql")


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest checkpoint: what its tree is, when it was stored, and the signed note."""

    size: int
    root: bytes
    stored_at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A leaf, as it is hashed, and its audit path in the tree of ``newest``, leaf to root."""

    newest: Newest
    leaf: bytes
    path: list[bytes]

    @property
    def leaf_hash(self) -> bytes:
        """What the path begins with."""
        return merkle.leaf_hash(self.leaf)


@dataclass(frozen=True, slots=True)
class Consistency:
    """The root of the first ``size`` leaves, and the proof that the tree of ``newest`` begins with them."""

    newest: Newest
    size: int
    root: bytes
    path: list[bytes]


async def newest(connection: asyncpg.Connection) -> Newest | None:
    """The newest checkpoint; None while the log is empty."""
    row = await connection.fetchrow(_SQL["newest"])
    return Newest(row["size"], row["root"], row["stored_at"], row["note"]) if row else None


async def inclusion(connection: asyncpg.Connection, index: int) -> Inclusion | None:
    """The proof of the leaf at ``index``; None while the signed log is not that long."""
    head = await newest(connection)
    if head is None or index >= head.size:
        return None
    leaf = await connection.fetchval(_SQL["leaf"], index)
    path = await tree.roots(connection, head.size, merkle.inclusion_ranges(index, head.size))
    return Inclusion(head, leaf, path)


async def consistency(connection: asyncpg.Connection, size: int) -> Consistency | None:
    """The proof for the first ``size`` leaves (at least 1); None while the signed log is not that long."""
    head = await newest(connection)
    if head is None or size > head.size:
        return None
    root, *path = await tree.roots(connection, head.size, [(0, size), *merkle.consistency_ranges(size, head.size)])
    return Consistency(head, size, root, path)
