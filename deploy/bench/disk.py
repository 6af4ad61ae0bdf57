"""How long the disk takes to keep something: an alert waits for it twice, whatever runs above."""

import os
import time
from pathlib import Path

BYTES = 8_192
"""As much as a small commit writes."""
OVER = 2**24
"""Bytes of the file, written before: as a segment of PostgreSQL's log, which is used again."""


def syncs(folder: Path, times: int = 200, every: float = 0.02) -> tuple[float, ...]:
    """Milliseconds from a write of 8 KiB until it is on the disk (fdatasync), each on its own, in a file below
    ``folder`` that is gone afterwards."""
    file = folder / "disk-probe"
    found = []
    try:
        with file.open("xb", buffering=0) as probe:
            probe.write(bytes(OVER))
            os.fsync(probe.fileno())
            for number in range(times):
                began = time.monotonic()
                os.pwrite(probe.fileno(), os.urandom(BYTES), number * BYTES % OVER)
                os.fdatasync(probe.fileno())
                found.append(1000 * (time.monotonic() - began))
                time.sleep(every)
    finally:
        file.unlink(missing_ok=True)
    return tuple(found)
