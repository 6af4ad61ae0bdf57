"""What callers may ask the log: the signed checkpoint, a leaf with its proof, the leaves about a referral or a fact.

A leaf holds ids, codes and digests only. Whoever asks is not logged yet, so the service answers on loopback only.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import FastAPI, HTTPException, Query
from fastapi import Path as PathParameter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from services.audit import leaf as leaves
from services.audit import merkle, note, proofs
from services.audit.note import Verifier
from services.audit.predecessor import Predecessor, Reason
from services.runtime import clock, sql, web

_SQL = sql.load(Path(__file__).parent / "sql" / "read.sql")


class ClosedView(BaseModel):
    """A log that was refused and closed: its last ``checkpoint``, how many leaves are ``kept``, the ``path`` below
    which this API answers about them, and the ``reason``; ``changed``: they are not what was published."""

    origin: str
    vkey: str
    checkpoint: str
    kept: int
    path: str
    reason: Reason | None


class LogView(BaseModel):
    """The log as it stands. ``vkey`` verifies its checkpoints; the root is base64. ``closed``: the logs that it goes on
    from, the newest first."""

    origin: str
    vkey: str
    size: int
    root: str
    stored_at: datetime | None
    checkpoint_age_seconds: float | None
    closed: list[ClosedView]


class ProofView(BaseModel):
    """A leaf, exactly as it is hashed, and its audit path (base64, leaf to root) in the tree of the checkpoint."""

    index: int
    leaf: str
    leaf_hash: str
    size: int
    root: str
    proof: list[str]
    checkpoint: str


class ConsistencyView(BaseModel):
    """The root of the first ``old_size`` leaves, and the proof that the checkpoint's tree begins with them (base64)."""

    old_size: int
    old_root: str
    size: int
    root: str
    proof: list[str]
    checkpoint: str


class EntryView(BaseModel):
    """One leaf: where its record stood and what it is about. ``fact``: the fact that it is, tells of or led to."""

    index: int
    kind: str
    topic: str
    partition: int
    offset: int
    owner: str
    event: UUID | None
    fact: UUID | None
    referral: UUID | None
    leaf: dict[str, Any]


class EntriesView(BaseModel):
    """Leaves in the order of the log; ask again with ``after`` the last index while there are ``limit`` of them."""

    entries: list[EntryView]


_EMPTY: dict[int | str, dict[str, Any]] = {
    404: {
        "description": "The log is empty",
        "content": {"application/json": {"schema": web.Failure.model_json_schema()}},
    }
}


def build(pool: asyncpg.Pool, verifier: Verifier, missing: web.Missing, closed: Sequence[Predecessor] = ()) -> FastAPI:
    """The service's HTTP interface on a pool of its own database role."""
    app = web.api("Ruta audit log", missing)

    @app.get("/v1/checkpoint", response_class=PlainTextResponse, responses=_EMPTY)
    async def checkpoint() -> str:
        """The newest signed checkpoint (C2SP tlog-checkpoint); 404 while the log is empty."""
        async with pool.acquire() as connection:
            newest = await proofs.newest(connection)
        if newest is None:
            raise HTTPException(404, "the log is empty")
        return newest.note

    @app.get("/v1/log")
    async def log() -> LogView:
        """Size, root and age of the newest checkpoint."""
        async with pool.acquire() as connection:
            newest = await proofs.newest(connection)
        return LogView(
            origin=verifier.name,
            vkey=verifier.vkey,
            size=newest.size if newest else 0,
            root=note.b64(newest.root if newest else merkle.EMPTY_ROOT),
            stored_at=newest and newest.stored_at,
            checkpoint_age_seconds=newest and (clock.now() - newest.stored_at).total_seconds(),
            closed=[
                ClosedView(
                    origin=one.origin,
                    vkey=one.vkey,
                    checkpoint=one.checkpoint,
                    kept=one.kept,
                    path=one.path,
                    reason=one.reason,
                )
                for one in closed
            ],
        )

    @app.get("/v1/entries/{index}", responses=web.MAY_LACK)
    async def entry(index: Annotated[int, PathParameter(ge=0, lt=2**63)]) -> ProofView:
        """A leaf with its proof in the newest checkpoint's tree; 404 when the log is not that long."""
        async with pool.acquire() as connection:
            found = await proofs.inclusion(connection, index)
        if found is None:
            raise HTTPException(404, "the log has no such leaf yet")
        return ProofView(
            index=index,
            leaf=found.leaf.decode(),
            leaf_hash=note.b64(found.leaf_hash),
            size=found.newest.size,
            root=note.b64(found.newest.root),
            proof=[note.b64(one) for one in found.path],
            checkpoint=found.newest.note,
        )

    @app.get("/v1/consistency/{size}", responses=web.MAY_LACK)
    async def consistency(size: Annotated[int, PathParameter(ge=1, lt=2**63)]) -> ConsistencyView:
        """The proof that the log still begins with its first ``size`` leaves; 404 when it is not that long."""
        async with pool.acquire() as connection:
            found = await proofs.consistency(connection, size)
        if found is None:
            raise HTTPException(404, "the log is not that long")
        return ConsistencyView(
            old_size=size,
            old_root=note.b64(found.root),
            size=found.newest.size,
            root=note.b64(found.newest.root),
            proof=[note.b64(one) for one in found.path],
            checkpoint=found.newest.note,
        )

    @app.get("/v1/entries")
    async def entries(
        referral: UUID | None = None,
        fact: UUID | None = None,
        after: Annotated[int, Query(ge=-1, lt=2**63)] = -1,
        limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    ) -> EntriesView:
        """The leaves about a referral or a fact; one of the two must be named."""
        if referral is None and fact is None:
            raise HTTPException(422, "name a referral or a fact")
        rows = await pool.fetch(_SQL["entries"], referral, fact, after, limit)
        return EntriesView(entries=[EntryView(**{**row, "leaf": leaves.read(row["leaf"])}) for row in rows])

    return app
