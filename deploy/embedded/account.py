"""The unprivileged account that PostgreSQL runs as when the stack is started by root.

PostgreSQL refuses to run as root, on purpose. An ordinary user needs none of this: the stack runs as that user.
"""

import grp
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import StackError

NAME = "ruta"


@dataclass(frozen=True)
class Account:
    """A system account by number; owns the PostgreSQL data directory."""

    uid: int
    gid: int

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `setpriv` that make a command run as this account, without groups or a way back to root."""
        return f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--no-new-privs"

    def can_run(self, program: Path) -> bool:
        """Whether the account reaches `program`; found out by running it, as modes and mounts can both forbid."""
        return self._succeeds(str(program), "--version")

    def can_enter(self, folder: Path) -> bool:
        """Whether the account can enter `folder` through all of its parents."""
        return self._succeeds("test", "-x", str(folder))

    def _succeeds(self, *arguments: str) -> bool:
        # Through a shell: setpriv itself still has root's way through closed folders when it starts a program.
        command = ["setpriv", *self.options, "--", "sh", "-c", 'exec "$@"', "sh", *arguments]
        return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


def needed_account() -> Account | None:
    """The account to drop to, made if it is missing; None for an ordinary user, who needs none.

    Raises StackError where root cannot make it.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        _create()
        entry = pwd.getpwnam(NAME)
    if entry.pw_uid == 0:
        raise StackError(f"The account '{NAME}' has uid 0, and PostgreSQL refuses root: rename that account.")
    return Account(entry.pw_uid, entry.pw_gid)


def _create() -> None:
    if shutil.which("useradd") is None:
        raise StackError(
            f"PostgreSQL refuses root and 'useradd' is missing: make a system account named '{NAME}', "
            "or run this as an ordinary user."
        )
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    try:
        grp.getgrnam(NAME)
    except KeyError:
        command.append("--user-group")
    else:
        command += ["--gid", NAME]
    made = subprocess.run([*command, NAME], capture_output=True, text=True, check=False)
    # 9 = the name exists: another start was quicker.
    if made.returncode not in (0, 9):
        raise StackError(
            f"PostgreSQL refuses root and the system account '{NAME}' could not be made "
            f"({made.stderr.strip()}): make it, or run this as an ordinary user."
        )
