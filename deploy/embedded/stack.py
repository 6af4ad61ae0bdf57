"""The whole system on one machine: what `up`, the demonstration and the tests start.

    async with Stack(state_root, Ports.free(workers=2)) as stack:
        await stack.start(*stack.services)
        await stack.wait_ready("referrals")

Inside, Kafka, PostgreSQL and the mail sink answer, and topics, users, rights, roles and tables are there.
"""

import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Self

from contracts.directory import SEED, load
from deploy import keys, provision
from deploy.embedded import jars, mail, webjars
from deploy.embedded.account import needed_account
from deploy.embedded.addresses import Addresses
from deploy.embedded.environment import inherited, service_environment, status_environment
from deploy.embedded.errors import StackError
from deploy.embedded.kafka import Kafka
from deploy.embedded.ports import Ports, holder
from deploy.embedded.postgres import Postgres
from deploy.embedded.probe import http_ready
from deploy.embedded.state import CHECKOUT, State, open_state
from deploy.embedded.supervisor import Command, Status, Supervisor, spawn
from deploy.embedded.threads import abandonable
from services.runtime.migrations import HistoryChanged

SERVICES = ("referrals", "notifications", "audit")
"""The services, one process each; a stack with several workers has more processes, see `Stack.services`."""
_INFRASTRUCTURE = ("mail", "kafka", "postgres")
_NOBODY_WAITS_FOR = ("services.audit",)
_YIELDING = ("nice", "-n10")  # a decision and its notice come before the log's next leaf, on a machine that they share
_ANSWER_WITHIN = 60.0  # seconds for Kafka and PostgreSQL to answer; both take about two
_STOP_SERVICES_WITHIN = 4.0
_STOP_INFRASTRUCTURE_WITHIN = 5.0  # together within 10 s
_PORTS_FREE_WITHIN = 3.0  # seconds that a killed stack's servers may need to let go of their ports
_FREE_BYTES_FIRST = 1_000_000_000
_FREE_BYTES = 200_000_000

Servers = Callable[[State, Ports], AbstractAsyncContextManager[None]]
"""Brings up a Kafka and a PostgreSQL on these ports that let in who has the passwords of the state."""
Report = Callable[[str, str], None]
"""Called with a subject ("Kafka") and what is happening to it ("started")."""


class Stack:
    """Kafka, PostgreSQL, the mail sink and any of the services, as supervised children of this process.

    Must be used in the main thread's event loop (the children's death signal follows the thread). Raises StackError
    when it cannot start; then nothing is left running.
    """

    def __init__(
        self,
        root: Path,
        ports: Ports,
        *,
        directory_file: Path = SEED,
        report: Report = lambda subject, message: None,
        extra_environment: Mapping[str, str] | None = None,
        advertised_kafka: int | None = None,
        servers: Servers | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """`extra_environment` reaches every service, above its own settings; `advertised_kafka` is a proxy's port.

        `servers` brings up Kafka and PostgreSQL in place of child processes; `ca_file` vouches for both by TLS.
        """
        self.ports = ports
        self._root = root
        self._directory_file = directory_file
        self._report = report
        self._extra = dict(extra_environment or {})
        self._advertised_kafka = advertised_kafka
        self._servers = servers
        self._ca_file = ca_file
        self._closing = AsyncExitStack()

    state: State
    """The state folder; set on entry."""
    supervisor: Supervisor
    """The children; set on entry."""

    @property
    def addresses(self) -> Addresses:
        return Addresses.of(self.ports, str(self._ca_file) if self._ca_file else None)

    @property
    def services(self) -> tuple[str, ...]:
        """The names of all service processes: the three services, and the referral service's further workers."""
        return tuple(self.ports.http)

    @property
    def target(self) -> provision.Target:
        """What provisioning works on; reads the directory file anew."""
        return provision.Target(
            state=self.state,
            kafka_bootstrap=self.addresses.kafka,
            database_host=self.addresses.database_host,
            database_port=self.addresses.database_port,
            directory=load(self._directory_file),
            kafka_ca_file=self._ca_file,
            database_ca_file=self._ca_file,
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            account = await asyncio.to_thread(needed_account)
            self.state = await asyncio.to_thread(open_state, self._root, account)
            opened.enter_context(self.state.exclusively())
            self._check_disk()
            await self._check_ports()
            if self._servers is not None:
                await opened.enter_async_context(self._servers(self.state, self.ports))
            self.supervisor = Supervisor(self.state.logs, self._changed)
            opened.callback(self.state.clear_running)
            opened.push_async_callback(self._stop_everything)
            postgres = Postgres(self.state, self.ports.postgres, account)
            children = (self._start_kafka(), self._start_postgres(postgres)) if self._servers is None else ()
            await _together(
                *children,
                self._start_mail(),
                abandonable(lambda: webjars.ensure(jars.cache_folder(), self.state.web)),
            )
            try:
                changes = await provision.everything(self.target)
            except HistoryChanged as error:
                raise StackError(
                    f"The tables in {self.state.root} were made by another version of Ruta ({error}): "
                    "use that version, or move the folder away to begin with an empty one."
                ) from error
            self._report("Provisioning", f"{len(changes)} changes" if changes else "nothing to change")
            keys.ensure(self.target)
            self._changed()
            self._closing = opened.pop_all()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._closing.aclose()

    async def start(self, *names: str) -> None:
        """Start service processes by name; returns at once, see `wait_ready`."""
        for name in names:
            self.supervisor.start(self._service(name))

    async def start_status(self) -> None:
        """Start the status page, which looks at all services; see `wait_ready("status")`."""
        settings = status_environment(self.state, self.ports, self.addresses)
        self.supervisor.start(self._python("status", "deploy.status", self.addresses.status, inherited() | settings))

    async def stop(self, *names: str) -> None:
        """Stop services in an orderly way (SIGTERM, then SIGKILL); they stay stopped."""
        await self.supervisor.stop(*names, grace=_STOP_SERVICES_WITHIN)

    def kill(self, name: str) -> None:
        """SIGKILL a service, or kafka, postgres or mail; the supervisor starts it again."""
        self.supervisor.kill(name)

    def pid(self, name: str) -> int | None:
        """The pid of a child, None while it has none."""
        return self.supervisor.pid(name)

    def statuses(self) -> tuple[Status, ...]:
        return self.supervisor.statuses()

    async def wait_ready(self, name: str, timeout: float = 30.0) -> None:  # noqa: ASYNC109 (part of the error)
        """Wait until a child answers (a service: its /readyz). Raises StackError with the end of its log."""
        try:
            async with asyncio.timeout(timeout):
                await self.supervisor.answered(name)
        except TimeoutError:
            raise StackError(self._silence(name, timeout)) from None

    def environment(self, name: str) -> dict[str, str]:
        """The environment variables that a service runs with."""
        settings = service_environment(
            name,
            state=self.state,
            ports=self.ports,
            addresses=self.addresses,
            directory_file=self._directory_file,
        )
        return inherited() | settings | self._extra

    async def run(self, command: Command) -> int:
        """Run a further command to its end with the care that the children get; returns its exit code."""
        process = await spawn(command, self.state.logs / f"{command.name}.log")
        return await process.wait()

    def _service(self, name: str) -> Command:
        module = f"services.{name.partition('-')[0]}"
        return self._python(name, module, self.addresses.http[name], self.environment(name))

    def _python(self, name: str, module: str, url: str, environment: Mapping[str, str]) -> Command:
        return Command(
            name=name,
            arguments=(*(_YIELDING if module in _NOBODY_WAITS_FOR else ()), sys.executable, "-m", module),
            environment=environment,
            directory=CHECKOUT,
            probe=lambda: http_ready(f"{url}/readyz"),
        )

    async def _start_kafka(self) -> None:
        began = time.monotonic()
        paths = await jars.fetched(lambda progress: self._report("Kafka", progress))
        kafka = Kafka(self.state, self.ports.kafka, self.ports.kafka_controller, paths, self._advertised_kafka)
        await kafka.prepare()
        await self._bring_up("Kafka", kafka.command(), began)

    async def _start_postgres(self, postgres: Postgres) -> None:
        began = time.monotonic()
        await postgres.prepare()
        await self._bring_up("PostgreSQL", postgres.command(), began)

    async def _start_mail(self) -> None:
        began = time.monotonic()
        port = self.ports.smtp
        command = Command(
            name="mail",
            arguments=(
                *(*_YIELDING, sys.executable, "-m", "deploy.embedded.mail"),
                *("--port", str(port), "--directory", str(self.state.mail)),
            ),
            environment=inherited(),
            directory=CHECKOUT,
            probe=lambda: mail.answers(port),
        )
        await self._bring_up("Mail sink", command, began)

    async def _bring_up(self, subject: str, command: Command, began: float) -> None:
        self.supervisor.start(command)
        await self.wait_ready(command.name, _ANSWER_WITHIN)
        self._report(subject, f"answers after {time.monotonic() - began:.1f} s")

    def _silence(self, name: str, seconds: float) -> str:
        log = self.supervisor.log(name)
        with suppress(OSError):
            end = log.read_text(errors="replace").strip().splitlines()[-3:]
            return f"{name} did not answer within {seconds:.0f} s; its log {log} ends: {' | '.join(end)}"
        return f"{name} did not answer within {seconds:.0f} s, and there is no log {log}."

    def _check_disk(self) -> None:
        finished = (self.state.kafka / "formatted").exists()
        needed = _FREE_BYTES if finished else _FREE_BYTES_FIRST
        free = shutil.disk_usage(self.state.root).free
        if free < needed:
            raise StackError(
                f"Only {free // 10**6} MB are free where {self.state.root} is, and Ruta needs {needed // 10**6} MB: "
                "make room, or set RUTA_STATE to a folder on another disk."
            )

    async def _check_ports(self) -> None:
        deadline = time.monotonic() + _PORTS_FREE_WITHIN
        while taken := self.ports.taken():
            if time.monotonic() > deadline:
                name, port = taken[0]
                raise StackError(
                    f"Port {port} (for {name}) is held by {await asyncio.to_thread(holder, port)}: "
                    "stop that program, or choose other ports with --base-port."
                )
            await asyncio.sleep(0.1)

    def _changed(self) -> None:
        description = asdict(self.addresses) | {
            "pids": {status.name: status.pid for status in self.statuses()},
            "directory_file": str(self._directory_file),
        }
        self.state.write_running(description)

    async def _stop_everything(self) -> None:
        names = [status.name for status in self.statuses()]
        services = [name for name in names if name not in _INFRASTRUCTURE]
        await self.supervisor.stop(*services, grace=_STOP_SERVICES_WITHIN)
        await self.supervisor.stop(*_INFRASTRUCTURE, grace=_STOP_INFRASTRUCTURE_WITHIN)


async def _together(*work: Awaitable[object]) -> None:
    """Do all of it; the first failure ends the rest and is raised as it is, not in a group."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
