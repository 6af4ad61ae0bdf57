"""JSON logs, one line each, with an allow-list of fields. No payloads and no exception texts: both hold data."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

FIELDS = (
    "topic",
    "partition",
    "offset",
    "records",
    "outcomes",
    "position",
    "size",
    "fact",
    "alert",
    "reason",
    "port",
    "seconds",
    "signal",
    "missing",
    "attempt",
)
"""What a log line may say beside its message: coordinates, counts, codes and random ids."""


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
            # Other people's loggers put values into their arguments and tracebacks into their texts: the first line
            # of their template is all we repeat.
            "message": record.getMessage() if record.name.startswith("ruta") else str(record.msg).partition("\n")[0],
        }
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info and record.exc_info[1]:
            line["error"] = describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(service: str, level: int = logging.INFO) -> logging.Logger:
    """Send every log line of this process to standard output as JSON; returns the service's own logger."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLine(service))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    own = logging.getLogger("ruta")
    own.setLevel(level)
    return own


def describe(error: BaseException) -> str:
    """An exception as its type and place, innermost of a group first: never its text, which may repeat input."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__module__}.{type(error).__qualname__}{place}"
