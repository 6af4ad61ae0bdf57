"""The compose file started for real: a declaration goes through containers and leaves fact, alert, mail and leaf."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploy.compose.prepare import Prepared, prepare
from deploy.embedded.ports import Ports
from deploy.embedded.state import CHECKOUT
from tests.compose import reading
from tests.support.engine import compose_command, missing_image, no_engine

RUNNING = {"kafka", "postgres", "mail", "referrals", "notifications", "audit", "status"}
NEW_INSTITUTION = """
[[institutions]]
code = "entidad-nueva"
name = "Una entidad nueva"
kind = "municipal"
territory = ["68001"]
contacts = [{ channel = "email", address = "avisos@entidad-nueva.mesa.example", purpose = "Recepción" }]
"""
pytestmark = pytest.mark.timeout(1200)


@dataclass(frozen=True)
class System:
    """The containers of one compose project."""

    prepared: Prepared
    project: str

    def compose(self, *arguments: str, within: float = 900) -> str:
        """Run compose on the project; fails the test with what it printed."""
        program = compose_command()
        assert program is not None
        files = ("--env-file", str(self.prepared.environment_file), "-f", str(reading.FILE), "-p", self.project)
        return ran([*program, *files, *arguments], within, {"RUTA_TAG": "test"})

    def ruta(self, *arguments: str) -> str:
        """Run one of the operator's commands beside the containers."""
        command = [sys.executable, "-P", "-m", "deploy", *arguments]
        return ran(command, 120, {"RUTA_STATE": str(self.prepared.state.root), "PYTHONPATH": str(CHECKOUT)})

    def inspect(self) -> Mapping[str, Any]:
        """What the engine knows about every container, by its name in the compose file."""
        label = "com.docker.compose.service"
        ids = ran(["docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}"]).split()
        found = json.loads(ran(["docker", "inspect", *ids])) if ids else []
        return {container["Config"]["Labels"][label]: container for container in found}

    def run_in(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program in a container, as its own account."""
        arguments = ["docker", "exec", self.inspect()[name]["Id"], *command]
        return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)

    def wait_healthy(self, within: float = 120) -> None:
        """Return when every container that stays says that it is well."""
        deadline = time.monotonic() + within
        while True:
            states = {name: container["State"] for name, container in self.inspect().items()}
            health = {name: states[name].get("Health", {}).get("Status") for name in RUNNING & states.keys()}
            if health.keys() == RUNNING and set(health.values()) == {"healthy"}:
                return
            assert time.monotonic() < deadline, f"{health}\n{self.compose('logs', '--tail', '20')}"
            time.sleep(0.5)


def ran(command: Sequence[str], within: float = 60, extra: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **(extra or {})},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=within,
    )
    assert done.returncode == 0, f"{' '.join(command[:3])}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def system(session_folder: Path) -> Iterator[System]:
    if lacking := no_engine():
        pytest.skip(lacking)
    if compose_command() is None:
        pytest.skip("there is neither docker compose nor docker-compose")
    if lacking := missing_image(*reading.default_images()):
        pytest.skip(lacking)
    made = System(prepare(session_folder / "compose", Ports.free()), f"ruta-test-{uuid4().hex[:8]}")
    try:
        made.compose("up", "--build", "--detach")
        made.wait_healthy()
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "30")


@pytest.fixture(scope="module")
def referral(system: System) -> str:
    """A referral that was published to the containers and applied."""
    printed = system.ruta("publish", "deploy/demo/files/requested.json", "--as", "personeria-giron")
    assert "applied" in printed
    return next(line.split()[1] for line in printed.splitlines() if line.startswith("referral"))


def test_a_declaration_leaves_fact_alert_mail_and_leaf(system: System, referral: str) -> None:
    accepted = system.ruta(
        "publish", "deploy/demo/files/accepted.json", "--as", "icbf-santander", "--referral", referral
    )
    assert "applied" in accepted
    found = json.loads(system.ruta("ledger", "--json"))
    assert found["ledger_ok"], found
    assert found["published"] == found["applied"] == 2
    assert found["alerts"] >= 2
    assert found["mails"] >= 1
    assert found["leaves"] >= 2
    shown = system.ruta("show", referral)
    assert "accepted" in shown
    assert "personeria-giron" in shown
    assert "verified" in system.ruta("audit", "verify")


def test_provisioning_ended_well_and_finds_nothing_more_to_do(system: System) -> None:
    state = system.inspect()["provision"]["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    assert not system.compose("run", "--rm", "provision").strip()


@pytest.mark.parametrize("name", sorted(RUNNING))
def test_a_container_is_nobody_and_can_write_nothing_of_its_image(system: System, name: str) -> None:
    container = system.inspect()[name]
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert not container["HostConfig"]["Privileged"]
    assert int(system.run_in(name, "id", "-u").stdout) > 0
    for place in ("/", "/etc", "/opt", "/usr/bin"):
        assert "Read-only" in system.run_in(name, "touch", f"{place}/written").stderr


@pytest.mark.parametrize("name", reading.OURS)
def test_an_image_contains_only_its_service(system: System, name: str) -> None:
    folders = set(system.run_in(name, "ls", "/opt/ruta/services").stdout.split())
    assert folders - {"__pycache__"} == {"__init__.py", "runtime", name}
    assert set(system.run_in(name, "ls", "/opt/ruta").stdout.split()) == {"contracts", "python", "services", "web"}
    secrets = set(system.run_in(name, "ls", "/run/secrets").stdout.split())
    assert secrets == set(
        reading.document(reading.values(system.prepared.environment_file))["services"][name]["secrets"]
    )


def test_no_password_is_where_the_engine_or_a_process_list_shows_it(system: System) -> None:
    seen = json.dumps(system.inspect()) + system.compose("logs")
    for name in RUNNING:
        seen += system.run_in(name, "sh", "-c", "cat /proc/1/cmdline /proc/1/environ").stdout
    for file in (system.prepared.state.secrets / "kafka").iterdir():
        assert file.read_text("ascii") not in seen, file.name
    for file in (system.prepared.state.secrets / "database").iterdir():
        assert file.read_text("ascii") not in seen, file.name


def test_a_new_institution_is_read_without_a_restart(system: System, referral: str) -> None:
    before = {name: container["State"]["StartedAt"] for name, container in system.inspect().items()}
    with system.prepared.directory_file.open("a", encoding="utf-8") as file:
        file.write(NEW_INSTITUTION)
    assert "+ user entidad-nueva" in system.ruta("topics", "apply")
    answer = ("publish", "deploy/demo/files/accepted.json", "--as", "entidad-nueva", "--referral", referral)
    program = [sys.executable, "-P", "-m", "deploy", *answer]
    environment = os.environ | {"RUTA_STATE": str(system.prepared.state.root), "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert "unknown-referral" in done.stdout + done.stderr, "it was read, and is no party to it"
    assert {name: container["State"]["StartedAt"] for name, container in system.inspect().items()} == before


def test_what_was_recorded_outlives_the_containers(system: System, referral: str) -> None:
    system.compose("stop")
    ended = {name: container["State"]["ExitCode"] for name, container in system.inspect().items()}
    assert set(ended.values()) <= {0, 128 + signal.SIGTERM}, f"in order, nobody was killed: {ended}"
    system.compose("down")
    assert not system.inspect()
    system.compose("up", "--detach")
    system.wait_healthy()
    assert "requested" in system.ruta("show", referral)
    assert json.loads(system.ruta("ledger", "--json"))["ledger_ok"]
