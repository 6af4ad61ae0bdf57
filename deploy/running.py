"""The stack that is running on this state, as the other commands see it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from contracts.directory import load
from deploy.embedded.errors import StackError
from deploy.embedded.state import State, default_root
from deploy.provision import Target
from deploy.provision_database import DATABASE


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
    )
    return target, description


@asynccontextmanager
async def operator(schema: str) -> AsyncIterator[asyncpg.Connection]:
    """A read-only connection to the running stack's database, with one service's schema in view."""
    target, _ = running_stack()
    connection = await asyncpg.connect(
        host=target.database_host,
        port=target.database_port,
        database=DATABASE,
        user="ruta_operator",
        password=target.state.secret("database/ruta_operator"),
        server_settings={"search_path": schema, "default_transaction_read_only": "on"},
    )
    try:
        yield connection
    finally:
        await connection.close()
