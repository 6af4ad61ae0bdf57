"""What must be there before containers start: passwords, keys, and how Kafka and PostgreSQL are set.

    compose.env         where everything is, for `docker compose --env-file`
    directory/          institutions.toml, to be edited in place: services read it again when it changes
    secrets/            one password per file, Kafka's two files that hold passwords, the log's signing key
    secrets/sealing/    private sealing keys; no container gets them
    kafka/ postgres/    settings without secrets
    certificates/       who vouches for a Kafka and a PostgreSQL that run elsewhere
    mail/               what the mail sink took
    keys.json           public sealing keys
    stack.json          the same addresses for the other commands: `RUTA_STATE=… ./ruta publish`

The folder is closed to others of this machine (0700). What is in it is readable, as every container runs under an
account of its own; each is given only its own files.
"""

import base64
import re
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from contracts.directory import SEED, Directory, load
from contracts.topics import OPERATOR
from deploy import kafka_node, keys, postgres_node, provision_database, provision_kafka
from deploy.compose.external import External
from deploy.embedded.addresses import Addresses
from deploy.embedded.ports import Ports
from deploy.embedded.state import CONTAINERS, State, make_folder, write_private
from deploy.provision import Target
from services.audit.settings import ORIGIN

FOLDER = Path(__file__).parent
_KAFKA_DATA = "/var/lib/kafka/data/log"  # in the container; kafka.sh names it too
_MOUNTED = ("kafka.sh", "log4j2.properties", "postgres.sh", "restore.sh")
"""Files of the checkout that containers read, whatever account they run under."""
_LOGGING = ("-Dlog4j2.configurationFile=/etc/ruta/log4j2.properties",)


@dataclass(frozen=True)
class Prepared:
    """Where the files are, and the ports that they name."""

    state: State
    ports: Ports
    addresses: Addresses

    @property
    def directory_file(self) -> Path:
        return self.state.root / "directory" / "institutions.toml"

    @property
    def environment_file(self) -> Path:
        return self.state.root / "compose.env"

    @property
    def target(self) -> Target:
        """What provisioning works on, seen from this machine."""
        return Target(
            state=self.state,
            kafka_bootstrap=self.addresses.kafka,
            database_host=self.addresses.database_host,
            database_port=self.addresses.database_port,
            directory=load(self.directory_file),
            kafka_ca_file=_path(self.addresses.kafka_ca_file),
            database_ca_file=_path(self.addresses.database_ca_file),
        )


def prepare(
    root: Path,
    ports: Ports,
    directory_file: Path | None = None,
    external: External | None = None,
    origin: str | None = None,
) -> Prepared:
    """Write what is missing; passwords and keys that exist are never replaced.

    The directory that is there stays unless another is given; the first one is the seed's. ``origin`` names the
    audit log for ever. Raises ValueError for a bad directory or origin, OSError where the folder cannot be written.
    """
    addresses = Addresses.of(ports) if external is None else external.addresses(root, ports)
    made = Prepared(State(root), ports, addresses)
    if directory_file is not None:
        load(directory_file)
    if origin is not None and re.fullmatch(ORIGIN, origin) is None:
        raise ValueError("The log is named like a URL without its scheme, such as registro.mesa.example/ruta.")
    make_folder(root, 0o700)
    if external is not None:
        external.keep_certificates(root)
    make_folder(made.directory_file.parent, 0o755)
    if directory_file is not None or not made.directory_file.exists():
        shutil.copyfile(directory_file or SEED, made.directory_file)
    made.directory_file.chmod(0o644)  # also where a careful umask made it: every service reads it
    for path in (FOLDER / name for name in _MOUNTED):
        if not path.stat().st_mode & 0o004:  # a checkout under such a umask
            path.chmod(0o644)
    target = made.target
    _passwords(made.state, target.directory)
    keys.ensure(target, origin)
    _readable(keys.signing_key_file(made.state))
    servers(made.state, ports)
    # The mail sink's own account files messages there, and the operator's tools read them.
    make_folder(made.state.mail, 0o1777)
    made.state.write_running(asdict(addresses) | {"kind": CONTAINERS, "directory_file": str(made.directory_file)})
    values = variables(made.state, ports, addresses)
    made.environment_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), "utf-8")
    return made


def variables(state: State, ports: Ports, addresses: Addresses) -> dict[str, str]:
    """What the compose file has to be told."""
    return {
        "COMPOSE_PROJECT_NAME": "ruta",
        "RUTA_STATE": str(state.root),
        **{f"RUTA_{name.upper()}_PORT": str(port) for name, port in ports.http.items()},
        "RUTA_STATUS_PORT": str(ports.status),
        "RUTA_KAFKA_BOOTSTRAP": addresses.kafka,
        "RUTA_KAFKA_PORT": str(ports.kafka),
        "RUTA_DATABASE_HOST": addresses.database_host,
        "RUTA_DATABASE_PORT": str(addresses.database_port),
        "RUTA_POSTGRES_PORT": str(ports.postgres),
        "RUTA_SMTP_PORT": str(ports.smtp),
    }


def servers(state: State, ports: Ports) -> None:
    """Write the files that kafka.sh and postgres.sh read."""
    properties = kafka_node.properties(
        state.secret, port=ports.kafka, controller_port=ports.kafka_controller, data=_KAFKA_DATA
    )
    _write(state.secrets / "kafka-properties", properties)
    formatting = state.secrets / "kafka-format"
    if not formatting.exists():
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        _write(formatting, kafka_node.format_arguments(state.secret, cluster, "/run/secrets/kafka-properties"))
    _write(state.root / "kafka" / "java.options", "\n".join((*kafka_node.JAVA_OPTIONS, *_LOGGING)))
    _write(state.root / "postgres" / "postgresql.conf", postgres_node.configuration(ports.postgres))
    _write(state.root / "postgres" / "pg_hba.conf", postgres_node.HBA)
    _write(state.root / "postgres" / "initdb.arguments", "\n".join(postgres_node.INITDB))
    for name in (kafka_node.BROKER, kafka_node.CONTROLLER, OPERATOR):
        _readable(state.secret_file(f"kafka/{name}"))
    _readable(state.secret_file(f"database/{postgres_node.ADMINISTRATOR}"))


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def _passwords(state: State, directory: Directory) -> None:
    users = sorted(provision_kafka.wanted(directory).users)
    names = (*(f"kafka/{user}" for user in users), *(f"database/{login}" for login in provision_database.LOGINS))
    for name in names:
        _readable(state.secret_file(name))


def _write(path: Path, text: str) -> None:
    make_folder(path.parent, 0o755)
    write_private(path, text)
    path.chmod(0o444)


def _readable(path: Path) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o444)
