"""What the operator's commands say when Kafka and PostgreSQL are away."""

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from deploy.compose.prepare import prepare
from deploy.embedded.ports import Ports
from deploy.embedded.state import CHECKOUT
from deploy.problems import sentence

COMMANDS = (
    "ledger",
    "refold",
    "topics apply",
    "topics accept-gap ruta.in.imebu.v1",
    "quarantine list",
    "quarantine release",
    "audit verify",
)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device."),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/backup/wal"),
         "/backup/wal: No such file or directory."),
        (TimeoutError(), "There was no answer in time: is everything running? See the logs."),
        (asyncpg.CannotConnectNowError("starting up"),
         "PostgreSQL does not answer (CannotConnectNowError): is it running? See its log."),
        (asyncpg.UniqueViolationError("what we did wrong"), None),
        (KeyError("what we did wrong"), None),
    ],
)  # fmt: skip
def test_only_what_is_not_our_mistake_is_a_sentence(problem: Exception, expected: str | None) -> None:
    assert sentence(problem) == expected


@pytest.mark.anyio
async def test_servers_that_are_away_are_one_sentence(tmp_path: Path) -> None:
    prepared = prepare(tmp_path / "state", Ports.free())  # described, as containers are, and nobody listens
    environment = os.environ | {"RUTA_STATE": str(prepared.state.root), "PYTHONPATH": str(CHECKOUT)}

    async def said(command: str) -> tuple[int | None, bytes, list[str]]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "deploy", *command.split()),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out, err.decode().splitlines()

    # Together: some wait until Kafka's client gives up.
    for command, (code, out, err) in zip(COMMANDS, await asyncio.gather(*map(said, COMMANDS)), strict=True):
        assert (code, out, len(err)) == (1, b"", 1), (command, err)
        assert err[0].startswith("ruta: "), command
        assert "does not answer" in err[0], command


def test_who_publishes_about_no_referral_is_told_how_to_name_it(tmp_path: Path) -> None:
    prepared = prepare(tmp_path / "state", Ports.free())
    file = "deploy/demo/files/accepted.json"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "deploy", "publish", file, "--as", "icbf-santander"], cwd=CHECKOUT, check=False,
        env=os.environ | {"RUTA_STATE": str(prepared.state.root), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ruta: accepted.json does not say which referral it is about: name it, --referral UUID.\n"
