"""The newest checkpoint, kept in a file outside the database: a log restored from a backup is shorter than that.

Continuing such a log would sign a second history under one name. The file is written behind the commits, once a
second, so a crash may leave it a little behind; never ahead.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import asyncpg

from services.audit import note, predecessor, tree
from services.audit.note import Checkpoint, Verifier
from services.audit.sequence import Head
from services.audit.tree import NotOurs, Shorter
from services.runtime import failpoints

WRITTEN_EVERY = 1.0


async def check(connection: asyncpg.Connection, verifier: Verifier, file: Path | None, head: Head) -> None:
    """Raise NotOurs unless the log that ends with ``head`` begins with the tree that was seen last.

    A new log that goes on from a closed one has not been seen: the file still holds what was seen of that one.
    """
    if file is None or not file.exists():
        return
    text = file.read_text("utf-8")
    before = await predecessor.read(connection)
    try:
        if before is not None and not head.size and _size(text, note.read_vkey(before.vkey)) <= before.published:
            return
    except note.Unacceptable:
        pass  # then it must be this log's own
    try:
        seen = note.read_checkpoint(note.read(text, [verifier]))
    except note.Unacceptable as error:
        raise NotOurs(f"{file.name} holds no checkpoint of this log") from error
    if seen.size > head.size:
        raise Shorter(f"the log has {head.size} leaves and had {seen.size} before: it was cut off or restored")
    (root,) = await tree.roots(connection, head.size, [(0, seen.size)])
    if seen != Checkpoint(verifier.name, seen.size, root):
        raise NotOurs("the log does not begin with the tree that was signed before")


def _size(text: str, by: Verifier) -> int:
    return note.read_checkpoint(note.read(text, [by])).size


async def keep(file: Path, newest: Callable[[], str | None]) -> None:
    """Write the newest checkpoint to the file, for ever."""
    written = None
    while True:
        if (signed := newest()) is not None and signed != written:
            write(file, signed)
            written = signed
        await asyncio.sleep(WRITTEN_EVERY)


def write(file: Path, signed: str) -> None:
    """Replace the file's content, all or nothing."""
    new = file.with_name(f"{file.name}.new")
    with new.open("w", encoding="utf-8") as out:
        out.write(signed)
        out.flush()
        os.fsync(out.fileno())
    failpoints.hit("log.seen")
    new.replace(file)
