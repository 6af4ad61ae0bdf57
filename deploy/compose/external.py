"""A Kafka and a PostgreSQL that run elsewhere, for external.yaml."""

from dataclasses import dataclass, replace
from pathlib import Path

from deploy.embedded.addresses import Addresses
from deploy.embedded.ports import Ports
from deploy.embedded.state import make_folder

_KAFKA = "certificates/kafka.pem"
_DATABASE = "certificates/database.pem"


@dataclass(frozen=True)
class External:
    """Where they are, ``host:port``, and the files of certificates that vouch for them.

    Their administrators are ours: ``ruta-operator``, a super user of Kafka, and PostgreSQL's superuser ``ruta_admin``,
    with the passwords that prepare makes, or that were put in ``secrets/`` before.
    """

    kafka: str
    kafka_ca: Path
    database: str
    database_ca: Path

    def addresses(self, root: Path, ports: Ports) -> Addresses:
        """Where everything listens then. Raises ValueError when the database has no port."""
        host, _, port = self.database.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"PostgreSQL needs host and port, such as db.example:5432, not {self.database}.")
        return replace(
            Addresses.of(ports),
            kafka=self.kafka,
            database_host=host,
            database_port=int(port),
            kafka_ca_file=str(root / _KAFKA),
            database_ca_file=str(root / _DATABASE),
        )

    def keep_certificates(self, root: Path) -> None:
        """Copy them to where the containers find them. Raises OSError."""
        for source, name in ((self.kafka_ca, _KAFKA), (self.database_ca, _DATABASE)):
            copy = root / name
            make_folder(copy.parent, 0o755)
            copy.write_bytes(source.read_bytes())
            copy.chmod(0o644)
