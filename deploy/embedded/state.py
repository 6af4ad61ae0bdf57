"""Where a stack keeps its data, secrets and logs; one running stack per state folder.

    lock            held (flock) by the running stack; holds its pid
    stack.json      0600: addresses and pids of the running stack, for the other commands; says so if containers run it
    secrets/        0700: one password per file, 0600
    kafka/ postgres/ mail/ logs/
    web/            scripts for the pages, unpacked anew at every start

A part that takes several steps to make (a formatted Kafka, an initialised PostgreSQL) writes its marker last, so
a first start that was cut off is seen and made anew, and data of a finished one is never deleted.
"""

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.files import write_whole
from deploy.embedded.account import Account
from deploy.embedded.errors import StackError

CHECKOUT = Path(__file__).resolve().parents[2]
SYSTEM_FOLDER = Path("/var/lib/ruta")

CONTAINERS = "containers"
"""The kind of a state that `ruta compose prepare` made. It is described then, and nobody ever holds it."""


@dataclass(frozen=True)
class State:
    """One state folder. Opening it makes the folders; it does not start or lock anything."""

    root: Path

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    @property
    def web(self) -> Path:
        return self.root / "web"

    def secret_file(self, name: str) -> Path:
        """The file of the password `name` (such as `kafka/ruta-audit`), made with a random one if it is missing."""
        path = self.secrets / name
        if not path.exists():
            if not path.parent.exists():  # open to containers, if they are who runs: it stays as it is
                make_folder(path.parent, 0o700)
            write_private(path, secrets.token_urlsafe(24))
        return path

    def secret(self, name: str) -> str:
        """The password `name`, made if it is missing. 32 characters of the URL-safe alphabet: needs no quoting."""
        return self.secret_file(name).read_text(encoding="ascii")

    def write_running(self, description: dict[str, Any]) -> None:
        """Describe the running stack for the other commands."""
        write_private(self.root / "stack.json", json.dumps(description, indent=2) + "\n")

    def clear_running(self) -> None:
        (self.root / "stack.json").unlink(missing_ok=True)

    def running(self) -> dict[str, Any]:
        """The description of the stack that runs on this state.

        Raises StackError when none runs: a description left behind by a killed stack does not count. Containers run
        beside us, or not: that is for whoever asks them.
        """
        description = self._described()
        if description is not None and self._is_of_containers(description):
            return description
        with suppress(FileNotFoundError), (self.root / "lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if (description := self._described()) is not None:
                    return description
                raise StackError("Ruta is just starting on this state: try again in a moment.") from None
        raise StackError(f"Ruta does not run on {self.root}: start it with ./ruta up.")

    def _described(self) -> dict[str, Any] | None:
        try:
            description: dict[str, Any] = json.loads((self.root / "stack.json").read_text())
        except FileNotFoundError:
            return None
        except PermissionError:
            raise StackError(f"{self.root} is another user's: run this as that user.") from None
        return description

    def _is_of_containers(self, description: Mapping[str, Any]) -> bool:
        # A stack of ours holds the lock before it describes itself; those prepared before there was a kind have none.
        return description.get("kind") == CONTAINERS or not (self.root / "lock").exists()

    def refuse_containers(self) -> None:
        """Raises StackError for a state of containers: its data is in their volumes, and its modes are for them."""
        description = self._described()
        if description is not None and self._is_of_containers(description):
            raise StackError(
                f"{self.root} is the state of containers: start, stop and restore them as deploy/compose/README.md "
                "says, or set RUTA_STATE to another folder."
            )

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the state for this process; the kernel lets go of it however the process ends.

        Raises StackError when another process holds it, and for a state of containers.
        """
        self.refuse_containers()
        with (self.root / "lock").open("a+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise StackError(
                    f"Ruta already runs on {self.root} (process {lock.read().strip() or 'unknown'}): "
                    "stop that one, or set RUTA_STATE to another folder."
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield


def default_root() -> Path:
    """$RUTA_STATE; else `.ruta` in the checkout; for root a system folder that the unprivileged account reaches."""
    chosen = os.environ.get("RUTA_STATE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return SYSTEM_FOLDER / hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
    return CHECKOUT / ".ruta"


def open_state(root: Path, account: Account | None) -> State:
    """Make the folders of a state at `root` where they are missing.

    With an account (started by root) the root folder may be entered, not listed, by others, and StackError says
    so when a parent folder keeps the account out, and, before anything is touched, for a state of containers.
    """
    state = State(root)
    try:
        state.refuse_containers()
        if account is not None and root.is_relative_to(SYSTEM_FOLDER):
            make_folder(SYSTEM_FOLDER, 0o711)
        make_folder(root, 0o700 if account is None else 0o711)
        for folder in (state.secrets, state.kafka, state.mail, state.logs):
            make_folder(folder, 0o700)
    except OSError as problem:
        raise StackError(
            f"The state folder {root} cannot be used ({problem.strerror}): set RUTA_STATE to a folder of yours."
        ) from problem
    if account is not None and not account.can_enter(root):
        raise StackError(
            f"PostgreSQL refuses root and its account cannot enter {root}: set RUTA_STATE to a folder whose "
            "parents everybody may enter."
        )
    return state


def make_folder(path: Path, mode: int) -> None:
    """Make a folder with exactly this mode, whatever the umask; parents that are missing get 0755 at most."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step. Raises OSError."""
    write_whole(path, text, 0o600)
