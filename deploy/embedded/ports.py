"""The loopback ports of a stack."""

import random
import socket
from dataclasses import dataclass, fields
from typing import Self

from deploy.embedded.errors import StackError

DEFAULT_BASE = 19000
_HIGHEST_BASE = 65535 - 100


@dataclass(frozen=True)
class Ports:
    """One TCP port on 127.0.0.1 per listener."""

    referrals: int
    notifications: int
    audit: int
    postgres: int
    smtp: int
    kafka: int
    kafka_controller: int

    @classmethod
    def based_on(cls, base: int = DEFAULT_BASE) -> Self:
        """The fixed ports of `up`: 19001 … 19093 with the default base. Raises StackError for an unusable base."""
        if not 1024 <= base <= _HIGHEST_BASE:
            raise StackError(f"The base port must be between 1024 and {_HIGHEST_BASE}, not {base}.")
        return cls(
            referrals=base + 1,
            notifications=base + 2,
            audit=base + 3,
            postgres=base + 10,
            smtp=base + 25,
            kafka=base + 92,
            kafka_controller=base + 93,
        )

    @classmethod
    def free(cls) -> Self:
        """Ports that nobody uses now, for tests and demonstrations beside a running `up`.

        Below the range from which Linux takes the ports of outgoing connections (32768): a server that restarts
        must not find its port lent to a client.
        """
        for _ in range(100):
            ports = cls.based_on(random.randrange(20000, 32000))  # noqa: S311 (no secret)
            if not ports.taken():
                return ports
        raise StackError("No free ports were found between 20000 and 32000.")

    def taken(self) -> tuple[tuple[str, int], ...]:
        """(listener, port) of those that another program holds."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return tuple((name, port) for name, port in pairs if not _bindable(port))


def holder(port: int) -> str:
    """Who probably listens on `port`: `'postgres' (process 123)`, or a guess when it cannot be seen."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"'{psutil.Process(connection.pid).name()}' (process {connection.pid})"
    except psutil.Error:
        pass
    return "a program of another user"


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of an earlier server that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
