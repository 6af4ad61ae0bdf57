"""Where everything listens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from deploy.embedded.ports import Ports
from deploy.provision_database import DATABASE


@dataclass(frozen=True)
class Addresses:
    """Where everything listens, all on loopback. `http` by service: `http://127.0.0.1:19001`."""

    kafka: str
    database_host: str
    database_port: int
    database_name: str
    smtp_host: str
    smtp_port: int
    http: Mapping[str, str]
    status: str

    @classmethod
    def of(cls, ports: Ports) -> Self:
        """The addresses of a system with these ports."""
        return cls(
            kafka=f"127.0.0.1:{ports.kafka}",
            database_host="127.0.0.1",
            database_port=ports.postgres,
            database_name=DATABASE,
            smtp_host="127.0.0.1",
            smtp_port=ports.smtp,
            http={name: f"http://127.0.0.1:{port}" for name, port in ports.http.items()},
            status=f"http://127.0.0.1:{ports.status}",
        )
