"""The stack that is running on this state, as the other commands see it."""

from pathlib import Path
from typing import Any

from contracts.directory import load
from deploy.embedded.errors import StackError
from deploy.embedded.state import State, default_root
from deploy.provision import Target


def running_stack() -> tuple[Target, dict[str, Any]]:
    """What provisioning works on, and the description in stack.json. Raises StackError when nothing runs."""
    state = State(default_root())
    description = state.running()
    try:
        directory = load(Path(description["directory_file"]))
    except ValueError as problem:
        raise StackError(str(problem)) from problem
    target = Target(
        state=state,
        kafka_bootstrap=description["kafka"],
        database_host=description["database_host"],
        database_port=description["database_port"],
        directory=directory,
        kafka_ca_file=_path(description["kafka_ca_file"]),
        database_ca_file=_path(description["database_ca_file"]),
    )
    return target, description


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)
