"""Tracks the state of every referral, one declaration at a time."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import asyncpg

from contracts import facts, topics
from contracts.codec import Declaration, Located
from contracts.declarations import Requested
from contracts.values import Service, State
from services.referrals import rows
from services.referrals.answers import Claim, Decided
from services.referrals.entries import Entry, read
from services.referrals.fold import Folded, Person, SealedPart, fold
from services.referrals.former import Former
from services.referrals.referral import Referral
from services.runtime import process
from services.runtime.kafka import Message
from services.runtime.process import Job
from tests.benchmarks.naive.shell import Shell

_KNOWN = "select fact_id from fact where fact_id = $1"
_CHAIN = """
select * from referral
 where root = (select root from referral where referral = $1) order by cardinality(path) for update"""
_CLAIM = """
select owner, event_id, fact_id, digest, outcome from fact
 where owner = $1 and event_id = $2 and first and outcome in ('applied', 'refused')"""
_FORMERS = "select referral, recipient, service, state, opened_at from referral where person = $1 and sender = $2"
_FACT = """
insert into fact (fact_id, kind, outcome, first, referral, version, owner, event_id, digest, value)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
_SAVE = """
insert into referral
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        string_to_array($21, ' '), $22, $23, $24, $25)
    on conflict (referral) do update set version = excluded.version, state = excluded.state,
       changed_at = excluded.changed_at, held_from = excluded.held_from, stop_duty = excluded.stop_duty,
       revoked = excluded.revoked, escalated = excluded.escalated, competence_decided = excluded.competence_decided,
       awaits_content = excluded.awaits_content, conflict = excluded.conflict"""
_SEALED = "insert into sealed values ($1, $2, $3)"


class Referrals:
    """The service on its shell."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    async def declared(self, located: Located) -> None:
        """Decide a record, store what it did, publish it."""
        entry = read(located, self.shell.members)
        async with self.shell.pool.acquire() as connection, connection.transaction():
            stored, claims, formers = await _known(connection, entry)
            folded = fold([entry], stored, claims, self.shell.members, formers)
            if not await connection.fetchval(_KNOWN, folded.facts[0].fact.id):
                await _store(connection, folded)
        await self.shell.publish(message for decided in folded.facts for message in _messages(decided, folded.sealed))


async def _known(
    connection: asyncpg.Connection, entry: Entry
) -> tuple[Mapping[UUID, Referral], Mapping[tuple[str, UUID], Claim], Mapping[Person, list[Former]]]:
    if not isinstance(entry.content, Declaration):
        return {}, {}, {}
    head, details = entry.content.envelope, entry.content.details
    chain = await connection.fetch(_CHAIN, head.referral)
    claim = await connection.fetchrow(_CLAIM, entry.owner, head.id)
    formers = {}
    if isinstance(details, Requested):
        formers[entry.owner, details.person] = [
            Former(row["referral"], row["recipient"], Service(row["service"]), State(row["state"]), row["opened_at"])
            for row in await connection.fetch(_FORMERS, details.person, entry.owner)
        ]
    return (
        {row["referral"]: rows.restore(row) for row in chain},
        {(entry.owner, head.id): Claim(claim["fact_id"], claim["digest"], claim["outcome"])} if claim else {},
        formers,
    )


async def _store(connection: asyncpg.Connection, folded: Folded) -> None:
    for decided in folded.facts:
        fact = decided.fact
        await connection.execute(
            _FACT,
            *(fact.id, fact.data.kind, fact.outcome, decided.ordinal == 0),
            *(fact.referral, getattr(fact.data, "version", None)),
            *(fact.data.cause.owner, fact.data.cause.event, decided.entry.digest, decided.value),
        )
    for referral in folded.referrals.values():
        await connection.execute(_SAVE, *rows.changing(referral), *rows.lasting(referral))
    for part in folded.sealed:
        await connection.execute(_SEALED, part.fact_id, part.recipient, part.jwe)


def _messages(decided: Decided, sealed: list[SealedPart]) -> Iterator[Message]:
    fact = decided.fact
    yield Message(topics.FACTS, fact.key, fact.headers(), decided.value)
    for party in decided.parties:
        yield Message(topics.outbound(party), fact.key, fact.headers(), decided.value)
    for part in sealed:
        if part.fact_id != fact.id:
            continue
        id = facts.name_id(facts.FACT_NAMESPACE, f"sealed/{part.fact_id}")  # noqa: A001
        headers = facts.headers(
            id, facts.SEALED_TYPE, fact.time, fact.key.decode(), fact.referral, fact.need, part.fact_id
        )
        yield Message(topics.outbound(part.recipient), fact.key, headers, part.jwe)


def service() -> AbstractAsyncContextManager[list[Job]]:
    """What the process runs."""
    shell = Shell()
    shell.each(Referrals(shell).declared, pattern=topics.INBOUND_PATTERN)
    return shell.serving()


if __name__ == "__main__":
    process.run("naive-referrals", service)
