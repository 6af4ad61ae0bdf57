"""Named places at which a test makes a service fail: killed, stalled or raising, once, at the n-th hit.

Off unless the setting ``RUTA_TEST_FAILPOINTS`` names a folder, which the settings refuse wherever Kafka or PostgreSQL
is beyond loopback or encrypted. Then a file in that folder arms a point, also while the process runs:

    arm(folder, "referrals", "relay.sent", Action.KILL, hit=2)

The file goes as the fault happens, so the process that is started next goes on.
"""

import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

log = logging.getLogger("ruta.failpoints")

_INTAKE = ("intake.fetched", "intake.decoded")
_COMMIT = ("intake.committing", "intake.committed", "intake.acknowledged")
_RELAY = ("relay.read", "relay.midway", "relay.sent", "relay.moved")

POINTS: Mapping[str, tuple[str, ...]] = {
    "referrals": (
        *_INTAKE, "intake.locked", "intake.claimed", "intake.folded", "intake.written",
        *_COMMIT, *_RELAY,
    ),
    "notifications": (
        *_INTAKE, "intake.planned", "intake.told", *_COMMIT, *_RELAY,
        "mail.claimed", "mail.sending", "mail.sent", "mail.recording", "mail.recorded",
    ),
    "audit": ("log.fetched", "log.assembled", "log.signed", "log.committed", "log.seen"),
}  # fmt: skip
"""The points of each service, in the order in which a record comes by."""

STALLED_FOR = 15.0
"""Seconds: longer than a Kafka session, so that a stalled process comes back as one that was replaced."""


class Action(StrEnum):
    """What happens. ``pass`` only shows that the point was hit."""

    KILL = "kill"
    STALL = "stall"
    RAISE = "raise"
    PASS = "pass"  # noqa: S105 (no password)


class Injected(RuntimeError):
    """A test wanted this."""


@dataclass
class _Enabled:
    folder: Path
    service: str
    hits: Counter[str] = field(default_factory=Counter)

    def hit(self, point: str) -> None:
        file = _file(self.folder, self.service, point)
        try:
            action, wanted = file.read_text("ascii").split()
        except FileNotFoundError:
            self.hits.pop(point, None)
            return
        self.hits[point] += 1
        if self.hits[point] < int(wanted):
            return
        try:
            file.unlink()
        except FileNotFoundError:
            return  # another process of this service was first
        match Action(action):
            case Action.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Action.STALL:
                time.sleep(STALLED_FOR)  # the whole process on purpose
            case Action.RAISE:
                raise Injected(point)


# The process is what fails, so this belongs to the process: whoever passes a point need not know about tests.
_enabled: _Enabled | None = None


def hit(point: str) -> None:
    """Say that the process is at this point. Nothing happens unless a test has armed it."""
    if _enabled is not None:
        _enabled.hit(point)


def enable(folder: Path | None, service: str) -> None:
    """Watch this folder from now on (None: nothing). Called once, by the constructor of the service."""
    global _enabled
    _enabled = _Enabled(folder, service) if folder else None
    if folder:
        log.critical("failpoints are enabled: this process can be made to fail")


def arm(folder: Path, service: str, point: str, action: Action, hit: int = 1) -> None:
    """Let ``action`` happen at this hit, counted from now. Raises ValueError for a point that the service lacks."""
    if point not in POINTS[service]:
        raise ValueError(f"{service} has no point {point}")
    new = folder / ".new"
    new.write_text(f"{action} {hit}", "ascii")
    new.replace(_file(folder, service, point))


def armed(folder: Path) -> frozenset[tuple[str, str]]:
    """Service and point of everything that has not happened yet."""
    return frozenset(
        (service, point) for service, _, point in (file.name.partition(":") for file in folder.glob("*:*"))
    )


def disarm(folder: Path) -> None:
    """Forget what has not happened."""
    for file in folder.glob("*:*"):
        file.unlink(missing_ok=True)


def _file(folder: Path, service: str, point: str) -> Path:
    return folder / f"{service}:{point}"
