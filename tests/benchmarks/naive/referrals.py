"""Tracks the state of every referral, one declaration at a time."""

import asyncio
from collections.abc import Iterator, Mapping
from uuid import UUID

import asyncpg

from contracts import facts, topics
from contracts.codec import Declaration, Located
from services.referrals.fold import Claim, Decided, Entry, Folded, SealedPart, fold, read
from services.referrals.lifecycle import Referral
from services.referrals.store import restore
from services.runtime.kafka import Message
from tests.benchmarks.naive.shell import Shell

_KNOWN = "select fact_id from fact where fact_id = $1"
_REFERRAL = "select * from referral where referral = $1 for update"
_CLAIM = """
select owner, event_id, fact_id, digest, outcome from fact
 where owner = $1 and event_id = $2 and outcome in ('applied', 'refused')"""
_FACT = """
insert into fact (fact_id, kind, outcome, referral, version, owner, event_id, digest, value)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_SAVE = """
insert into referral values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict (referral) do update set version = excluded.version, state = excluded.state,
       changed_at = excluded.changed_at"""
_SEALED = "insert into sealed values ($1, $2, $3)"


class Referrals:
    """The service on its shell."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    async def declared(self, located: Located) -> None:
        """Decide a record, store what it did, publish it."""
        entry = read(located, self.shell.members)
        async with self.shell.pool.acquire() as connection, connection.transaction():
            folded = fold([entry], *await _known(connection, entry), self.shell.members)
            (decided,) = folded.facts
            if not await connection.fetchval(_KNOWN, decided.fact.id):
                await _store(connection, decided, folded)
        await self.shell.publish(_messages(decided, folded.sealed))


async def _known(
    connection: asyncpg.Connection, entry: Entry
) -> tuple[Mapping[UUID, Referral], Mapping[tuple[str, UUID], Claim]]:
    if not isinstance(entry.content, Declaration):
        return {}, {}
    head = entry.content.envelope
    row = await connection.fetchrow(_REFERRAL, head.referral)
    claim = await connection.fetchrow(_CLAIM, entry.owner, head.id)
    return (
        {head.referral: restore(row)} if row else {},
        {(entry.owner, head.id): Claim(claim["fact_id"], claim["digest"], claim["outcome"])} if claim else {},
    )


async def _store(connection: asyncpg.Connection, decided: Decided, folded: Folded) -> None:
    fact = decided.fact
    await connection.execute(
        _FACT,
        *(fact.id, fact.data.kind, fact.outcome, fact.referral, getattr(fact.data, "version", None)),
        *(fact.data.cause.owner, fact.data.cause.event, decided.entry.digest, decided.value),
    )
    for r in folded.referrals.values():
        await connection.execute(
            _SAVE,
            *(r.id, r.version, r.state, r.sender, r.recipient, r.need, r.person, r.service, r.urgency),
            *(r.opened_at, r.changed_at),
        )
    for part in folded.sealed:
        await connection.execute(_SEALED, part.fact_id, part.recipient, part.jwe)


def _messages(decided: Decided, sealed: list[SealedPart]) -> Iterator[Message]:
    fact = decided.fact
    yield Message(topics.FACTS, fact.key, fact.headers(), decided.value)
    for party in decided.parties:
        yield Message(topics.outbound(party), fact.key, fact.headers(), decided.value)
    for part in sealed:
        id = facts.name_id(facts.FACT_NAMESPACE, f"sealed/{part.fact_id}")  # noqa: A001
        headers = facts.headers(
            id, facts.SEALED_TYPE, fact.time, fact.key.decode(), fact.referral, fact.need, part.fact_id
        )
        yield Message(topics.outbound(part.recipient), fact.key, headers, part.jwe)


async def main() -> None:
    """Run until SIGTERM."""
    shell = Shell()
    shell.each(Referrals(shell).declared, pattern=topics.INBOUND_PATTERN)
    await shell.serve()


if __name__ == "__main__":
    asyncio.run(main())
