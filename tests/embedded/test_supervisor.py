"""Children are kept, restarted with growing pauses, stopped in time and never left behind."""

import asyncio
import contextlib
import dataclasses
import errno
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.embedded import supervisor as module
from deploy.embedded.supervisor import Command, Phase, Status, Supervisor

pytestmark = pytest.mark.anyio


async def alive() -> bool:
    return True


async def never() -> bool:
    return False


def shell(script: str, folder: Path) -> Command:
    return Command("child", ("sh", "-c", script), dict(os.environ), folder, probe=alive)


def status(supervisor: Supervisor) -> Status:
    return supervisor.statuses()[0]


PATIENCE = 60  # seconds; machines are shared


async def until_restarted(supervisor: Supervisor, times: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while status(supervisor).restarts < times:
            await asyncio.sleep(0.01)


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while Path(f"/proc/{pid}/status").exists() and "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text():
            await asyncio.sleep(0.01)


@pytest.fixture
async def supervisor(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path)
    yield supervisor
    await supervisor.stop("child", grace=1)


async def test_a_killed_child_comes_back(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell("sleep 60", tmp_path))
    async with asyncio.timeout(PATIENCE):
        await supervisor.answered("child")
        first = supervisor.pid("child")
        supervisor.kill("child")
        await supervisor.answered("child")
    assert supervisor.pid("child") not in (first, None)
    assert status(supervisor).phase is Phase.RUNNING
    assert status(supervisor).restarts == 1
    assert status(supervisor).exit_code == -signal.SIGKILL


async def test_a_child_that_cannot_live_is_not_restarted_in_a_busy_loop(tmp_path: Path) -> None:
    ended: list[float] = []
    begun: list[float] = []

    def changed() -> None:
        (begun if status(keeper).pid else ended).append(time.monotonic())

    keeper = Supervisor(tmp_path, changed)
    keeper.start(dataclasses.replace(shell("echo why >&2; exit 7", tmp_path), probe=never))
    await until_restarted(keeper, 4)
    await keeper.stop("child", grace=5)
    pauses = [start - end for end, start in zip(ended, begun[1:], strict=False)]
    assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=False)), pauses
    assert status(keeper).exit_code == 7
    assert "why" in keeper.log("child").read_text()


async def test_a_child_that_had_answered_for_a_while_is_restarted_at_once_each_time(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.2)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 3600.0)
    monkeypatch.setattr(module, "ANSWERED_FOR", 0.1)
    supervisor.start(shell("sleep 60", tmp_path))
    async with asyncio.timeout(PATIENCE):  # growing pauses would be more than three minutes together
        for _ in range(11):
            await supervisor.answered("child")
            await asyncio.sleep(0.15)
            supervisor.kill("child")
    assert status(supervisor).restarts >= 10


async def test_a_missing_program_is_told_in_the_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Command("child", ("/no/such/program",), {"PATH": "/usr/bin:/bin"}, tmp_path, probe=alive))
    await until_restarted(supervisor, 1)
    assert "/no/such/program" in supervisor.log("child").read_text()


async def test_a_change_that_cannot_be_told_harms_no_child(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As on a full disk: whoever is told writes a file."""

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    supervisor = Supervisor(tmp_path, full)
    supervisor.start(shell("sleep 60", tmp_path))
    async with asyncio.timeout(PATIENCE):
        await supervisor.answered("child")
        first = supervisor.pid("child")
        supervisor.kill("child")
        await supervisor.answered("child")
        assert supervisor.pid("child") not in (first, None)
        await supervisor.stop("child", grace=5)
    assert status(supervisor).phase is Phase.STOPPED
    assert supervisor.pid("child") is None
    assert "No space left" in caplog.text


async def test_a_log_that_cannot_be_written_keeps_nobody_from_being_started_again(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "logs")
    supervisor.start(shell("sleep 60", tmp_path))
    await until_restarted(supervisor, 2)
    async with asyncio.timeout(PATIENCE):
        (tmp_path / "logs").mkdir()
        await supervisor.answered("child")
        await supervisor.stop("child", grace=5)


async def test_what_a_log_has_said_stays_when_the_program_cannot_be_started(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.log("child").write_text("why it died\n")
    supervisor.start(shell("exit 0", tmp_path / "missing"))
    await until_restarted(supervisor, 1)
    assert supervisor.log("child").read_text().startswith("why it died\n")
    assert "missing" in supervisor.log("child").read_text()


async def test_a_stopped_child_stays_stopped_and_can_be_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell("sleep 60", tmp_path))
    await supervisor.answered("child")
    await supervisor.stop("child", grace=5)
    assert status(supervisor).phase is Phase.STOPPED
    assert supervisor.pid("child") is None
    supervisor.start(shell("sleep 60", tmp_path))
    await supervisor.answered("child")


async def test_a_child_that_ignores_the_signal_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell("trap '' TERM; echo ready; while :; do sleep 0.1; done", tmp_path))
    async with asyncio.timeout(PATIENCE):
        while "ready" not in (supervisor.log("child").read_text() if supervisor.log("child").exists() else ""):
            await asyncio.sleep(0.01)
        await supervisor.stop("child", grace=0.5)
        while status(supervisor).phase is not Phase.STOPPED:
            await asyncio.sleep(0.01)
    assert status(supervisor).exit_code == -signal.SIGKILL


async def test_workers_of_a_dead_child_are_swept(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell("sleep 61 & echo $! > worker; wait", tmp_path))
    async with asyncio.timeout(PATIENCE):
        while not (tmp_path / "worker").exists() or not (tmp_path / "worker").read_text().strip():
            await asyncio.sleep(0.01)
    worker = int((tmp_path / "worker").read_text())
    supervisor.kill("child")
    await until_gone(worker)


async def test_children_lead_sessions_of_their_own(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(shell("sleep 60", tmp_path))
    await supervisor.answered("child")
    pid = supervisor.pid("child")
    assert pid is not None
    assert os.getsid(pid) == pid


async def test_a_probe_that_swallows_its_cancellation_holds_nobody_up(supervisor: Supervisor, tmp_path: Path) -> None:
    async def deaf() -> bool:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return False

    supervisor.start(dataclasses.replace(shell("sleep 0.2; exit 1", tmp_path), probe=deaf))
    await until_restarted(supervisor, 2)
    async with asyncio.timeout(PATIENCE):
        await supervisor.stop("child", grace=PATIENCE)
    assert status(supervisor).phase is Phase.STOPPED
