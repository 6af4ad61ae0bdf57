"""A checkpoint that somebody kept, held against the log that it is of: the present one, or one that was closed.

Only a checkpoint that the log's own key signed can show that the log was changed: one that was copied wrongly, or is
another log's, accuses nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import asyncpg

from services.audit import merkle, note, proofs, tree
from services.audit.note import Checkpoint
from services.audit.predecessor import Predecessor
from services.audit.proofs import Consistency


class Outcome(StrEnum):
    """What a comparison showed."""

    HOLDS = "holds"
    CHANGED = "changed"
    SHORTER = "shorter"
    """The log that goes on ends before what was seen of it."""
    NOT_KEPT = "not-kept"
    """So does a closed log, which says so itself."""
    NOT_SIGNED = "not-signed"
    """The log named in it did not sign this, or not these bytes."""
    ANOTHER_LOG = "another-log"


@dataclass(frozen=True)
class Log:
    """A log as its readers have it: its public key and where it is stored. ``closed``: unless it is the present one."""

    vkey: str
    pool: asyncpg.Pool
    closed: Predecessor | None = None

    @property
    def origin(self) -> str:
        """The name in its checkpoints."""
        return note.read_vkey(self.vkey).name


@dataclass(frozen=True)
class Comparison:
    """``log``: the one that the checkpoint is of, None for another one. ``seen``: None unless that log signed it."""

    outcome: Outcome
    origin: str
    log: Log | None = None
    seen: Checkpoint | None = None
    size: int = 0
    """How many leaves that log has now."""
    proof: Consistency | None = None


async def compare(text: str, logs: Sequence[Log]) -> Comparison:
    """Hold a checkpoint, as somebody has pasted it, against the one of these logs that it names."""
    kept = "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"
    origin = kept.partition("\n")[0]
    log = next((one for one in logs if one.origin == origin), None)
    if log is None:
        return Comparison(Outcome.ANOTHER_LOG, origin)
    async with log.pool.acquire() as connection:
        newest = await proofs.newest(connection)
        size = newest.size if newest else 0
        try:
            seen = note.read_checkpoint(note.read(kept, [note.read_vkey(log.vkey)]))
        except note.Unacceptable:
            return Comparison(Outcome.NOT_SIGNED, origin, log)
        try:
            proof = await proofs.consistency(connection, seen.size)
        except tree.NotOurs:  # what there is of the log does not fit together
            return Comparison(Outcome.CHANGED, origin, log, seen, size)
    if proof is None:
        shorter = Outcome.NOT_KEPT if log.closed else Outcome.SHORTER
        return Comparison(shorter, origin, log, seen, size)
    holds = merkle.consistent(seen.size, proof.newest.size, seen.root, proof.newest.root, proof.path)
    return Comparison(Outcome.HOLDS if holds else Outcome.CHANGED, origin, log, seen, proof.newest.size, proof)
