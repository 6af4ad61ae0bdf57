"""A compose project of the test's own, and what one sees of it from outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from deploy.compose.prepare import FOLDER, Prepared
from deploy.embedded.state import CHECKOUT
from tests.support.engine import compose_command

OURS = ("mail", "referrals", "notifications", "audit", "status")


@dataclass(frozen=True)
class System:
    """The containers of one compose project."""

    prepared: Prepared
    files: tuple[str, ...] = ("compose.yaml",)
    servers: tuple[str, ...] = ("kafka", "postgres")
    project: str = field(default_factory=lambda: f"ruta-test-{uuid4().hex[:8]}")

    @property
    def running(self) -> frozenset[str]:
        """The containers that stay."""
        return frozenset((*self.servers, *OURS))

    @contextmanager
    def up(self) -> Iterator[None]:
        """All containers, healthy; gone with their volumes at the end."""
        try:
            self.compose("up", "--build", "--detach")
            self.wait_healthy()
            yield
        finally:
            self.compose("down", "--volumes", "--timeout", "30")

    def compose(self, *arguments: str, within: float = 900) -> str:
        """Run compose on the project; fails the test with what it printed."""
        program = compose_command()
        assert program is not None
        files = (part for name in self.files for part in ("-f", str(FOLDER / name)))
        options = ("--env-file", str(self.prepared.environment_file), *files, "-p", self.project)
        return ran([*program, *options, *arguments], within, {"RUTA_TAG": "test"})

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
            health = {name: states[name].get("Health", {}).get("Status") for name in self.running & states.keys()}
            if health.keys() == self.running and set(health.values()) == {"healthy"}:
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
