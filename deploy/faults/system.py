"""A throwaway system that is made to be broken: with failpoints, proxies before its servers, and a small disk."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random

import psutil

from contracts.directory import SEED
from deploy.database import connected
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.embedded.supervisor import ANSWERED_FOR, Phase
from deploy.faults.load import Load, loaded
from deploy.faults.proxy import Proxy
from deploy.faults.waiting import eventually
from deploy.postgres_node import ADMINISTRATOR
from deploy.throwaway import Throwaway, throwaway

OUTSIDER = "prueba-de-fallas"
"""An institution beside those that work: what a fault does to its records is not mixed with theirs."""

RECEIVER = "prueba-de-recepcion"
"""And the one that such an institution refers to, so that nobody else's topic or inbox is flooded."""

_MEMBERS = "".join(
    f"""
[[institutions]]
code = "{code}"
name = "Prueba de fallas: {what}"
kind = "municipal"
territory = ["68001"]
contacts = [{{ channel = "email", address = "avisos@{code}.mesa.example", purpose = "Recepción" }}]
"""
    for code, what in ((OUTSIDER, "remite"), (RECEIVER, "recibe"))
)

SMALL_DISK_BYTES = 400 * 2**20
_BACK_WITHIN = 90

# The lock of services/referrals/sql/relay.sql.
_RELAY_HOLDER = """
select client_port from pg_locks join pg_stat_activity using (pid)
 where locktype = 'advisory' and granted and objsubid = 1
   and (classid::bigint << 32 | objid::bigint) = 7205759403792793602
"""


class Setting(StrEnum):
    """What a fault needs around it: nothing, several workers, proxies, or a small disk below one of the servers."""

    PLAIN = "plain"
    TWO_WORKERS = "two workers"
    FOUR_WORKERS = "four workers"
    PROXIED = "proxied"
    SMALL_KAFKA = "small disk of kafka"
    SMALL_POSTGRES = "small disk of postgres"

    @property
    def workers(self) -> int:
        """Processes of the referral service."""
        return {Setting.TWO_WORKERS: 2, Setting.FOUR_WORKERS: 4}.get(self, 1)

    @property
    def unavailable(self) -> str | None:
        """Why this machine cannot have it; None where it can."""
        if self in (Setting.SMALL_KAFKA, Setting.SMALL_POSTGRES) and not _can_mount():
            return "a small tmpfs can be mounted by root only, and not in every container"
        return None


@dataclass
class System:
    """The running system; its ``place`` has failed when a fault broke something.

    ``random`` is drawn from the seed of the run; ``failpoints`` is their folder.

    Of the run that is under way: ``killed`` are the processes that were, by name with the last pid, ``killed_at`` when
    the last one was; ``notes`` are figures that people want to read.
    """

    place: Throwaway
    stack: Stack
    load: Load
    random: Random
    failpoints: Path
    kafka: Proxy | None
    postgres: Proxy | None
    killed: dict[str, int | None] = field(default_factory=dict)
    killed_at: float = 0.0
    notes: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Another run."""
        self.killed, self.notes = {}, []

    def kill(self, name: str) -> None:
        """SIGKILL."""
        pid = self.stack.pid(name)
        self.stack.kill(name)
        self.died(name, pid)

    def died(self, name: str, pid: int | None) -> None:
        """It was killed a moment ago, by whomever."""
        self.killed[name], self.killed_at = pid, time.monotonic()

    async def succeeded(self) -> None:
        """Wait until all that were killed have a successor, and servers one that answers. Raises Late."""
        for name, pid in self.killed.items():

            async def another(name: str = name, pid: int | None = pid) -> bool:
                return self.stack.pid(name) not in (None, pid)

            await eventually(another, _BACK_WITHIN, f"{name} being started again")
            if name not in self.stack.services:
                await self.stack.wait_ready(name, _BACK_WITHIN)

    async def all_ready(self) -> None:
        """Wait until every service says that it is ready, again."""
        for name in self.stack.services:
            await self.stack.wait_ready(name, _BACK_WITHIN)

    async def steady(self) -> None:
        """Wait until no process has been started a moment ago: the supervisor would let the next start wait longer, and
        what a run measures would be what the one before it did."""

        async def all_of_them() -> bool:
            now = time.monotonic()
            return all(one.phase is Phase.RUNNING and now - one.since > ANSWERED_FOR for one in self.stack.statuses())

        await eventually(all_of_them, _BACK_WITHIN, "a steady system")

    @property
    def workers(self) -> tuple[str, ...]:
        """The processes of the referral service."""
        return tuple(name for name in self.stack.services if name.partition("-")[0] == "referrals")

    async def relaying(self) -> str:
        """The worker that holds the relay. Raises Late."""

        async def holder() -> str | None:
            async with connected(self.stack.target, "public", ADMINISTRATOR) as connection:
                port = await connection.fetchval(_RELAY_HOLDER)
            return next((name for name in self.workers if port in _ports(self.stack.pid(name))), None)

        return await eventually(holder, _BACK_WITHIN, "a worker holding the relay")

    def memory(self) -> int:
        """Resident bytes of the largest service process."""
        pids = [pid for name in self.stack.services if (pid := self.stack.pid(name)) is not None]
        return max((psutil.Process(pid).memory_info().rss for pid in pids if psutil.pid_exists(pid)), default=0)

    async def spent(self, service: str) -> float:
        """Seconds of processor that a service's processes and their sessions in PostgreSQL have taken."""
        async with connected(self.stack.target, "public", ADMINISTRATOR) as connection:
            rows = await connection.fetch("select pid from pg_stat_activity where usename = $1", f"{service}_app")
        own = [self.stack.pid(name) for name in self.stack.services if name.partition("-")[0] == service]
        pids = [pid for pid in (*own, *(row["pid"] for row in rows)) if pid is not None and psutil.pid_exists(pid)]
        times = [psutil.Process(pid).cpu_times() for pid in pids]
        return float(sum(one.user + one.system for one in times))

    async def sessions(self) -> int:
        """What the services have open in PostgreSQL."""
        async with connected(self.stack.target, "public", ADMINISTRATOR) as connection:
            return int(await connection.fetchval("select count(*) from pg_stat_activity where usename like '%\\_app'"))


def _ports(pid: int | None) -> set[int]:
    """From which a process has its connections."""
    if pid is None or not psutil.pid_exists(pid):
        return set()
    return {one.laddr.port for one in psutil.Process(pid).net_connections("tcp")}


@contextmanager
def frozen(pid: int | None) -> Iterator[None]:
    """A process and all its children, stopped: connections stay open and nobody answers."""
    assert pid is not None
    process = psutil.Process(pid)
    everyone = [process, *process.children(recursive=True)]
    for one in everyone:
        one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in everyone:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)


@asynccontextmanager
async def system(setting: Setting, seed: int) -> AsyncIterator[System]:
    """Start it and let everybody log in. Everything is removed when the block ends, but the logs of one that failed."""
    async with AsyncExitStack() as opened:
        place = opened.enter_context(throwaway("ruta-faults-"))
        directory = place.folder / "directory.toml"
        directory.write_bytes(SEED.read_bytes() + _MEMBERS.encode())
        failpoints = place.folder / "failpoints"
        failpoints.mkdir()
        if setting in (Setting.SMALL_KAFKA, Setting.SMALL_POSTGRES):
            opened.enter_context(small_disk(place.state / setting.rpartition(" ")[2]))
        ports = Ports.free(workers=setting.workers)
        environment = {"RUTA_TEST_FAILPOINTS": str(failpoints)}
        kafka = postgres = None
        if setting is Setting.PROXIED:
            kafka = await opened.enter_async_context(Proxy(ports.kafka))
            postgres = await opened.enter_async_context(Proxy(ports.postgres))
            environment |= {
                "RUTA_KAFKA_BOOTSTRAP": f"127.0.0.1:{kafka.port}",
                "RUTA_DATABASE_PORT": str(postgres.port),
            }
        stack = Stack(
            place.state, ports, directory_file=directory, extra_environment=environment,
            advertised_kafka=kafka.port if kafka else None,
        )  # fmt: skip
        await opened.enter_async_context(stack)
        await stack.start(*stack.services)
        for name in stack.services:
            await stack.wait_ready(name, _BACK_WITHIN)
        load = await opened.enter_async_context(loaded(stack.target, seed))
        yield System(place, stack, load, Random(seed), failpoints, kafka, postgres)  # noqa: S311 - a run that can be repeated


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A small file system of its own at ``place``. Raises OSError where that may not be."""
    place.parent.mkdir(mode=0o711, exist_ok=True)
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(place))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)


@contextmanager
def full_disk(place: Path) -> Iterator[None]:
    """Nothing is left of the file system at ``place`` while the block runs."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    try:
        yield
    finally:
        ballast.unlink()


def _mount(*arguments: str) -> None:
    made = subprocess.run(["mount", *arguments], check=False, capture_output=True)
    if made.returncode != 0:
        raise OSError("a file system could not be mounted")


def _can_mount() -> bool:
    if os.geteuid() != 0:
        return False
    with throwaway("ruta-faults-") as place:
        try:
            with small_disk(place.folder / "tried" / "disk"):
                return True
        except OSError:
            return False


async def terminated(pid: int) -> float:
    """SIGTERM; returns the seconds until the process was gone."""
    process = psutil.Process(pid)
    began = asyncio.get_running_loop().time()
    process.send_signal(signal.SIGTERM)

    async def gone() -> bool:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE

    await eventually(gone, 30, "the end after SIGTERM")
    return asyncio.get_running_loop().time() - began
