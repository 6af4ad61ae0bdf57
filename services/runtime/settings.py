"""A service's settings: environment variables with the prefix ``RUTA_``, secrets from files, checked at start."""

import re
import sys
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import (
    DirectoryPath,
    Field,
    FilePath,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.directory import SEED

Port = Annotated[int, Field(ge=1, le=65_535)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

Url = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")]
"""Where browsers find a service: scheme, host and port only. Its pages link to it; unset, they do not."""

_BROKER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


class PageSettings(BaseSettings):
    """What every process with pages needs to know: where it listens, and where the pages of the others are."""

    model_config = SettingsConfigDict(env_prefix="RUTA_", frozen=True, hide_input_in_errors=True)

    http_host: str = "127.0.0.1"
    http_port: Port
    web_assets: DirectoryPath | None = None
    """Holds htmx and its extensions; without them the pages work by reloading."""
    referrals_url: Url | None = None
    notifications_url: Url | None = None
    audit_url: Url | None = None
    status_url: Url | None = None

    @property
    def addresses(self) -> "Addresses":
        """Where browsers find the services' pages."""
        return Addresses(self.referrals_url, self.notifications_url, self.audit_url, self.status_url)

    @field_validator("http_host")
    @classmethod
    def _loopback_until_login_exists(cls, host: str) -> str:
        if not loopback(host):
            raise ValueError("HTTP has no login yet, so it listens on a loopback address only")
        return host


class Settings(PageSettings):
    """What every service needs to know. Passwords are read from their files when a connection is made."""

    kafka_bootstrap: Name
    kafka_user: Name
    kafka_password_file: FilePath
    kafka_ca_file: FilePath | None = None
    database_host: Name
    database_port: Port = 5432
    database_name: Name
    database_user: Name
    database_password_file: FilePath
    database_ca_file: FilePath | None = None
    directory_file: FilePath = SEED
    instance: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")] = "1"
    """Tells processes of one service apart; each keeps its own over restarts (Kafka's static membership)."""

    test_failpoints: DirectoryPath | None = None
    """Tests only: the folder in which faults are armed. Refused by every system that is not this machine's alone."""

    @field_validator("kafka_bootstrap")
    @classmethod
    def _brokers_with_ports(cls, bootstrap: str) -> str:
        for entry in bootstrap.split(","):
            found = _BROKER.fullmatch(entry)
            if found is None or not 1 <= int(found[1]) <= 65_535:
                raise ValueError("every broker needs its host and port, such as kafka-1.example:9092, with only commas")
        return bootstrap

    @field_validator("kafka_password_file", "database_password_file")
    @classmethod
    def _secret_in_file(cls, path: Path) -> Path:
        try:
            empty = not read_secret(path).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError("the secret file cannot be read as UTF-8 text") from error
        if empty:
            raise ValueError("the secret file is empty")
        return path

    @model_validator(mode="after")
    def _encrypted_beyond_loopback(self) -> "Settings":
        brokers = [address.rpartition(":")[0] for address in self.kafka_bootstrap.split(",")]
        if self.kafka_ca_file is None and not all(map(loopback, brokers)):
            raise ValueError("Kafka beyond loopback needs TLS: set RUTA_KAFKA_CA_FILE")
        if self.database_ca_file is None and not loopback(self.database_host):
            raise ValueError("PostgreSQL beyond loopback needs TLS: set RUTA_DATABASE_CA_FILE")
        if self.test_failpoints is not None and (
            self.kafka_ca_file or self.database_ca_file or not all(map(loopback, (*brokers, self.database_host)))
        ):
            raise ValueError("failpoints are for tests on one machine: unset RUTA_TEST_FAILPOINTS")
        return self


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where browsers find the services' pages; None where we were not told."""

    referrals: str | None = None
    notifications: str | None = None
    audit: str | None = None
    status: str | None = None

    def without(self, name: str) -> "Addresses":
        """The same for the pages of service ``name``, whose own are found by their path alone."""
        return replace(self, **{name: ""})


AnySettings = TypeVar("AnySettings", bound=PageSettings)


def loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def read_secret(path: Path) -> str:
    """The content of a secret file without its line end."""
    return path.read_text("utf-8").rstrip("\n")


def load(kind: type[AnySettings]) -> AnySettings:
    """Read and check the settings; on a mistake print one line per setting and end the process with code 2."""
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(["RUTA", *map(str, problem["loc"])]).upper() if problem["loc"] else "settings"
            print(f"{name}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
