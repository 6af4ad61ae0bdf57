"""Where everything listens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from deploy.embedded.ports import Ports
from deploy.provision_database import DATABASE


@dataclass(frozen=True)
class Addresses:
    """Where everything listens, by default all on loopback. `http` by service: `http://127.0.0.1:19001`.

    A file of certificates turns TLS on for a server and says who may vouch for it.
    """

    kafka: str
    database_host: str
    database_port: int
    database_name: str
    smtp_host: str
    smtp_port: int
    http: Mapping[str, str]
    status: str
    kafka_ca_file: str | None = None
    database_ca_file: str | None = None

    @classmethod
    def of(cls, ports: Ports, ca_file: str | None = None) -> Self:
        """The addresses of a system with these ports, and who vouches for both servers, where they have TLS."""
        return cls(
            kafka=f"127.0.0.1:{ports.kafka}",
            database_host="127.0.0.1",
            database_port=ports.postgres,
            database_name=DATABASE,
            smtp_host="127.0.0.1",
            smtp_port=ports.smtp,
            http={name: f"http://127.0.0.1:{port}" for name, port in ports.http.items()},
            status=f"http://127.0.0.1:{ports.status}",
            kafka_ca_file=ca_file,
            database_ca_file=ca_file,
        )
