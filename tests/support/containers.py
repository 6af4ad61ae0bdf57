"""Kafka and PostgreSQL of the shared stack as containers, by testcontainers, as the compose file describes them.

    RUTA_TEST_STACK=containers ./ruta test tests/system

The images are those of the compose file, or RUTA_KAFKA_IMAGE and RUTA_POSTGRES_IMAGE.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import docker
import psutil
from docker.types import Mount
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from contracts.directory import SEED, load
from deploy.compose.prepare import servers as write_settings
from deploy.compose.prepare import variables
from deploy.compose.provision import answering
from deploy.embedded.addresses import Addresses
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.state import State
from deploy.provision import Target
from tests.compose import reading

OWNER = "ruta.test.process"
"""The label with the pid of the test run that a container belongs to."""

# Its reaper needs another image, and the engine's socket inside a container. What a killed run left is removed by the
# next one instead.
testcontainers_config.ryuk_disabled = True


@asynccontextmanager
async def in_containers(state: State, ports: Ports) -> AsyncIterator[None]:
    """Both servers, letting in who has the passwords of the state; gone with their data at the end.

    Raises StackError when one does not answer.
    """
    write_settings(state, ports)
    document = reading.document({**os.environ, **variables(state, ports, Addresses.of(ports))})
    servers = {name: _container(document, name) for name in ("kafka", "postgres")}
    target = Target(state, f"127.0.0.1:{ports.kafka}", "127.0.0.1", ports.postgres, load(SEED))
    await asyncio.to_thread(remove_left_over)
    try:
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers.values()))
        try:
            await answering(target, 60)
        except StackError as problem:
            logs = {name: b"".join(server.get_logs())[-2000:].decode() for name, server in servers.items()}
            raise StackError(f"{problem}\n{logs}") from problem
        yield
    finally:
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in servers.values()))


def remove_left_over() -> None:
    """Remove the containers of test runs that are no more."""
    client = docker.from_env()
    try:
        for container in client.containers.list(all=True, filters={"label": OWNER}):
            if not psutil.pid_exists(int(container.labels[OWNER])):
                container.remove(force=True, v=True)
    finally:
        client.close()


def _container(document: Mapping[str, Any], name: str) -> DockerContainer:
    """What compose would make of a service, with a data volume that goes when the container goes."""
    service = document["services"][name]
    container = DockerContainer(service["image"]).with_kwargs(
        user=service["user"],
        entrypoint=service["entrypoint"],
        network_mode=service["network_mode"],
        read_only=service["read_only"],
        cap_drop=service["cap_drop"],
        security_opt=service["security_opt"],
        shm_size=service.get("shm_size"),
        labels={OWNER: str(os.getpid())},
        mounts=[
            Mount(target=inside, source=None, type="volume")
            for source, inside in (volume.split(":")[:2] for volume in service["volumes"])
            if source in document["volumes"]
        ],
    )
    container.tmpfs.update(mount.split(":", 1) for mount in service["tmpfs"])  # its own method knows sizes only
    for secret in service["secrets"]:
        container.with_volume_mapping(document["secrets"][secret]["file"], f"/run/secrets/{secret}")
    for volume in service["volumes"]:
        source, inside, *_ = volume.split(":")
        if source not in document["volumes"]:
            container.with_volume_mapping((reading.FILE.parent / source).resolve(), inside)
    return container
