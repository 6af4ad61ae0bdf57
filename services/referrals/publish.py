"""Which records a fact becomes: one for the services, one for each party, and the sealed part behind its own."""

from collections.abc import Iterator

import asyncpg

from contracts import facts, topics
from contracts.envelope import TRACEPARENT
from services.runtime.kafka import Message


def messages(row: asyncpg.Record) -> Iterator[Message]:
    """The records of one row of ``relay_read``, in the order in which they are sent."""
    partition_key = str(row["referral"] or row["owner"])
    headers = facts.headers(
        row["fact_id"], f"{facts.TYPE_PREFIX}{row['kind']}.v1", row["received_at"], partition_key,
        row["referral"], row["need"], row["event_id"],
    )  # fmt: skip
    if row["traceparent"]:
        headers.append((TRACEPARENT, row["traceparent"].encode()))
    key = partition_key.encode()
    yield Message(topics.FACTS, key, headers, row["value"])
    for party in row["parties"]:
        yield Message(topics.outbound(party), key, headers, row["value"])
        if party == row["sealed_for"]:
            yield Message(topics.outbound(party), key, _sealed_headers(row, partition_key), row["jwe"])


def _sealed_headers(row: asyncpg.Record, partition_key: str) -> list[tuple[str, bytes]]:
    # The id derives from the fact's, so that a repeated relay batch repeats the id too.
    id = facts.name_id(facts.FACT_NAMESPACE, f"sealed/{row['fact_id']}")  # noqa: A001
    return facts.headers(
        id, facts.SEALED_TYPE, row["received_at"], partition_key, row["referral"], row["need"], row["fact_id"]
    )
