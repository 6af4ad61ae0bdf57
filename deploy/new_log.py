"""Closes a log that is refused, and lets a new one begin with its last checkpoint.

The closed log's tables stay where they are under another name: nobody may add to them any more, and their proofs are
answered as before. The keys of the records stay in use: whoever erases a case erases it in both logs.
"""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg

from deploy import provision, provision_database
from deploy.embedded.errors import StackError
from deploy.embedded.state import State
from deploy.keys import seen_file, signing_key_file
from deploy.provision import Target
from services.audit import keys, note, predecessor, proofs, seen, store, tree
from services.audit.note import Verifier
from services.audit.predecessor import Predecessor, Reason
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
            name = keys.load(made).verifier.name if made.exists() else origin or next(_following(key.name))
            refused = Refused("it was closed, and the new key is not in its place yet", before, name)
        else:
            closed = _verifier(vkey) if vkey else key
            refused = await _refused(connection, target.state, key, closed, newest or seen_file(target.state), origin)
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
                raise StackError("The log is accepted and goes on: there is nothing to close.")
            await asyncio.sleep(0.05)
        yield connection
    finally:
        await connection.close()


async def _refused(
    connection: asyncpg.Connection, state: State, key: Verifier, closed: Verifier, newest: Path, origin: str | None
) -> Refused:
    """Look at the log as its service does, with the ``key`` that there is. Raises StackError unless it is refused."""
    why = await _refusal(connection, key, newest)
    if why is None:
        raise StackError("The log fits together and goes on: there is nothing to close.")
    stored = await proofs.newest(connection)
    if stored and (named := stored.note.partition("\n")[0]) != closed.name:
        raise StackError(
            f"The log in the database is {named}, and the key is that of {closed.name}: restore a later backup, or give"
            f" the public key of {named} with --vkey and the file with its last checkpoint with --seen."
        )
    published = newest.read_text("utf-8") if newest.exists() else (stored.note if stored else None)
    if published is None:
        raise StackError("No checkpoint has left this log: there is nothing that a new one could begin with.")
    with_its_own_key = await _refusal(connection, closed, newest)
    reason = Reason.KEY_LOST if with_its_own_key is None else _reason(with_its_own_key)
    schema = await _free_schema(connection, state)
    log = Predecessor(closed.name, closed.vkey, published, stored.size if stored else 0, schema, reason)
    try:
        note.read_checkpoint(log.text)
    except note.Unacceptable as problem:
        raise StackError(
            f"The last checkpoint is not signed by {closed.vkey} ({problem}): give the log's public key with --vkey, or"
            " the file with its last checkpoint with --seen."
        ) from problem
    taken = {keys.load(file).verifier.name for file in _key_files(state)} | {closed.name}
    name = origin or next(name for name in _following(closed.name) if name not in taken)
    if re.fullmatch(ORIGIN, name) is None:
        raise StackError("A log is named like a URL without its scheme, such as registro.mesa.example/ruta.")
    if name in taken:
        raise StackError(f"{name} is a log's name for ever: choose another one.")
    return Refused(str(why), log, name)


async def _refusal(connection: asyncpg.Connection, verifier: Verifier, newest: Path) -> tree.NotOurs | None:
    try:
        await seen.check(connection, verifier, newest, await tree.head(connection, verifier))
    except tree.NotOurs as why:
        return why
    return None


def _reason(refusal: tree.NotOurs) -> Reason:
    return Reason.SHORTER if isinstance(refusal, tree.Shorter) else Reason.CHANGED


async def _free_schema(connection: asyncpg.Connection, state: State) -> str:
    """A name that no closed log has, and no file that was put aside: the database may be older than those."""
    rows = await connection.fetch("select nspname from pg_namespace")
    have = {row["nspname"] for row in rows} | {
        file.suffix.removeprefix(".") for file in (*_key_files(state), *state.root.glob(f"{seen_file(state).name}.*"))
    }
    return next(name for name in (f"{SCHEMA}_closed_{number}" for number in count(1)) if name not in have)


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


def _key_files(state: State) -> list[Path]:
    """The log's key, and those of the logs before it."""
    key = signing_key_file(state)
    return [file for file in key.parent.glob(f"{key.name}*") if file != _next_key(state)]


def _following(origin: str) -> Iterator[str]:
    """The names after this one: ``log.example/ruta``, ``log.example/ruta/2``, ``log.example/ruta/3`` …"""
    stem, _, number = origin.rpartition("/")
    numbered = stem and re.fullmatch(r"[0-9]{1,9}", number)
    return (f"{stem if numbered else origin}/{n}" for n in count(int(number) + 1 if numbered else 2))
