"""The compose file started for real: a declaration goes through containers and leaves fact, alert, mail and leaf."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.compose.prepare import prepare
from deploy.embedded.ports import Ports
from deploy.embedded.state import CHECKOUT
from tests.compose import reading
from tests.compose.system import OURS, System
from tests.support.engine import compose_command, missing_image, no_engine

RUNNING = ("kafka", "postgres", *OURS)
NEW_INSTITUTION = """
[[institutions]]
code = "entidad-nueva"
name = "Una entidad nueva"
kind = "municipal"
territory = ["68001"]
contacts = [{ channel = "email", address = "avisos@entidad-nueva.mesa.example", purpose = "Recepción" }]
"""
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def system(session_folder: Path) -> Iterator[System]:
    if lacking := no_engine():
        pytest.skip(lacking)
    if compose_command() is None:
        pytest.skip("there is neither docker compose nor docker-compose")
    if lacking := missing_image(*reading.default_images()):
        pytest.skip(lacking)
    made = System(prepare(session_folder / "compose", Ports.free()))
    with made.up():
        yield made


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
