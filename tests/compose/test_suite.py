"""The integration tests on Kafka and PostgreSQL in containers: `RUTA_TEST_STACK=containers ./ruta test …` for all."""

import os
import re
import subprocess
import sys

import docker
import pytest

from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from tests.support.containers import OWNER, remove_left_over
from tests.support.engine import ON_CONTAINERS, no_servers

SELECTED = (
    "tests/compose/test_suite.py",
    "tests/embedded/test_rights.py",
    "tests/referrals/test_intake.py",
    "tests/system/test_bad_input.py",
)
"""From logins and rights over one service to the whole system; the rest says nothing new about the servers."""


@pytest.mark.anyio
@pytest.mark.skipif(not ON_CONTAINERS, reason="the shared stack runs as child processes")
async def test_the_shared_stack_runs_in_containers(stack: Stack) -> None:
    client = docker.from_env()
    try:
        ours = client.containers.list(filters={"label": f"{OWNER}={os.getpid()}"})
        programs = {container.attrs["Config"]["Entrypoint"][-1] for container in ours}
        assert programs == {"/etc/ruta/kafka.sh", "/etc/ruta/postgres.sh"}
    finally:
        client.close()
    assert not {"kafka", "postgres"} & {status.name for status in stack.statuses()}


@pytest.mark.timeout(900)
@pytest.mark.skipif(ON_CONTAINERS, reason="this run is on containers already")
def test_integration_tests_pass_on_containers() -> None:
    if lacking := no_servers():
        pytest.skip(lacking)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *SELECTED],
        env=os.environ | {"RUTA_TEST_STACK": "containers"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=850,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    passed = re.search(r"(\d+) passed, 1 skipped", done.stdout)
    assert passed is not None, done.stdout[-2000:]
    assert int(passed[1]) > 20


def test_containers_of_a_killed_run_are_removed() -> None:
    if lacking := no_servers():
        pytest.skip(lacking)
    client = docker.from_env()
    ended = subprocess.Popen(["true"])
    ended.wait()
    try:
        image = os.environ.get("RUTA_POSTGRES_IMAGE", "postgres:18")
        labels = {OWNER: str(ended.pid)}
        container = client.containers.create(image, "true", entrypoint=["sh"], network_mode="none", labels=labels)
        remove_left_over()
        with pytest.raises(docker.errors.NotFound):
            client.containers.get(container.id)
    finally:
        client.close()
