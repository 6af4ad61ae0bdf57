"""Credentials as an institution gets them: printed by the command, read by a program that knows nothing of Ruta."""

import os
import subprocess
from typing import Any

from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT


def printed(stack: Stack, institution: str, form: str) -> str:
    """The output of ``./ruta credentials`` beside this stack."""
    done = subprocess.run(
        ["./ruta", "credentials", institution, "--format", form],
        cwd=CHECKOUT, env={**os.environ, "RUTA_STATE": str(stack.state.root)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def variables(text: str) -> dict[str, str]:
    """The ``name=value`` lines; comments are left out."""
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


def librdkafka(text: str) -> dict[str, Any]:
    """The settings of any librdkafka client from the environment variables."""
    found = variables(text)
    return {
        "bootstrap.servers": found["RUTA_KAFKA_BOOTSTRAP"],
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": found["RUTA_KAFKA_USER"],
        "sasl.password": found["RUTA_KAFKA_PASSWORD"],
    }
