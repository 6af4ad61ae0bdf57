"""How an institution reaches the cluster: SCRAM-SHA-512, over TLS or on this machine only."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import create_conn
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

    Raises UnsafeConnection for plaintext to another machine (SCRAM hides the password, but not what is sent), and
    SdkError for addresses of another form.
    """

    bootstrap: str
    user: str
    password: str = field(repr=False)
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        if not all(server.rpartition(":")[2].isdecimal() for server in self.servers):
            raise SdkError("bootstrap must be host:port, or several of them with commas between")
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

    async def why_not(self) -> SdkError:
        """Why no client could start: aiokafka tries every address and keeps the reason to itself."""
        for host, port in (server.rsplit(":", 1) for server in self.servers):
            login = {name: value for name, value in self.options().items() if name != "bootstrap_servers"}
            try:
                (await create_conn(host.strip("[]"), int(port), request_timeout_ms=10_000, **login)).close()
            except SaslAuthenticationFailed:
                return LoginRefused("the broker refuses this user and password")
            except (OSError, KafkaError, TimeoutError):
                continue
        return NotReachable("no broker answers at the bootstrap addresses")


@asynccontextmanager
async def started(client: Client, connection: Connection) -> AsyncIterator[Client]:
    """A started client, stopped in the end. Raises NotReachable, LoginRefused or NotPermitted."""
    try:
        try:
            await client.start()
        except KafkaConnectionError:
            raise await connection.why_not() from None
        except KafkaError as error:
            raise translated(error) from error
        yield client
    finally:
        await client.stop()


def translated(error: KafkaError) -> SdkError:
    """The error of ours that says what to do about a client's error."""
    if isinstance(error, TopicAuthorizationFailedError):
        return NotPermitted("this user may not use the topic of this institution")
    if isinstance(error, KafkaConnectionError):
        return NotReachable("the connection to the broker was lost")
    return SdkError(type(error).__name__)


def _loopback(server: str) -> bool:
    host = server.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
