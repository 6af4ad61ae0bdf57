"""A few seconds of coverage-guided fuzzing, where it can be had."""

import subprocess
import sys

import pytest

from deploy.embedded.state import CHECKOUT
from tests.fuzz.atheris_records import SKIPPED

SECONDS = 5


def test_a_few_seconds_find_nothing() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.atheris_records", f"-max_total_time={SECONDS}"],
        cwd=CHECKOUT, capture_output=True, text=True,
    )  # fmt: skip
    if ran.returncode == SKIPPED:
        pytest.skip(ran.stderr.strip())
    assert ran.returncode == 0, ran.stderr[-4_000:]
