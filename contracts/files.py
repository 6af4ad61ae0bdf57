"""Files that others read while they are written. Nothing else is imported here: every command starts with it."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str, mode: int) -> None:
    """Write a file in one step: a reader sees the old text or the new one, and what is private is never readable by
    others. Raises OSError, and leaves nothing then."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink()  # on a full disk every try would leave one
        raise
