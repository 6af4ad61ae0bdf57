"""JSON logs, one line each, with an allow-list of fields. No payloads and no exception texts: both hold data."""

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

FIELDS = (
    "topic",
    "partition",
    "offset",
    "records",
    "outcomes",
    "position",
    "size",
    "reason",
    "seconds",
    "attempt",
    "suppressed",
)
"""What a log line may say beside its message: coordinates, counts and codes."""

REPEATED_AFTER = 30.0
"""Seconds for which the same line of a library is not written again; its clients write many each second while Kafka
is away, and hide what matters."""

_REMEMBERED = 1_000  # lines; a library that formats its own texts has any number of them


class _JsonLine(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self.service,
            "logger": record.name,
            "message": record.getMessage() if _own(record) else _template(record),
        }
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info and record.exc_info[1]:
            line["error"] = describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class _NoStorms(logging.Filter):
    """One line per logger and template in a while; the next one says how many were suppressed. Ours all pass."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self._lock = threading.Lock()  # handlers filter before they take theirs
        self._written: dict[tuple[str, str], tuple[float, int]] = {}  # when, and how many since; oldest first

    def filter(self, record: logging.LogRecord) -> bool:
        if _own(record):
            return True
        line, now = (record.name, _template(record)), self._now()
        with self._lock:
            at, suppressed = self._written.get(line, (now - REPEATED_AFTER, 0))
            if now - at < REPEATED_AFTER:
                self._written[line] = at, suppressed + 1
                return False
            self._written.pop(line, None)
            self._written[line] = now, 0
            if len(self._written) > _REMEMBERED:
                del self._written[next(iter(self._written))]
        if suppressed:
            record.suppressed = suppressed
        return True


def _own(record: logging.LogRecord) -> bool:
    return record.name == "ruta" or record.name.startswith("ruta.")


def _template(record: logging.LogRecord) -> str:
    # Other people's loggers put values into their arguments and tracebacks into their texts: the first line of their
    # template is all we repeat.
    return str(record.msg).partition("\n")[0]


def configure(service: str, *, now: Callable[[], float] = time.monotonic) -> logging.Logger:
    """Send every log line of this process to standard output as JSON; returns the service's own logger.

    Of what libraries repeat, one line in ``REPEATED_AFTER`` seconds of ``now`` is written.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_NoStorms(now))
    handler.setFormatter(_JsonLine(service))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    own = logging.getLogger("ruta")
    own.setLevel(logging.INFO)
    return own


def describe(error: BaseException) -> str:
    """An exception as its type and place, innermost of a group first: never its text, which may repeat input."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__module__}.{type(error).__qualname__}{place}"
