"""Provisioning as a container that runs once before the services: `python -m deploy.compose.provision`.

Waits until Kafka and PostgreSQL answer a login, then makes topics, users, rights, roles and tables what the contracts
say, as `./ruta up` does. Run again after a change of the directory. Passwords are below `/run/ruta/secrets`.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
from confluent_kafka import KafkaException

from contracts.directory import load
from deploy import provision
from deploy.embedded.errors import StackError
from deploy.embedded.state import State

_ANSWERS_WITHIN = 120.0  # seconds


async def answering(target: provision.Target, within: float = _ANSWERS_WITHIN) -> None:
    """Return when both servers let their administrators in. Raises StackError when one does not in time."""

    async def kafka() -> None:
        client = provision.operator(target)
        await asyncio.to_thread(client.list_topics, timeout=2)

    async def postgres() -> None:
        connection = await provision.administrator(target, "postgres")
        await connection.close()

    await asyncio.gather(_answers("Kafka", kafka, within), _answers("PostgreSQL", postgres, within))


async def _answers(subject: str, ask: Callable[[], Awaitable[None]], within: float) -> None:
    deadline = time.monotonic() + within
    while True:
        try:
            return await ask()
        except (KafkaException, OSError, asyncpg.PostgresError) as problem:
            if time.monotonic() > deadline:
                raise StackError(f"{subject} did not let us in within {within:.0f} s: {problem}") from problem
            await asyncio.sleep(0.2)


async def _provision(target: provision.Target) -> None:
    await answering(target)
    for change in await provision.everything(target):
        print(change, flush=True)


def _main() -> None:
    target = provision.Target(
        state=State(Path("/run/ruta")),
        kafka_bootstrap=os.environ["RUTA_KAFKA_BOOTSTRAP"],
        database_host=os.environ["RUTA_DATABASE_HOST"],
        database_port=int(os.environ["RUTA_DATABASE_PORT"]),
        directory=load(Path(os.environ["RUTA_DIRECTORY_FILE"])),
        kafka_ca_file=_file("RUTA_KAFKA_CA_FILE"),
        database_ca_file=_file("RUTA_DATABASE_CA_FILE"),
    )
    try:
        asyncio.run(_provision(target))
    except StackError as problem:
        sys.exit(str(problem))
    except OSError as problem:
        sys.exit(f"{problem}: run ./ruta compose prepare again, it makes the passwords that are missing")


def _file(variable: str) -> Path | None:
    name = os.environ.get(variable)
    return Path(name) if name else None


if __name__ == "__main__":
    _main()
