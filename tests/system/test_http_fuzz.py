"""The HTTP interfaces against their own description: whatever is asked, the answer is one that they promise."""

import asyncio
import subprocess
import sys
from pathlib import Path
from random import randrange

import pytest

from deploy.embedded.stack import SERVICES, Stack

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

EXAMPLES = 15
"""Of each operation."""

ENDLESS = "/v1/inbox/{institution}/events"
"""A stream has no end, so no answer to be judged."""

PATIENCE = 60
"""Seconds until an answer counts as none, on a machine that others use."""


@pytest.mark.parametrize("service", SERVICES)
async def test_every_answer_is_one_that_the_description_promises(system: Stack, service: str, tmp_path: Path) -> None:
    seed = randrange(2**31)
    print(f"seed {seed}")
    ran = await asyncio.to_thread(
        subprocess.run,
        [
            str(Path(sys.executable).with_name("schemathesis")), "--no-color", "run",
            f"{system.addresses.http[service]}/openapi.json",
            f"--exclude-path={ENDLESS}", f"--max-examples={EXAMPLES}", f"--seed={seed}", "--phases=coverage,fuzzing",
            f"--request-timeout={PATIENCE}", "--continue-on-failure", "--warnings=off", "--generation-database=none",
            # That one of two parameters must be given is nothing that OpenAPI can say.
            "--exclude-checks=positive_data_acceptance",
        ],
        cwd=tmp_path,  # it keeps notes where it runs
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    print(ran.stdout)
    assert ran.returncode == 0
    assert " passed" in ran.stdout
