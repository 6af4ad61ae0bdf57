"""Makes Kafka and PostgreSQL what the contracts say: plan, apply, and check that nothing is left to do.

Idempotent, and safe on a running system: a new institution gets its topics, user and rights without a restart.
"""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from confluent_kafka.admin import AdminClient

from contracts.directory import Directory
from contracts.topics import OPERATOR
from deploy import provision_database, provision_kafka
from deploy.embedded.errors import StackError
from deploy.embedded.state import CHECKOUT, State
from deploy.postgres_node import ADMINISTRATOR
from services.runtime import migrations
from services.runtime.settings import loopback

_SETTLE_WITHIN = 10.0  # seconds until the broker shows what the controller has accepted


@dataclass(frozen=True)
class Target:
    """What to provision, and where the passwords are kept.

    A file of certificates turns TLS on for a server and says who may vouch for it. Raises StackError for a server
    beyond loopback without one: passwords and names of institutions would cross the network in the clear.
    """

    state: State
    kafka_bootstrap: str
    database_host: str
    database_port: int
    directory: Directory
    kafka_ca_file: Path | None = None
    database_ca_file: Path | None = None

    def __post_init__(self) -> None:
        brokers = (address.rpartition(":")[0] for address in self.kafka_bootstrap.split(","))
        if self.kafka_ca_file is None and not all(map(loopback, brokers)):
            raise StackError("Kafka beyond loopback needs TLS: name the file of certificates that vouch for it.")
        if self.database_ca_file is None and not loopback(self.database_host):
            raise StackError("PostgreSQL beyond loopback needs TLS: name the file of certificates that vouch for it.")

    @property
    def database_ssl(self) -> ssl.SSLContext | bool:
        """What asyncpg takes as ``ssl``."""
        if self.database_ca_file is None:
            return False
        return ssl.create_default_context(cafile=self.database_ca_file)


def kafka_plan(target: Target) -> provision_kafka.KafkaPlan:
    """What has to change in Kafka. Blocking. Raises KafkaException."""
    want = provision_kafka.wanted(target.directory)
    client = operator(target)
    unknown = frozenset(user for user in want.users if not _password_file(target, user).exists())
    return provision_kafka.plan(want, provision_kafka.read(client, want.topics), unknown)


async def provision_topics(target: Target) -> list[str]:
    """Bring Kafka to what the contracts say; returns the changes made, one line each.

    Returns when the broker itself shows every change, so that who comes next finds it. Raises KafkaException, and
    StackError when the broker does not get there.
    """
    changes = await asyncio.to_thread(kafka_plan, target)
    if not changes:
        return []
    await asyncio.to_thread(_apply_kafka, target, changes)
    deadline = asyncio.get_running_loop().time() + _SETTLE_WITHIN
    while remaining := await asyncio.to_thread(kafka_plan, target):
        if asyncio.get_running_loop().time() > deadline:
            raise StackError(f"Kafka does not take these changes: {'; '.join(remaining.lines())}.")
        await asyncio.sleep(0.05)
    return changes.lines()


async def provision_database_roles(target: Target) -> list[str]:
    """Make the database, roles and schemas that are missing; returns the changes made, one line each."""
    created = await _create_database(target)
    connection = await administrator(target)
    try:
        have = await provision_database.read(connection)
        passwords = {
            login: target.state.secret(f"database/{login}")
            for login in provision_database.LOGINS
            if login not in have.roles or not (target.state.secrets / "database" / login).exists()
        }
        changes = provision_database.plan(have, passwords)
        async with connection.transaction():
            for change in changes:
                await connection.execute(change.statement)
    finally:
        await connection.close()
    return [*created, *(change.text for change in changes)]


async def migrate(target: Target) -> list[str]:
    """Apply the migrations of every service that has any; returns the names applied."""
    applied = []
    connection = await administrator(target)
    try:
        for schema in provision_database.SCHEMAS:
            applied += await migrate_schema(connection, schema.name)
    finally:
        await connection.close()
    return applied


async def migrate_schema(connection: asyncpg.Connection, name: str) -> list[str]:
    """Apply the migrations of one schema; returns the names applied. ``connection`` is the superuser's."""
    schema = next(one for one in provision_database.SCHEMAS if one.name == name)
    path = CHECKOUT / "services" / schema.migrations
    if not path.is_dir():
        return []
    applied = await migrations.apply(connection, schema=name, folder=path, role=schema.owner)
    return [f"{name}/{file}" for file in applied]


async def everything(target: Target) -> list[str]:
    """Kafka beside PostgreSQL and its migrations; returns the changes made, one line each."""

    async def database() -> list[str]:
        return [*await provision_database_roles(target), *await migrate(target)]

    kafka_changes, database_changes = await asyncio.gather(provision_topics(target), database())
    return [*kafka_changes, *database_changes]


async def administrator(target: Target, database: str = provision_database.DATABASE) -> asyncpg.Connection:
    """A connection of the superuser."""
    return await asyncpg.connect(
        host=target.database_host,
        port=target.database_port,
        user=ADMINISTRATOR,
        password=target.state.secret(f"database/{ADMINISTRATOR}"),
        database=database,
        ssl=target.database_ssl,
    )


async def _create_database(target: Target) -> list[str]:
    connection = await administrator(target, "postgres")
    try:
        name = provision_database.DATABASE
        if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            return []
        await connection.execute(f"CREATE DATABASE {name}")
        return [f"+ database {name}"]
    finally:
        await connection.close()


def _apply_kafka(target: Target, changes: provision_kafka.KafkaPlan) -> None:
    passwords = {user: target.state.secret(f"kafka/{user}") for user in changes.new_passwords}
    provision_kafka.apply(operator(target), changes, passwords)


def operator(target: Target) -> AdminClient:
    """The operator's client."""
    password = target.state.secret(f"kafka/{OPERATOR}")
    return provision_kafka.admin_client(target.kafka_bootstrap, OPERATOR, password, target.kafka_ca_file)


def _password_file(target: Target, user: str) -> Path:
    return target.state.secrets / "kafka" / user
