"""The loopback ports of a stack."""

import random
import socket
from dataclasses import dataclass
from typing import Self

from deploy.embedded.errors import StackError

DEFAULT_BASE = 19000
_HIGHEST_BASE = 65535 - 100


@dataclass(frozen=True)
class Ports:
    """One TCP port on 127.0.0.1 per listener. ``more_referrals``: those of the second and further workers."""

    referrals: int
    notifications: int
    audit: int
    status: int
    postgres: int
    smtp: int
    kafka: int
    kafka_controller: int
    more_referrals: tuple[int, ...] = ()

    @classmethod
    def based_on(cls, base: int = DEFAULT_BASE, workers: int = 1) -> Self:
        """The fixed ports of `up`: 19001 … 19093 with the default base. Raises StackError for an unusable base."""
        if not 1024 <= base <= _HIGHEST_BASE:
            raise StackError(f"The base port must be between 1024 and {_HIGHEST_BASE}, not {base}.")
        return cls(
            referrals=base + 1,
            notifications=base + 2,
            audit=base + 3,
            status=base + 4,
            postgres=base + 10,
            smtp=base + 25,
            kafka=base + 92,
            kafka_controller=base + 93,
            more_referrals=tuple(base + 30 + number for number in range(2, workers + 1)),
        )

    @classmethod
    def free(cls, workers: int = 1) -> Self:
        """Ports that nobody uses now, for tests and demonstrations beside a running `up`.

        Below the range from which Linux takes the ports of outgoing connections (32768): a server that restarts
        must not find its port lent to a client.
        """
        for _ in range(100):
            ports = cls.based_on(random.randrange(20000, 32000), workers)  # noqa: S311 (no secret)
            if not ports.taken():
                return ports
        raise StackError("No free ports were found between 20000 and 32000.")

    @property
    def http(self) -> dict[str, int]:
        """The HTTP port of every service process by name; further workers are `referrals-2`, `referrals-3` …"""
        return {
            "referrals": self.referrals,
            **{f"referrals-{number}": port for number, port in enumerate(self.more_referrals, 2)},
            "notifications": self.notifications,
            "audit": self.audit,
        }

    def taken(self) -> tuple[tuple[str, int], ...]:
        """(listener, port) of those that another program holds."""
        names = ("status", "postgres", "smtp", "kafka", "kafka_controller")
        listeners = self.http | {name: getattr(self, name) for name in names}
        return tuple((name, port) for name, port in listeners.items() if not _bindable(port))


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
