"""What ``./ruta credentials`` prints, in each of its forms."""

import os
import subprocess
from collections.abc import Callable

from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from deploy.keys import key_folder, overlay_file
from tests.foreign.credentials import variables
from tests.support.builders import SENDER


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./ruta", "credentials", *arguments], cwd=CHECKOUT, env={**os.environ, "RUTA_STATE": str(stack.state.root)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_without_a_form_it_prints_environment_variables(running: Stack, credentials: Callable[[str, str], str]) -> None:
    printed = command(running, SENDER).stdout
    assert printed == credentials(SENDER, "env")
    assert printed.splitlines() == [
        f"RUTA_KAFKA_BOOTSTRAP={running.addresses.kafka}",
        f"RUTA_KAFKA_USER={SENDER}",
        f"RUTA_KAFKA_PASSWORD={running.state.secret(f'kafka/{SENDER}')}",
        f"RUTA_TOPIC_IN=ruta.in.{SENDER}.v1",
        f"RUTA_TOPIC_OUT=ruta.out.{SENDER}.v1",
        f"RUTA_KEYS={overlay_file(running.target)}",
        f"RUTA_PRIVATE_KEY={key_folder(running.target) / f'{SENDER}.jwk'}",
    ]


def test_every_form_says_the_same(credentials: Callable[[str, str], str]) -> None:
    found = variables(credentials(SENDER, "env"))
    for form in ("java", "kcat"):
        printed = credentials(SENDER, form)
        assert all(value in printed for name, value in found.items() if name not in ("RUTA_KEYS", "RUTA_PRIVATE_KEY"))
        assert variables(printed)["sasl.mechanism"] == "SCRAM-SHA-512"


def test_an_institution_or_a_form_that_is_not_there_is_told(running: Stack) -> None:
    unknown = command(running, "nobody-knows")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "The directory has no institution 'nobody-knows'" in unknown.stderr
    assert command(running, SENDER, "--format", "xml").returncode == 2
