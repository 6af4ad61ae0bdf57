"""Where a consumer goes on: positions in the service's own schema, moved by compare-and-set with the work.

A position belongs to (cluster id, topic id, partition): a topic made anew under an old name is another one.
"""

import heapq
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from contracts.codec import Located, Record
from services.runtime import sql

log = logging.getLogger("ruta.intake")
_SQL = sql.load(Path(__file__).parent / "sql" / "intake.sql")

Place = tuple[str, int]
"""Topic id and partition."""


class Replaced(RuntimeError):
    """Another process has moved our positions: this one was replaced."""


class Gap(RuntimeError):
    """Kafka no longer has the records where this service must go on; nothing may be skipped in silence."""


def gap(topic: str, expected: int, found: int) -> Gap:
    """The alarm and the error where records are missing: nobody may go on without a word."""
    log.critical("records are missing, intake stops; ./ruta topics accept-gap says which and goes on without them",
                 extra={"topic": topic, "offset": expected})  # fmt: skip
    return Gap(f"{topic}: expected {expected}, got {found}")


def by_time(records: Iterable[Record]) -> list[Record]:
    """In the order of receipt, as far as each partition's own order, which comes first, allows.

    Where what was already decided is read again (a restored database), an answer must not come before its question.
    """
    partitions: dict[tuple[str, int], list[Record]] = {}
    for one in records:
        partitions.setdefault((one.topic, one.partition), []).append(one)
    return list(heapq.merge(*partitions.values(), key=lambda one: one.timestamp))


def place(one: Located) -> Place:
    """Where a record stands, without its offset."""
    return one.topic_id, one.record.partition


@dataclass
class Positions:
    """The next offset of every partition, as the database had it when it was last read or moved."""

    next: dict[Place, int] = field(default_factory=dict)

    async def learn(self, connection: asyncpg.Connection, cluster: str) -> None:
        """Read all positions anew."""
        rows = await connection.fetch(_SQL["positions"], cluster)
        self.next = {(row["topic_id"], row["partition"]): row["next_offset"] for row in rows}

    async def begin(
        self, connection: asyncpg.Connection, cluster: str, first: Mapping[tuple[str, str, int], int]
    ) -> None:
        """Store where partitions that were never read begin. ``first``: (topic, topic id, partition) to offset."""
        rows = [(topic_id, partition, topic, offset) for (topic, topic_id, partition), offset in first.items()]
        await connection.execute(_SQL["first_sight"], cluster, *sql.columns(rows, 4))
        await self.learn(connection, cluster)

    def fresh(self, batch: Iterable[Located]) -> tuple[list[Located], dict[Place, Located]]:
        """The records to take, in order, and for each partition with a hole the first record behind it.

        Records below their position are redelivered and skipped. So are those of a partition without a position:
        it is not ours any more, and whoever has it begins at the stored one.
        """
        at = dict(self.next)
        taken: list[Located] = []
        holes: dict[Place, Located] = {}
        for one in batch:
            where = place(one)
            expected = at.get(where)
            if expected is None or one.record.offset < expected or where in holes:
                continue
            if one.record.offset > expected:
                holes[where] = one
                continue
            at[where] = expected + 1
            taken.append(one)
        return taken, holes

    async def advance(self, connection: asyncpg.Connection, batch: Sequence[Located]) -> dict[Place, int]:
        """Move the positions of a batch inside its transaction; ``moved`` keeps them after the commit.

        Raises Replaced when the stored positions are not the ones known here.
        """
        after: dict[Place, int] = {}
        for one in batch:
            after[place(one)] = one.record.offset + 1
        moved = await connection.execute(
            _SQL["advance"],
            batch[0].cluster,
            [topic_id for topic_id, _ in after],
            [partition for _, partition in after],
            [self.next[where] for where in after],
            list(after.values()),
        )
        if int(moved.split()[-1]) != len(after):
            raise Replaced("stored positions are not the ones this process knows")
        return after

    def moved(self, after: Mapping[Place, int]) -> None:
        """The transaction that advanced to ``after`` is committed."""
        self.next.update(after)
