"""`ruta credentials`: what an institution needs to publish and to read."""

from enum import StrEnum
from pathlib import Path

from contracts import topics
from deploy.embedded.errors import StackError
from deploy.keys import key_folder, overlay_file
from deploy.running import running_stack


class Format(StrEnum):
    """For whom the credentials are written."""

    ENV = "env"
    """Environment variables, one per line."""
    JAVA = "java"
    """A ``.properties`` file of Kafka's own client."""
    KCAT = "kcat"
    """A configuration file of kcat (``kcat -F``), with the names of librdkafka."""


def run(code: str, form: Format) -> None:
    """Print them. Raises StackError for a code that is not in the directory."""
    target, _ = running_stack()
    if code not in target.directory.by_code:
        known = ", ".join(sorted(target.directory.by_code))
        raise StackError(f"The directory has no institution '{code}'; it has: {known}.")
    if not (target.state.secrets / "kafka" / code).exists():
        raise StackError(f"'{code}' has no user yet: run ./ruta topics apply.")
    password = target.state.secret(f"kafka/{code}")
    print("\n".join(lines(form, code, target.kafka_bootstrap, password, target.kafka_ca_file)))
    if form is Format.ENV:
        # On this machine only: an institution has its private key from nobody.
        print(f"RUTA_KEYS={overlay_file(target)}")
        print(f"RUTA_PRIVATE_KEY={key_folder(target) / f'{code}.jwk'}")


def lines(form: Format, code: str, bootstrap: str, password: str, ca_file: Path | None = None) -> list[str]:
    """The credentials of one institution, line by line; with TLS also who vouches for the cluster."""
    if form is Format.ENV:
        return [
            f"RUTA_KAFKA_BOOTSTRAP={bootstrap}",
            f"RUTA_KAFKA_USER={code}",
            f"RUTA_KAFKA_PASSWORD={password}",
            *([f"RUTA_KAFKA_CA_FILE={ca_file}"] if ca_file else []),
            f"RUTA_TOPIC_IN={topics.inbound(code)}",
            f"RUTA_TOPIC_OUT={topics.outbound(code)}",
        ]
    notes = [f"# write: {topics.inbound(code)}", f"# read: {topics.outbound(code)}"]
    protocol = "SASL_SSL" if ca_file else "SASL_PLAINTEXT"
    common = [f"bootstrap.servers={bootstrap}", f"security.protocol={protocol}"]
    if form is Format.JAVA:
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        login = f'{module} required username="{code}" password="{password}";'
        if ca_file:
            common += ["ssl.truststore.type=PEM", f"ssl.truststore.location={ca_file}"]
        return [*notes, *common, "sasl.mechanism=SCRAM-SHA-512", f"sasl.jaas.config={login}"]
    if ca_file:
        common.append(f"ssl.ca.location={ca_file}")
    return [*notes, *common, "sasl.mechanism=SCRAM-SHA-512", f"sasl.username={code}", f"sasl.password={password}"]
