"""Every command of the README, run as it stands there, on a system that `./ruta up` started."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from deploy.embedded.ports import Ports
from deploy.embedded.state import CHECKOUT, State

pytestmark = pytest.mark.timeout(420)

PATIENCE = 120  # seconds; the first start does all the work, beside other tests of this machine

RUN_ELSEWHERE = {"./ruta test"}
"""This is it."""


def commands() -> list[str]:
    """The commands in the README's shell blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (CHECKOUT / "README.md").read_text("utf-8"), re.DOTALL)
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


class Up:
    """`./ruta up` with a state and ports of its own."""

    def __init__(self, state: Path, log: Path) -> None:
        self.environment = {**os.environ, "RUTA_STATE": str(state)}
        self.state, self.log = state, log
        self.base = Ports.free().referrals - 1

    def start(self, *options: str) -> float:
        """Start and wait until everything answers; returns the seconds it took."""
        began = time.monotonic()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                ["./ruta", "up", "--base-port", str(self.base), *options],
                cwd=CHECKOUT, env=self.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        while b"Ctrl-C stops everything" not in self.log.read_bytes():
            assert self.process.poll() is None, self.log.read_text("utf-8")
            assert time.monotonic() - began < PATIENCE, self.log.read_text("utf-8")
            time.sleep(0.1)
        return time.monotonic() - began

    def children(self) -> list[psutil.Process]:
        """Every process it started."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def interrupt(self) -> float:
        """Ctrl-C; returns the seconds until it ended."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        return time.monotonic() - began

    def run(self, command: str, within: float = 120) -> subprocess.CompletedProcess[str]:
        """A command line of the README."""
        return subprocess.run(
            shlex.split(command), cwd=CHECKOUT, env=self.environment, capture_output=True, text=True, timeout=within
        )


@pytest.fixture
def up(session_folder: Path, tmp_path: Path) -> Iterator[Up]:
    made = Up(session_folder / "readme", tmp_path / "up.log")
    yield made
    if made.process.poll() is None:
        made.process.kill()


def test_every_command_of_the_readme(up: Up, tmp_path: Path) -> None:
    ran = {"./ruta up"}
    first = up.start()

    def check(command: str, *expected: str, code: int = 0, within: float = 120) -> str:
        ran.add(command)
        done = up.run(command.replace("$REFERRAL", referral), within)
        assert done.returncode == code, done.stdout + done.stderr
        for text in expected:
            assert text in done.stdout, done.stdout + done.stderr
        return done.stdout

    referral = ""
    answer = check(
        "./ruta publish deploy/demo/files/requested.json --as personeria-giron", "applied requested", "Enviada"
    )
    referral = re.findall(r"referral +([0-9a-f-]{36})", answer)[0]
    accept = "./ruta publish deploy/demo/files/accepted.json --as icbf-santander --referral $REFERRAL"
    check(accept, "applied accepted", "version 2")
    check(accept, "refused accepted", "wrong-state", code=1)
    check("./ruta show $REFERRAL", referral, "personeria-giron", "requested", "accepted")
    _send_on(up, tmp_path)
    check("./ruta credentials icbf-santander", "RUTA_KAFKA_USER=icbf-santander", "ruta.out.icbf-santander.v1")
    _watch(up, referral)
    ran.add("./ruta watch icbf-santander")
    check("./ruta quarantine list")
    check("./ruta quarantine release", "0 records were released")
    assert len(json.loads(check("./ruta lifecycle --format json"))["answers"]) > 2_000
    check("./ruta ledger", "ledger_ok  True")
    check("./ruta refold", "all equal their stored state")
    check("./ruta audit verify", "leaves")
    check("./ruta topics apply", "nothing to change")

    children = up.children()
    stopped = up.interrupt()
    assert not [process for process in children if process.is_running() and process.status() != "zombie"]
    again = up.start("--workers", "2")
    assert "referrals-2" in State(up.state).running()["http"]
    check("./ruta show $REFERRAL", referral, "accepted")
    up.interrupt()
    print(f"first start {first:.1f} s, stop {stopped:.1f} s, second start {again:.1f} s")

    result = json.loads(check("./ruta demo --referrals 200 --json", within=300))
    assert result["ledger_ok"] is True
    assert len(result["duties"]) == 6
    assert result["published"] == sum(
        result[name] for name in ("applied", "refused", "duplicates", "conflicts", "quarantined")
    )
    assert min(result[name] for name in ("applied", "refused", "duplicates", "conflicts", "quarantined")) > 0
    assert len(result["institutions"]) == 32
    assert set(commands()) == ran | RUN_ELSEWHERE


def _send_on(up: Up, folder: Path) -> None:
    """Whoever sends a referral on is told the id of its child, and either of them shows the chain."""
    asked = folder / "requested.json"
    event = json.loads((CHECKOUT / "deploy/demo/files/requested.json").read_text("utf-8"))
    event["data"]["details"]["person"] = str(uuid4())
    asked.write_text(json.dumps(event), "utf-8")
    (root,) = re.findall(r"referral +([0-9a-f-]{36})", up.run(f"./ruta publish {asked} --as personeria-giron").stdout)
    again = up.run(f"./ruta publish {asked} --as personeria-giron").stdout
    assert "duplicate-request" in again
    assert f"existing  {root}" in again
    sent_on = folder / "redirected.json"
    basis = {"basis": "public-function", "norm": "Ley-2136-2021"}
    details = {"target": "defensoria-santander", "reason": "not-competent", "ground": "Ley-1437-2011-art-21"}
    head = {"type": "co.ruta.referral.redirected.v1", "authtype": "user", "authid": "funcionario-3"}
    data = {"details": {**details, "legal_basis": basis}, "content": {"nombres": "Persona inventada"}}
    sent_on.write_text(json.dumps({**head, "data": data}), "utf-8")
    answer = up.run(f"./ruta publish {sent_on} --as icbf-santander --referral {root}").stdout
    (child,) = re.findall(r"child +([0-9a-f-]{36}) to defensoria-santander", answer)
    for one in (root, child):
        shown = up.run(f"./ruta show {one}").stdout
        assert f"chain  {root}  → icbf-santander  redirected" in shown
        assert f"chain  {child}  → defensoria-santander  requested" in shown


def _watch(up: Up, referral: str) -> None:
    """It never ends by itself: read until the referral has passed by."""
    with subprocess.Popen(
        ["./ruta", "watch", "icbf-santander"], cwd=CHECKOUT, env=up.environment, stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        seen = ""
        for line in watching.stdout:
            seen += line
            if referral in line and "opens with our key" in line:
                break
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=60)
    assert f"{referral}  applied requested by personeria-giron" in seen
    assert watching.returncode == 0


def test_what_up_leaves_behind_is_nothing_even_when_it_is_killed(up: Up) -> None:
    up.start()
    children = up.children()
    assert len(children) >= 6
    up.process.kill()
    up.process.wait()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert not [process for process in alive if process.status() != "zombie"]
    assert State(up.state).root.exists()
