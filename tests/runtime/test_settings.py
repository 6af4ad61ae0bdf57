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
    ],
)
def test_what_is_unsafe_or_wrong_is_refused(secret: Path, changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        made(secret, **changes)


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
