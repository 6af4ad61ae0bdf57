"""Where personal data may never be: a canary that stood in sealed parts only is looked for everywhere else."""

import json
from collections.abc import AsyncIterator, Iterable
from email import policy
from email.parser import BytesParser
from pathlib import Path

import asyncpg

from contracts.codec import Record


def shows(record: Record, canary: str) -> bool:
    """Whether the canary stands in a record's key, headers or value."""
    headers = (part for name, value in record.headers for part in (name.encode("utf-8", "surrogateescape"), value))
    return any(canary.encode() in part for part in (record.key, record.value, *headers) if part)


def files(logs: Path, mails: Path, canary: str) -> Iterable[str]:
    """Logs and mails that hold the canary."""
    for folder, shown in ((logs, _logged), (mails, _told)):
        for file in folder.rglob("*"):
            if file.is_file() and shown(file.read_bytes(), canary):
                yield f"{file.parent.name}/{file.name} holds personal data"


def _logged(log: bytes, canary: str) -> bool:
    """As text, or as programs write bytes and JSON that they only repeat."""
    plain = canary.encode()
    forms = (plain, repr(plain)[2:-1].encode(), json.dumps(canary)[1:-1].encode(), plain.hex().encode())
    return any(form in log for form in forms)


def _told(mail: bytes, canary: str) -> bool:
    return any(canary.encode() in text for text in _read(mail))


def _read(mail: bytes) -> Iterable[bytes]:
    """A mail as it is written, and as its reader sees it: encodings break words wherever a line is full."""
    yield mail
    for part in BytesParser(policy=policy.default).parsebytes(mail).walk():
        yield from (str(value).encode("utf-8", "surrogateescape") for value in part.values())
        if isinstance(content := part.get_payload(decode=True), bytes):
            yield content


async def tables(connection: asyncpg.Connection, canary: str) -> AsyncIterator[str]:
    """Tables that this role may read in which a row holds the canary, as text or as bytes."""
    names = await connection.fetch(
        "select format('%I.%I', n.nspname, c.relname) as name "
        "from pg_class c join pg_namespace n on n.oid = relnamespace "
        "where relkind = 'r' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' "
        "and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')"
    )
    for row in names:
        for form in (canary, canary.encode().hex()):
            found = await connection.fetchval(
                f"select count(*) from {row['name']} as r where position($1 in r::text) > 0",  # noqa: S608 - catalogue
                form,
            )
            if found:
                yield f"table {row['name']} holds personal data in {found} rows"
