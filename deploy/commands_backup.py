"""`ruta backup` and `ruta restore`: PostgreSQL's own base backup and write-ahead log, taken and put back."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded.account import needed_account
from deploy.embedded.errors import StackError
from deploy.embedded.postgres import Postgres
from deploy.embedded.state import State, default_root
from deploy.embedded.supervisor import Command
from deploy.running import running_stack

BASE, WAL = "base", "wal"
"""Folders of a backup: the data as of its beginning, and everything that was written since."""


def backup(folder: Path) -> None:
    """Take a base backup of the running system, then receive its WAL until Ctrl-C. Raises StackError."""
    target, running = running_stack()
    postgres = Postgres(target.state, running["database_port"], None)
    with receiving(postgres, folder) as receiver:
        base(postgres, folder)
        print(f"base backup in {folder / BASE}; receiving the WAL until Ctrl-C", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            if receiver.wait() != 0:
                raise StackError("The WAL is no longer received: PostgreSQL ended the connection.")


def restore(folder: Path) -> None:
    """Put a backup in the place of the data of a stopped system. Raises StackError, also for a state of containers."""
    if not (folder / BASE / "PG_VERSION").exists():
        raise StackError(f"There is no base backup in {folder}.")
    state = State(default_root())
    if not state.root.exists():
        raise StackError(f"There is no state in {state.root}: its secrets and keys must be there before the data.")
    with state.exclusively():
        old = Postgres(state, 0, needed_account()).put_back(folder / BASE, folder / WAL)
    print(f"restored; the data that was there is in {old}. Start with ./ruta up: it rolls forward and goes on.")


@contextmanager
def receiving(postgres: Postgres, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Every byte of the WAL goes to the backup as it is written, from before the block on. Raises StackError while
    another backup writes into the folder."""
    (folder / WAL).mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder):
        command = postgres.client("pg_receivewal")
        arguments = [*command.arguments, f"--directory={folder / WAL}", "--synchronous", "--no-loop"]
        receiver = subprocess.Popen(arguments, env=dict(command.environment), stdin=subprocess.DEVNULL)
        try:
            yield receiver
        finally:
            receiver.terminate()
            receiver.wait(10)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"Another backup writes into {folder}: let it go on, or name another folder.") from None
        yield
    finally:
        os.close(handle)


def base(postgres: Postgres, folder: Path) -> None:
    """The data as it is now, with its manifest and the WAL that makes it whole. Raises StackError.

    An earlier one is replaced when this one is whole: there is always one of them.
    """
    place, new, old = (folder / f"{BASE}{state}" for state in ("", ".new", ".old"))
    shutil.rmtree(new, ignore_errors=True)  # left by a run that was cut off
    _run(postgres.client("pg_basebackup"), f"--pgdata={new}", "--checkpoint=fast", "--wal-method=stream")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _run(command: Command, *arguments: str) -> None:
    ran = subprocess.run(
        [*command.arguments, *arguments], env=dict(command.environment), capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise StackError(f"{Path(command.arguments[0]).name} failed: {(ran.stderr or ran.stdout).strip()[-500:]}")
