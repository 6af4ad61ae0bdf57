"""Settings are checked at start, and say which one is wrong without repeating its value."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.runtime.settings import Settings

PROPER = {
    "kafka_bootstrap": "127.0.0.1:9092",
    "kafka_user": "ruta-referrals",
    "database_host": "127.0.0.1",
    "database_name": "ruta",
    "database_user": "referrals_app",
    "http_port": 8080,
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("a password\n")
    return file


def made(secret: Path, **changes: object) -> Settings:
    return Settings(**(PROPER | {"kafka_password_file": secret, "database_password_file": secret} | changes))  # type: ignore[arg-type]


def test_proper_settings_are_taken(secret: Path) -> None:
    assert made(secret).http_host == "127.0.0.1"
    assert made(secret, http_host="::1").http_host == "::1"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"http_host": "0.0.0.0"}, "no login yet"),
        ({"http_host": "192.168.7.1"}, "no login yet"),
        ({"kafka_bootstrap": "127.0.0.1:9092,kafka.example:9092"}, "RUTA_KAFKA_CA_FILE"),
        ({"database_host": "postgres.example"}, "RUTA_DATABASE_CA_FILE"),
        ({"http_port": "many"}, "integer"),
        ({"kafka_password_file": "/no/such/file"}, "not point to a file"),
        ({"http_port": 0}, "greater than or equal to 1"),
        ({"http_port": 65_536}, "less than or equal to 65535"),
        ({"database_port": 0}, "greater than or equal to 1"),
        ({"kafka_user": ""}, "kafka_user"),
        ({"database_host": ""}, "database_host"),
        ({"database_name": " "}, "database_name"),
        ({"database_user": ""}, "database_user"),
        ({"kafka_bootstrap": ""}, "kafka_bootstrap"),
        ({"kafka_bootstrap": "127.0.0.1"}, "host and port"),
        ({"kafka_bootstrap": "127.0.0.1:9092,localhost"}, "host and port"),
        ({"kafka_bootstrap": "127.0.0.1:9092,"}, "host and port"),
        ({"kafka_bootstrap": "127.0.0.1:70000"}, "host and port"),
        ({"kafka_bootstrap": "127.0.0.1:9092, localhost:9092"}, "with only commas"),
        ({"kafka_bootstrap": "::1"}, "host and port"),
    ],
)
def test_what_is_unsafe_or_wrong_is_refused(secret: Path, changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        made(secret, **changes)


@pytest.mark.parametrize("setting", ["kafka_password_file", "database_password_file"])
@pytest.mark.parametrize(("content", "problem"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff", "as UTF-8 text")])
def test_a_file_without_a_secret_is_refused(
    secret: Path, tmp_path: Path, setting: str, content: bytes, problem: str
) -> None:
    file = tmp_path / "nothing"
    file.write_bytes(content)
    with pytest.raises(ValidationError, match=f"(?s){setting}.*{problem}"):
        made(secret, **{setting: file})


@pytest.mark.parametrize("brokers", ["localhost:9092,127.0.0.1:9093", "[::1]:9092"])
def test_brokers_with_their_ports_are_taken(secret: Path, brokers: str) -> None:
    assert made(secret, kafka_bootstrap=brokers).kafka_bootstrap == brokers


@pytest.mark.parametrize("service", ["referrals", "notifications", "audit"])
def test_a_service_names_every_wrong_setting_and_ends(service: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUTA_")}
    ended = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        env=environment | {"RUTA_HTTP_PORT": "Yuleisy"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "RUTA_KAFKA_BOOTSTRAP: Field required" in ended.stderr
    assert "RUTA_HTTP_PORT" in ended.stderr
    assert "Yuleisy" not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
