"""Closes a log that is refused, and lets a new one begin with its last checkpoint.

The closed log's tables stay where they are under another name: nobody may add to them any more, and their proofs are
answered as before. The keys of the records stay in use: whoever erases a case erases it in both logs.
"""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from deploy import provision, provision_database
from deploy.embedded.errors import StackError
from deploy.embedded.state import State
from deploy.keys import seen_file, signing_key_file
from deploy.provision import Target
from services.audit import keys, note, predecessor, proofs, seen, store, tree
from services.audit.note import Verifier
from services.audit.predecessor import Predecessor
from services.audit.settings import ORIGIN

SCHEMA = "audit"
FREE_WITHIN = 15.0
"""Seconds for the service, which ends as soon as it has refused, to let go of its lock."""


@dataclass(frozen=True)
class Refused:
    """A log that is not continued, and why. ``name``: of the one that would go on from it."""

    why: str
    log: Predecessor
    name: str


async def begin(
    target: Target,
    *,
    origin: str | None = None,
    vkey: str | None = None,
    newest: Path | None = None,
    accepted: bool,
) -> Refused:
    """What is refused; with ``accepted`` it is closed, and a new log begins when its service is started next.

    ``origin`` names the new log, ``vkey`` is the closed one's public key where its key file is lost, ``newest`` the
    file with the last checkpoint that left it, where the service keeps it elsewhere. A run that was cut off is finished
    by the next one. Raises StackError for a log that goes on.
    """
    key = keys.load(signing_key_file(target.state)).verifier
    async with _alone(target) as connection:
        before = await predecessor.read(connection)
        cut_off = before is not None and before.origin == key.name and await proofs.newest(connection) is None
        if before is not None and cut_off:
            made = _next_key(target.state)
            name = keys.load(made).verifier.name if made.exists() else origin or _next(key.name)
            refused = Refused("it was closed, and the new key is not in its place yet", before, name)
        else:
            closed = _verifier(vkey) if vkey else key
            refused = await _refused(connection, key, closed, newest or seen_file(target.state), origin)
        if accepted:
            keys.ensure(_next_key(target.state), refused.name)
            if not cut_off:
                await _close(connection, refused.log)
            _turn(target.state, refused.log)
    return refused


@asynccontextmanager
async def _alone(target: Target) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection with the log in view, which nobody else appends to. Raises StackError."""
    connection = await provision.administrator(target)
    try:
        await connection.execute(f"set search_path to {SCHEMA}")
        deadline = asyncio.get_running_loop().time() + FREE_WITHIN
        while not await store.become_the_only_one(connection):
            if asyncio.get_running_loop().time() > deadline:
                raise StackError("The log is being written: a log that goes on is not closed.")
            await asyncio.sleep(0.05)
        yield connection
    finally:
        await connection.close()


async def _refused(
    connection: asyncpg.Connection, key: Verifier, closed: Verifier, newest: Path, origin: str | None
) -> Refused:
    """Look at the log as its service does, with the ``key`` that there is. Raises StackError unless it is refused."""
    try:
        await seen.check(connection, key, newest, await tree.head(connection, key))
    except tree.NotOurs as refusal:
        why = str(refusal)
    else:
        raise StackError("The log fits together and goes on: there is nothing to close.")
    stored = await proofs.newest(connection)
    published = newest.read_text("utf-8") if newest.exists() else (stored.note if stored else None)
    if published is None:
        raise StackError("No checkpoint has left this log: there is nothing that a new one could begin with.")
    earlier = await connection.fetchval("select count(*) from pg_namespace where nspname ~ '^audit_closed_[0-9]+$'")
    schema = f"{SCHEMA}_closed_{earlier + 1}"
    log = Predecessor(closed.name, closed.vkey, published, stored.size if stored else 0, schema)
    try:
        note.read_checkpoint(log.text)
    except note.Unacceptable as problem:
        raise StackError(
            f"The last checkpoint is not signed by {closed.vkey} ({problem}): give its public key with --vkey."
        ) from problem
    name = origin or _next(closed.name)
    if re.fullmatch(ORIGIN, name) is None:
        raise StackError("A log is named like a URL without its scheme, such as registro.mesa.example/ruta.")
    if name == closed.name:
        raise StackError(f"{name} is the closed log's name for ever: choose another one.")
    return Refused(why, log, name)


def _verifier(vkey: str) -> Verifier:
    try:
        return note.read_vkey(vkey)
    except note.Unacceptable as problem:
        raise StackError(f"--vkey is no public key of a log: {problem}.") from problem


async def _close(connection: asyncpg.Connection, log: Predecessor) -> None:
    """The tables of the log get another name, and new ones take their place, in one transaction."""
    async with connection.transaction():
        positions = await predecessor.ends(connection, log.kept)
        await connection.execute(f"alter schema {SCHEMA} rename to {log.schema}")
        await connection.execute(f"revoke insert on all tables in schema {log.schema} from {SCHEMA}_app")
        for change in provision_database.plan(await provision_database.read(connection), {}):
            await connection.execute(change.statement)
        await provision.migrate_schema(connection, SCHEMA)
        await connection.execute(f"reset role; set local search_path to {SCHEMA}")
        await predecessor.store(connection, log, positions)


def _turn(state: State, log: Predecessor) -> None:
    """The closed log's files are put aside; the new key takes its place last, and only then the service goes on."""
    newest, key = seen_file(state), signing_key_file(state)
    shutil.copy2(key, key.with_name(f"{key.name}.{log.schema}"))
    if newest.exists():
        newest.replace(newest.with_name(f"{newest.name}.{log.schema}"))
    _next_key(state).replace(key)


def _next_key(state: State) -> Path:
    return signing_key_file(state).with_name("audit-signing-key.next")


def _next(origin: str) -> str:
    """The name after this one: ``log.example/ruta``, ``log.example/ruta/2``, ``log.example/ruta/3``."""
    stem, _, number = origin.rpartition("/")
    return f"{stem}/{int(number) + 1}" if stem and re.fullmatch(r"[0-9]{1,9}", number) else f"{origin}/2"
