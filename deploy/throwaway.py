"""The folder of a system that is started, used once and thrown away."""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Throwaway:
    """Where it is. Whoever sees something go wrong sets ``failed``, and the logs are kept."""

    folder: Path
    failed: bool = False

    @property
    def state(self) -> Path:
        """The state folder for a stack."""
        return self.folder / "state"

    @property
    def logs(self) -> Path:
        """The logs of that stack."""
        return self.state / "logs"

    def remove(self) -> None:
        """Remove everything; of one that failed all but the logs, and say where they are."""
        if not (self.failed and self.logs.exists()):
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for path in {*self.folder.iterdir(), *self.state.iterdir()} - {self.state, self.logs}:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        print(f"logs: {self.logs}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def throwaway(prefix: str) -> Iterator[Throwaway]:
    """A new one, removed at the end of the block; it failed if the block did, but not if that was interrupted."""
    made = Throwaway(Path(tempfile.mkdtemp(prefix=prefix)))
    made.folder.chmod(0o711)  # PostgreSQL's own account must pass through when we are root
    try:
        yield made
    except Exception:
        made.failed = True
        raise
    finally:
        made.remove()
