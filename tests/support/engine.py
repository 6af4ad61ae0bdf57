"""Whether this machine has what containers need, and a sentence saying what it lacks."""

import os
import shutil
import subprocess
from functools import cache

import pytest

from deploy.compose import images
from tests.compose import reading

ON_CONTAINERS = os.environ.get("RUTA_TEST_STACK") == "containers"
"""Whether Kafka and PostgreSQL of the shared stack are containers in this run."""
reaches_into_servers = pytest.mark.skipif(ON_CONTAINERS, reason="needs the servers as child processes of ours")
"""For tests that kill a server of the shared stack or read its files."""
_ANSWERS_WITHIN = 10.0  # seconds
_PULLED_WITHIN = 300.0


@cache
def no_engine() -> str | None:
    """Why no container can be started; None where a Docker engine answers."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    try:
        asked = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_ANSWERS_WITHIN,
        )
    except subprocess.TimeoutExpired:
        return f"the Docker engine does not answer within {_ANSWERS_WITHIN:.0f} s"
    return None if asked.returncode == 0 else "no Docker engine answers"


@cache
def compose_command() -> tuple[str, ...] | None:
    """The command that runs compose files: the plugin of today, else the program that came before it."""
    for command in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(command[0]) and _succeeds(*command, "version"):
            return command
    return None


def missing_image(*variables: str) -> str | None:
    """Which of these images, by variable, is neither here nor can be fetched; None where all are here now."""
    for variable in variables:
        name = os.environ.get(variable, reading.default_images()[variable])
        try:
            if not images.exists(name) and not _succeeds("docker", "pull", "--quiet", name, within=_PULLED_WITHIN):
                return f"no registry gives {name}: ./ruta compose images makes one, and says how it is chosen"
        except subprocess.TimeoutExpired:
            return f"{name} was not fetched within {_PULLED_WITHIN:.0f} s"
    return None


def no_servers() -> str | None:
    """Why Kafka and PostgreSQL cannot be had as containers; None where they can."""
    return no_engine() or missing_image("RUTA_KAFKA_IMAGE", "RUTA_POSTGRES_IMAGE")


def _succeeds(*command: str, within: float = _ANSWERS_WITHIN) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=within).returncode == 0
