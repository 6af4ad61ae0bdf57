"""A hash chain over every record, one record at a time; each is sealed under a key of its owner and referral."""

import hashlib
import os
from contextlib import AbstractAsyncContextManager

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts import codec
from contracts.codec import Located
from services.audit import reading
from services.runtime import process
from services.runtime.process import Job
from tests.benchmarks.naive.shell import Shell

_SEEN = "select 1 from leaf where topic = $1 and partition = $2 and position = $3"
_LAST = "select number, hash from leaf order by number desc limit 1"
_FIRST_USE = "select digest from leaf where owner = $1 and event_id = $2 order by number limit 1"
_KEY = "select secret from data_key where owner = $1 and scope = $2"
_NEW_KEY = "insert into data_key values ($1, $2, $3)"
_LEAF = "insert into leaf values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"


class Audit:
    """The service on its shell."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    async def arrived(self, located: Located) -> None:
        """Add the leaf of a record."""
        arrival = reading.read(located.record, located.cluster, located.topic_id)
        async with self.shell.pool.acquire() as connection, connection.transaction():
            record = located.record
            if not await connection.fetchval(_SEEN, record.topic, record.partition, record.offset):
                await _append(connection, arrival)


async def _append(connection: asyncpg.Connection, arrival: reading.Arrival) -> None:
    record, digest, kind = arrival.record, codec.digest(arrival.record), "event"
    if arrival.event is not None:
        first = await connection.fetchval(_FIRST_USE, arrival.owner, arrival.event)
        if first is not None:
            kind = "duplicate" if first == digest else "conflict"
    secret = await connection.fetchval(_KEY, *arrival.scope)
    if secret is None:
        secret = AESGCM.generate_key(256)
        await connection.execute(_NEW_KEY, *arrival.scope, secret)
    nonce = os.urandom(12)
    frame = codec.frame(record.key, record.headers, record.value)
    sealed = nonce + AESGCM(secret).encrypt(nonce, frame, None)
    last = await connection.fetchrow(_LAST)
    chained = hashlib.sha256((last["hash"] if last else b"") + digest + sealed).digest()
    await connection.execute(
        _LEAF,
        *(last["number"] + 1 if last else 1, record.topic, record.partition, record.offset, arrival.owner),
        *(arrival.event, kind, digest, sealed, chained),
    )


def service() -> AbstractAsyncContextManager[list[Job]]:
    """What the process runs."""
    shell = Shell()
    shell.each(Audit(shell).arrived, pattern=r"^ruta\.(in\.[a-z0-9-]+|facts|alerts)\.v1$")
    return shell.serving()


if __name__ == "__main__":
    process.run("naive-audit", service)
