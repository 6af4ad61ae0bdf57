"""Coverage-guided: bytes become a record, and every reader of ours must give it an outcome.

    python -m tests.fuzz.atheris_records [libFuzzer options and corpus folders]

Runs until something is found or for ``-max_total_time`` seconds (60 unless given). Needs atheris, which has wheels for
Python 3.12 and 3.13 on x86-64 only; elsewhere it says so and ends with code 77, the sign of a skipped test.
"""

import sys
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SKIPPED = 77


def main(arguments: list[str]) -> int:
    """Fuzz; returns SKIPPED where atheris is absent. With it, the process ends with libFuzzer's own code."""
    if find_spec("atheris") is None:
        print("skipped: atheris is not installed (wheels: Python 3.12 and 3.13 on x86-64)", file=sys.stderr)
        return SKIPPED
    import atheris

    with atheris.instrument_imports(include=["contracts", "services"]):
        from tests.fuzz import corpus

    def one(data: bytes) -> None:
        corpus.read_by_everybody(_record(atheris.FuzzedDataProvider(data), corpus.proper()))

    options = (
        arguments if any(a.startswith("-max_total_time") for a in arguments) else [*arguments, "-max_total_time=60"]
    )
    with tempfile.TemporaryDirectory() as folder:
        for number, found in enumerate(corpus.records()):
            Path(folder, str(number)).write_bytes(b"\x00" + (found.record.value or b"")[:4096])
        atheris.Setup([sys.argv[0], *options, folder], one)
        atheris.Fuzz()
    return 0


def _record(data: Any, proper: Any) -> Any:
    """A proper record with another value; or with other headers and key, too."""
    if data.ConsumeIntInRange(0, 3):
        headers = list(proper.headers)
        for _ in range(data.ConsumeIntInRange(0, 3)):
            place = data.ConsumeIntInRange(0, len(headers) - 1)
            headers[place] = (headers[place][0], data.ConsumeBytes(data.ConsumeIntInRange(0, 64)))
        proper = replace(proper, headers=tuple(headers))
    return replace(proper, value=data.ConsumeBytes(data.remaining_bytes()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
