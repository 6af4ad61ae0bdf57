"""How the Kafka node of Ruta is set, wherever it runs: one KRaft node that denies everything nobody was allowed.

Clients log in by SCRAM-SHA-512; the controller has a listener and a PLAIN credential of its own, which only this
node knows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from contracts.topics import OPERATOR

BROKER: Final = "ruta-broker"
CONTROLLER: Final = "ruta-controller"
JAVA_OPTIONS: Final = (
    # A pause of the broker is one of all that goes through it. Half of the heap is young; classes and compiled code
    # have room from the start, else everything is collected whenever they have grown by some megabytes (0.2 s).
    *("-Xms256m", "-Xmx768m", "-Xmn128m", "-XX:+UseSerialGC"),
    *("-XX:MetaspaceSize=96m", "-XX:ReservedCodeCacheSize=240m"),
    # What outlives one collection are samples of its own metrics, which live for minutes: not copied again and again.
    "-XX:MaxTenuringThreshold=1",
    # The quick compiler only: a broker of this size never earns back what the thorough one takes (a third of all its
    # processor time in the first 30,000 events, for little less work per event after them).
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",  # whoever watches it starts it again; a half-dead broker helps nobody
    "-XX:-UsePerfData",  # nothing in shared temporary folders
)

Secret = Callable[[str], str]
"""Gives the password of a name such as ``kafka/ruta-broker``."""


@dataclass(frozen=True)
class Certificate:
    """PEM files, as the node sees them: its own key (PKCS #8) with its chain, and who vouches for it."""

    own: str
    authority: str


def properties(
    secret: Secret,
    *,
    port: int,
    controller_port: int,
    data: str,
    advertised: int | None = None,
    certificate: Certificate | None = None,
) -> str:
    """The text of ``server.properties``, which holds passwords. Listens on 127.0.0.1; ``data``: folder of the log.

    ``advertised`` is the port that clients are told to come back on, where that is another one: a proxy's.
    With a certificate clients have to use TLS; the controller's listener is for this node alone.
    """
    client = f"CLIENT://127.0.0.1:{port}"
    controller = f"CONTROLLER://127.0.0.1:{controller_port}"
    protocol = "SASL_SSL" if certificate else "SASL_PLAINTEXT"
    own = secret(f"kafka/{CONTROLLER}")
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "listeners": f"{client},{controller}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{advertised or port},{controller}",
        "listener.security.protocol.map": f"CLIENT:{protocol},CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.client.scram-sha-512.sasl.jaas.config": _login(secret, "scram.ScramLoginModule", BROKER),
        "listener.name.controller.plain.sasl.jaas.config": _login(
            secret, "plain.PlainLoginModule", CONTROLLER, f'user_{CONTROLLER}="{own}"'
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": ";".join(f"User:{user}" for user in (BROKER, CONTROLLER, OPERATOR)),
        "allow.everyone.if.no.acl.found": "false",
        "auto.create.topics.enable": "false",
        "log.dirs": data,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        # A fetch that was answered is remembered by every quiet partition that it named, until so many of them are.
        "fetch.purgatory.purge.interval.requests": 100,
        # Only Kafka's own small topics are compacted; the default is half of the heap.
        "log.cleaner.dedupe.buffer.size": 8 * 2**20,
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
        # The controller of one node need not show twice a second, by a record and an fsync, that it leads.
        "metadata.max.idle.interval.ms": 0,
    }
    if certificate is not None:
        settings |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": certificate.own,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": certificate.authority,
        }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def format_arguments(secret: Secret, cluster: str, properties_file: str) -> str:
    """What makes an empty data folder a node's, with the users that must exist before it starts, for ``java @file``.

    A file, as other users of the machine can read command lines.
    """
    users = (
        f"--add-scram=SCRAM-SHA-512=[name={user},password={secret(f'kafka/{user}')}]" for user in (BROKER, OPERATOR)
    )
    options = (f"--cluster-id={cluster}", f"-c={properties_file}", "--standalone", *users)
    return "\n".join(["kafka.tools.StorageTool", "format", *options])


def _login(secret: Secret, module: str, user: str, extra: str = "") -> str:
    options = f'username="{user}" password="{secret(f"kafka/{user}")}" {extra}'.strip()
    return f"org.apache.kafka.common.security.{module} required {options};"
