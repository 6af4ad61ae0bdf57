"""How the PostgreSQL of Ruta is set, wherever it runs: loopback TCP, SCRAM only, nothing of a commit ever lost."""

from typing import Final

ADMINISTRATOR: Final = "ruta_admin"

HBA: Final = f"""host all all 127.0.0.1/32 scram-sha-256
host replication {ADMINISTRATOR} 127.0.0.1/32 scram-sha-256
"""
"""Who may log in; the second line is for backups (pg_basebackup, pg_receivewal)."""

INITDB: Final = (
    f"--username={ADMINISTRATOR}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--data-checksums",
    "--set=dynamic_shared_memory_type=posix",
)
"""Arguments of initdb, beside where the data and the administrator's password are."""

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # nothing in shared temporary folders
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "wal_compression": "on",
    # Rows and passwords never appear in logs: no DETAIL lines, no text of failed statements.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_line_prefix": "%m [%p] %q%u ",
    "logging_collector": "off",
}


def settings(port: int) -> dict[str, str]:
    """The server's settings by name."""
    return _SETTINGS | {"port": str(port)}


def configuration(port: int) -> str:
    """The same as the text of a configuration file."""
    return "".join(f"{name} = '{value}'\n" for name, value in settings(port).items())
