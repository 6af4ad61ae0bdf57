"""The one that appends: takes whatever is waiting on all logged topics and adds it in one transaction.

Any error ends the process; the next one goes on where the last committed batch ends. A second process waits for the
lock and takes over when the first one's connection falls.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer

from services.audit import keyring, sequence, store, tree
from services.audit.note import Signer
from services.audit.reading import Arrival, Gap
from services.audit.sequence import Head, Known, Tail
from services.audit.streams import Streams
from services.runtime import kafka
from services.runtime.settings import Settings

log = logging.getLogger("ruta.audit")

MAX_RECORDS = 1_024
FETCH_TOTAL_BYTES = 16 * 1024 * 1024
"""What one fetch may bring: a batch is held in memory four times over (record, frame, sealed, parameters)."""

REMEMBERED_REFERRALS = 100_000
"""Chains whose last leaf is kept in memory; another one costs a look into an index."""

POLL_SECONDS = 0.5
STANDBY_SECONDS = 1.0


def consumer(settings: Settings) -> AIOKafkaConsumer:
    """A consumer without a group: positions are in the log's own batches.

    Uncommitted records are read too, because a decision may have been made on them. ``none``: a position that Kafka
    does not have is an error here, never a silent jump.
    """
    return AIOKafkaConsumer(
        **kafka.client_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_uncommitted",
        max_partition_fetch_bytes=kafka.FETCH_BYTES,
        fetch_max_bytes=FETCH_TOTAL_BYTES,
        fetch_max_wait_ms=100,
        metadata_max_age_ms=kafka.METADATA_MAX_AGE_MS,
    )


class Sequencer:
    """Appends for as long as it holds the lock. ``connection`` and ``keys`` are used by nobody else."""

    def __init__(
        self, connection: asyncpg.Connection, keys: asyncpg.Connection, signer: Signer, streams: Streams
    ) -> None:
        self.connection = connection
        self.keys = keys
        self.signer = signer
        self.streams = streams
        self.head: Head | None = None
        self.busy_since: float | None = None
        self._owners: dict[str, Tail] = {}
        self._referrals: dict[UUID, Tail] = {}

    async def run(self) -> None:
        """Wait for the lock, then append for ever. Raises whatever goes wrong."""
        while not await store.become_the_only_one(self.connection):
            await asyncio.sleep(STANDBY_SECONDS)
        self.head = await tree.head(self.connection, self.signer.verifier)
        log.info("sequencer active", extra={"size": self.head.size})
        async with self.streams.listing():
            while True:
                await self._turn()

    def missing(self) -> list[str]:
        """What this process waits for besides records, in short phrases."""
        return ["another process is the sequencer"] if self.head is None else self.streams.missing()

    async def _turn(self) -> None:
        if (changed := self.streams.changed()) is not None:
            stored = await store.positions(self.connection, changed.cluster, changed.partitions.values())
            await self.append(await self.streams.assign(changed, stored))
        await self.append(await self.streams.take(POLL_SECONDS, MAX_RECORDS))

    async def append(self, items: Sequence[Arrival | Gap]) -> None:
        """Add these items as one batch."""
        if not items:
            return
        assert self.head is not None
        self.busy_since = started = time.monotonic()
        batch = sequence.assemble(self.head, items, await self._known(items))
        sequence.check(self.head, batch)
        await store.append(self.connection, batch, self.signer)
        self.head, self.busy_since = batch.head, None
        self._remember(batch)
        log.info(
            "batch",
            extra={
                "records": len(items),
                "size": batch.head.size,
                "outcomes": dict(Counter(one.kind for one in batch.columns)),
                "seconds": round(time.monotonic() - started, 4),
            },
        )

    async def _known(self, items: Sequence[Arrival | Gap]) -> Known:
        owners, referrals, uses = store.named(items)
        scopes = {item.scope for item in items if isinstance(item, Arrival)}
        keys = await keyring.keys(self.keys, scopes) if scopes else {}
        if unknown := owners - self._owners.keys():
            self._owners |= await store.owner_tails(self.connection, unknown)
        tails = {referral: tail for referral in referrals if (tail := self._referrals.get(referral))}
        if unseen := referrals - tails.keys():
            tails |= await store.referral_tails(self.connection, unseen)
        return Known(self._owners, tails, await store.first_uses(self.connection, uses), keys)

    def _remember(self, batch: sequence.Batch) -> None:
        # Only what is committed is remembered; oldest first out.
        self._owners |= batch.owners
        for referral, tail in batch.referrals.items():
            self._referrals.pop(referral, None)
            self._referrals[referral] = tail
        while len(self._referrals) > REMEMBERED_REFERRALS:
            del self._referrals[next(iter(self._referrals))]
