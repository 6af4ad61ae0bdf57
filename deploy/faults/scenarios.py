"""The faults, each a function that breaks a working system and returns when the cause is gone.

What must follow is the same for all and judged by the matrix: everything is answered, the ledger holds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from deploy.faults import hot, outsider
from deploy.faults.proxy import Proxy, Weather
from deploy.faults.system import Setting, System, frozen, full_disk, terminated
from deploy.faults.waiting import Broken, eventually
from services.runtime import failpoints
from services.runtime.failpoints import POINTS, Action

SESSION_SECONDS = 10
"""After so long Kafka takes a silent member's topics away."""

ENDS_WITHIN = 10.0
"""Seconds in which a service must be gone after SIGTERM (DESIGN §10, R-rel F2)."""

SERVICES = ("referrals", "notifications", "audit")
SERVERS = ("kafka", "postgres")

MOVES: Mapping[str, str] = {"referrals": "decided", "notifications": "told", "audit": "logged"}
"""The count that moves when a service works again."""


@dataclass(frozen=True)
class Fault:
    """One way to break. ``stopped``: the services that cannot work meanwhile, whose return is timed."""

    name: str
    breaks: Callable[[System], Awaitable[None]]
    setting: Setting = Setting.PLAIN
    stopped: tuple[str, ...] = SERVICES


async def _at_point(system: System, service: str, point: str, action: Action) -> None:
    hit = system.random.randint(1, 3)
    pid = system.stack.pid(service)
    failpoints.arm(system.failpoints, service, point, action, hit)

    async def happened() -> bool:
        return (service, point) not in failpoints.armed(system.failpoints)

    await eventually(happened, 90, f"{service} at {point}, hit {hit}")
    if action is Action.KILL:
        system.died(service, pid)
    if action is Action.STALL:
        await asyncio.sleep(failpoints.STALLED_FOR)


async def _kill(system: System, name: str) -> None:
    await asyncio.sleep(system.random.uniform(0, 1))
    system.kill(name)


async def _storm(system: System) -> None:
    for _ in range(6):
        victims = system.random.sample((*system.stack.services, *SERVERS), system.random.randint(1, 3))
        for name in victims:
            system.kill(name)
        await asyncio.sleep(system.random.uniform(0.2, 3))


async def _frozen(system: System, name: str) -> None:
    with frozen(system.stack.pid(name)):
        await asyncio.sleep(SESSION_SECONDS + system.random.uniform(2, 6))


async def _terminated(system: System, name: str) -> None:
    pid = system.stack.pid(name)
    assert pid is not None
    await asyncio.sleep(system.random.uniform(0, 0.5))
    seconds = await terminated(pid)
    if seconds > ENDS_WITHIN:
        raise Broken(f"{name} took {seconds:.1f} s to end after SIGTERM")


async def _workers_come_and_go(system: System) -> None:
    for _ in range(4):
        gone = system.random.choice(system.workers)
        await system.stack.stop(gone)
        await asyncio.sleep(system.random.uniform(0, 2))
        await system.stack.start(gone)
        await asyncio.sleep(system.random.uniform(0, 2))
        system.kill(system.random.choice(system.workers))
        await asyncio.sleep(system.random.uniform(0, 2))


async def _one_worker_frozen(system: System) -> None:
    await _frozen(system, system.random.choice(system.workers))


async def _relay_frozen(system: System) -> None:
    await _frozen(system, await system.relaying())


async def _relay_killed(system: System) -> None:
    for _ in range(3):
        system.kill(await system.relaying())
        await asyncio.sleep(system.random.uniform(0.1, 2))


async def _weather(system: System, server: str, weather: Weather, seconds: float) -> None:
    proxy: Proxy | None = getattr(system, server)
    assert proxy is not None
    proxy.be(weather)
    try:
        await asyncio.sleep(system.random.uniform(0.5, 1) * seconds)
    finally:
        proxy.be(Weather.CLEAR)


async def _terminated_in_silence(system: System, name: str) -> None:
    """SIGTERM while neither server answers: a farewell that nobody hears must not hold the exit."""
    assert system.kafka
    assert system.postgres
    system.kafka.be(Weather.SILENT)
    system.postgres.be(Weather.SILENT)
    try:
        pid = system.stack.pid(name)
        assert pid is not None
        seconds = await terminated(pid)
        if seconds > ENDS_WITHIN:
            raise Broken(f"{name} took {seconds:.1f} s to end after SIGTERM while nobody answered")
    finally:
        system.kafka.be(Weather.CLEAR)
        system.postgres.be(Weather.CLEAR)


async def _disk_full(system: System, server: str) -> None:
    with full_disk(system.stack.state.root / server):
        await asyncio.sleep(system.random.uniform(10, 20))


def _points() -> list[Fault]:
    return [
        Fault(f"{action} {service} at {point}", partial(_at_point, service=service, point=point, action=action),
              stopped=(service,))
        for service, points in POINTS.items()
        for point in points
        for action in (Action.KILL, Action.RAISE, Action.STALL)
    ]  # fmt: skip


def _processes() -> list[Fault]:
    return [
        *(Fault(f"kill {name}", partial(_kill, name=name), stopped=(name,)) for name in SERVICES),
        *(Fault(f"kill {name}", partial(_kill, name=name)) for name in SERVERS),
        Fault("kill storm", _storm),
        *(Fault(f"freeze {name}", partial(_frozen, name=name), stopped=(name,)) for name in SERVICES),
        *(Fault(f"freeze {name}", partial(_frozen, name=name)) for name in SERVERS),
        *(Fault(f"terminate {name}", partial(_terminated, name=name), stopped=(name,)) for name in SERVICES),
    ]


def _networks() -> list[Fault]:
    ways = [
        Fault(f"{server} {weather}", partial(_weather, server=server, weather=weather, seconds=30.0), Setting.PROXIED)
        for server in SERVERS
        for weather in Weather
        if weather is not Weather.CLEAR
    ]
    ends = [
        Fault(f"terminate {name} in silence", partial(_terminated_in_silence, name=name), Setting.PROXIED)
        for name in SERVICES
    ]
    return [*ways, *ends]


def _workers() -> list[Fault]:
    return [
        fault
        for setting in (Setting.TWO_WORKERS, Setting.FOUR_WORKERS)
        for fault in (
            Fault(f"kill storm with {setting}", _storm, setting),
            Fault(f"{setting} come and go", _workers_come_and_go, setting, ("referrals",)),
            Fault(f"freeze one of {setting}", _one_worker_frozen, setting, ("referrals",)),
            # Who waits for the relay is the next service.
            Fault(f"freeze the relay of {setting}", _relay_frozen, setting, ("notifications",)),
            Fault(f"kill the relay of {setting} three times", _relay_killed, setting, ("notifications",)),
        )
    ]


def _disks() -> list[Fault]:
    return [
        Fault("disk of kafka full", partial(_disk_full, server="kafka"), Setting.SMALL_KAFKA),
        Fault("disk of postgres full", partial(_disk_full, server="postgres"), Setting.SMALL_POSTGRES),
    ]


def _records() -> list[Fault]:
    return [
        Fault("oversized records", outsider.oversized),
        Fault("garbage flood", outsider.garbage),
        _hot(hot.SHORT),
        Fault("replay from offset zero", outsider.replayed),
        Fault("topic recreated", outsider.recreated),
        Fault("topic recreated unseen", outsider.recreated_unseen),
        Fault("retention", outsider.retention),
        Fault("retention passed the stored position", outsider.retention_passed, stopped=("referrals",)),
        _hot(hot.WHOLE),  # the last: what comes behind it on the same system has a long ledger
    ]


def _hot(declarations: int) -> Fault:
    return Fault(f"hot referral of {declarations:_}", partial(hot.referral, declarations=declarations))


FAULTS: tuple[Fault, ...] = (*_points(), *_processes(), *_records(), *_workers(), *_networks(), *_disks())
