"""The environment variables of the children. Names are those of services/runtime/settings.py."""

import os
from pathlib import Path

from deploy.embedded.addresses import Addresses
from deploy.embedded.ports import Ports
from deploy.embedded.state import CHECKOUT, State
from deploy.keys import seen_file, signing_key_file


def inherited() -> dict[str, str]:
    """Ours, with this checkout importable and unbuffered output."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}


def page_environment(state: State, addresses: Addresses) -> dict[str, str]:
    """What pages have to know: where htmx is, and where the pages of the others are."""
    pages = {name: addresses.http[name] for name in ("referrals", "notifications", "audit")} | {
        "status": addresses.status
    }
    return {"RUTA_WEB_ASSETS": str(state.web), **{f"RUTA_{name.upper()}_URL": url for name, url in pages.items()}}


def status_environment(state: State, ports: Ports, addresses: Addresses) -> dict[str, str]:
    """What the status page has to know."""
    return {
        "RUTA_HTTP_HOST": "127.0.0.1",
        "RUTA_HTTP_PORT": str(ports.status),
        "RUTA_STATUS_OF": ",".join(f"{name}={url}" for name, url in addresses.http.items()),
        **page_environment(state, addresses),
    }


def service_environment(
    name: str, *, state: State, ports: Ports, addresses: Addresses, directory_file: Path
) -> dict[str, str]:
    """What one service process has to know. Secrets are named by file, never put into the environment."""
    process = name
    name, _, number = process.partition("-")
    values = {
        "RUTA_KAFKA_BOOTSTRAP": addresses.kafka,
        "RUTA_KAFKA_USER": f"ruta-{name}",
        "RUTA_KAFKA_PASSWORD_FILE": str(state.secret_file(f"kafka/ruta-{name}")),
        "RUTA_DATABASE_HOST": addresses.database_host,
        "RUTA_DATABASE_PORT": str(addresses.database_port),
        "RUTA_DATABASE_NAME": addresses.database_name,
        "RUTA_DATABASE_USER": f"{name}_app",
        "RUTA_DATABASE_PASSWORD_FILE": str(state.secret_file(f"database/{name}_app")),
        "RUTA_HTTP_HOST": "127.0.0.1",
        "RUTA_HTTP_PORT": str(ports.http[process]),
        "RUTA_INSTANCE": number or "1",
        "RUTA_DIRECTORY_FILE": str(directory_file),
        **page_environment(state, addresses),
    }
    if addresses.kafka_ca_file is not None:
        values["RUTA_KAFKA_CA_FILE"] = addresses.kafka_ca_file
    if addresses.database_ca_file is not None:
        values["RUTA_DATABASE_CA_FILE"] = addresses.database_ca_file
    if name == "notifications":
        values |= {"RUTA_SMTP_HOST": addresses.smtp_host, "RUTA_SMTP_PORT": str(addresses.smtp_port)}
    if name == "audit":
        values |= {
            "RUTA_AUDIT_SIGNING_KEY_FILE": str(signing_key_file(state)),
            "RUTA_AUDIT_SEEN_FILE": str(seen_file(state)),
            "RUTA_AUDIT_KEYS_USER": "audit_keys_app",
            "RUTA_AUDIT_KEYS_PASSWORD_FILE": str(state.secret_file("database/audit_keys_app")),
        }
    return values
