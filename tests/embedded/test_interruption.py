"""A command that is interrupted ends at once and in order, and what a throwaway system leaves behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from deploy import interruption
from deploy.embedded.ports import Ports
from deploy.embedded.state import CHECKOUT
from deploy.interruption import Interrupted
from deploy.throwaway import Throwaway, throwaway


@pytest.fixture
def hang_up() -> Iterator[None]:
    """What SIGHUP does is as it was, whatever the test ends in."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def filled(made: Throwaway) -> Throwaway:
    made.logs.mkdir(parents=True)
    (made.logs / "kafka.log").write_text("why")
    (made.state / "secrets").mkdir()
    (made.state / "stack.json").touch()
    (made.folder / "directory.toml").touch()
    return made


async def for_ever(places: list[Path], number: signal.Signals) -> None:
    with throwaway("ruta-test-") as made:
        places.append(filled(made).folder)
        os.kill(os.getpid(), number)
        await asyncio.Event().wait()


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("hang_up")
def test_a_signal_leaves_nothing_behind(number: signal.Signals, runner: object) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    places: list[Path] = []
    with pytest.raises(Interrupted):
        interruption.run(for_ever(places, number), runner)  # type: ignore[arg-type]
    assert [place.exists() for place in places] == [False]


@pytest.mark.usefixtures("hang_up")
def test_the_end_of_a_terminal_is_outlived_where_it_is_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def hung_up() -> str:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        return "goes on"

    assert interruption.run(hung_up()) == "goes on"
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_nothing_is_left_of_what_went_well() -> None:
    with throwaway("ruta-test-") as made:
        filled(made)
    assert not made.folder.exists()


def test_the_logs_of_what_failed_are_kept_and_it_is_told_where(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="not empty"), throwaway("ruta-test-") as made:
        filled(made).folder.rmdir()
    with throwaway("ruta-test-") as other:
        filled(other).failed = True
    assert capsys.readouterr().err == f"logs: {made.logs}\nlogs: {other.logs}\n"
    for one in (made, other):
        assert set(one.folder.rglob("*")) == {one.state, one.logs, one.logs / "kafka.log"}
        Throwaway(one.folder).remove()
        assert not one.folder.exists()


def test_up_ends_at_once_while_a_download_stalls(session_folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # lets everybody in and says nothing
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        away = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), proxy)
        own = {"RUTA_STATE": str(session_folder / "stalled"), "XDG_CACHE_HOME": str(tmp_path), "NO_PROXY": ""}
        base = str(Ports.free().referrals - 1)
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "deploy", "up", "--no-demo", "--base-port", base],
            env=os.environ | {"PYTHONPATH": str(CHECKOUT), "no_proxy": ""} | away | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as started:
            try:
                silent.settimeout(60)
                connection, _ = silent.accept()
                with connection:
                    started.send_signal(signal.SIGINT)
                    out, err = started.communicate(timeout=45)
            finally:
                started.kill()
    assert (started.returncode, out.splitlines()[-1:], err) == (0, ["stopped"], "")
