"""`ruta test`: every check that the repository has to pass."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.embedded.state import CHECKOUT

_CHECKS = (
    ("ruff check", ("ruff", "check", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy",)),
    ("import-linter", ("lint-imports",)),
)


def run(pytest_arguments: Sequence[str]) -> int:
    """Run all checks, or only pytest when it has arguments; returns 0 when all passed, else 1.

    pytest comes last, so that its closing line is the last one; what failed before it is named just above.
    """
    failed = [] if pytest_arguments else [name for name, command in _CHECKS if not _passes(name, command)]
    if failed:
        print(f"\nfailed so far: {', '.join(failed)}", flush=True)
    print("\n== pytest", flush=True)
    pytest = subprocess.run([sys.executable, "-m", "pytest", *pytest_arguments], cwd=CHECKOUT, check=False)
    return int(bool(failed) or pytest.returncode != 0)


def _passes(name: str, command: tuple[str, ...]) -> bool:
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    program = Path(sys.executable).with_name(command[0])
    passed = subprocess.run([program, *command[1:]], cwd=CHECKOUT, check=False).returncode == 0
    print(f"{name}: {'passed' if passed else 'FAILED'} in {time.monotonic() - began:.1f} s", flush=True)
    return passed
