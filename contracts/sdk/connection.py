"""How an institution reaches the cluster: SCRAM-SHA-512, over TLS or on this machine only."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)
from aiokafka.helpers import create_ssl_context

from contracts.sdk.errors import LoginRefused, NotPermitted, NotReachable, SdkError, UnsafeConnection

Client = TypeVar("Client", AIOKafkaProducer, AIOKafkaConsumer)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the cluster is and who logs in. ``ca_file`` turns TLS on; without it only loopback is allowed.

    Raises UnsafeConnection for plaintext to another machine: SCRAM hides the password, but not what is sent.
    """

    bootstrap: str
    user: str
    password: str = field(repr=False)
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        if self.ca_file is None and not all(_loopback(server) for server in self.servers):
            raise UnsafeConnection("without ca_file (TLS) only a broker on this machine may be used")

    @property
    def servers(self) -> list[str]:
        """The bootstrap addresses, ``host:port`` each."""
        return [server.strip() for server in self.bootstrap.split(",")]

    def options(self) -> dict[str, Any]:
        """The settings of any aiokafka client."""
        return {
            "bootstrap_servers": self.servers,
            "client_id": self.user,
            "security_protocol": "SASL_SSL" if self.ca_file else "SASL_PLAINTEXT",
            "ssl_context": create_ssl_context(cafile=str(self.ca_file)) if self.ca_file else None,
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }


@asynccontextmanager
async def started(client: Client) -> AsyncIterator[Client]:
    """A started client, stopped in the end. Raises NotReachable, LoginRefused or NotPermitted."""
    try:
        try:
            await client.start()
        except KafkaError as error:
            raise translated(error) from error
        yield client
    finally:
        await client.stop()


def translated(error: KafkaError) -> SdkError:
    """The error of ours that says what to do about a client's error."""
    if isinstance(error, SaslAuthenticationFailed):
        return LoginRefused("the broker refuses this user and password")
    if isinstance(error, TopicAuthorizationFailedError):
        return NotPermitted("this user may not use the topic of this institution")
    if isinstance(error, KafkaConnectionError):
        return NotReachable("no broker lets us in at the bootstrap addresses: is it running, and is the login right?")
    return SdkError(type(error).__name__)


def _loopback(server: str) -> bool:
    host = server.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
