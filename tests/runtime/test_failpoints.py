"""Failpoints: every named one stands in the code, does what was armed once, and no production system can have any."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.state import CHECKOUT
from services.runtime import failpoints
from services.runtime.failpoints import POINTS, Action, Injected
from tests.runtime.test_settings import made, secret

__all__ = ["secret"]  # a fixture


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    failpoints.enable(tmp_path, "referrals")
    yield tmp_path
    failpoints.enable(None, "referrals")


def test_the_names_are_those_in_the_code() -> None:
    files = (CHECKOUT / "services").rglob("*.py")
    found = [name for file in files for name in re.findall(r'failpoints\.hit\("([^"]*)"\)', file.read_text("utf-8"))]
    assert set(found) == {point for points in POINTS.values() for point in points}


def test_the_readme_says_how_many_there_are() -> None:
    (said,) = re.findall(r"at (\d+)\s+places of the services", (CHECKOUT / "README.md").read_text("utf-8"))
    assert int(said) == sum(map(len, POINTS.values()))


def test_the_nth_hit_once(folder: Path) -> None:
    failpoints.arm(folder, "referrals", "relay.sent", Action.RAISE, hit=3)
    failpoints.arm(folder, "audit", "log.signed", Action.RAISE)
    failpoints.hit("relay.sent")
    failpoints.hit("relay.sent")
    failpoints.hit("relay.moved")
    with pytest.raises(Injected, match=r"relay\.sent"):
        failpoints.hit("relay.sent")
    failpoints.hit("relay.sent")
    assert failpoints.armed(folder) == {("audit", "log.signed")}
    failpoints.disarm(folder)
    assert not failpoints.armed(folder)


def test_hits_are_counted_from_the_arming(folder: Path) -> None:
    for _ in range(3):
        failpoints.hit("relay.sent")
    failpoints.arm(folder, "referrals", "relay.sent", Action.RAISE, hit=2)
    failpoints.hit("relay.sent")
    with pytest.raises(Injected):
        failpoints.hit("relay.sent")


def test_a_point_that_nobody_has_cannot_be_armed(folder: Path) -> None:
    with pytest.raises(ValueError, match="audit has no point"):
        failpoints.arm(folder, "audit", "relay.sent", Action.KILL)


def test_killed(tmp_path: Path) -> None:
    failpoints.arm(tmp_path, "audit", "log.signed", Action.KILL)
    program = (
        "import pathlib, sys; from services.runtime import failpoints\n"
        "failpoints.enable(pathlib.Path(sys.argv[1]), 'audit')\n"
        "failpoints.hit('log.signed')"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=CHECKOUT, check=False)
    assert done.returncode == -9
    assert not failpoints.armed(tmp_path)
    assert subprocess.run([sys.executable, "-c", program, tmp_path], cwd=CHECKOUT, check=False).returncode == 0


def test_off_unless_the_setting_names_a_folder(secret: Path, tmp_path: Path) -> None:
    assert made(secret).test_failpoints is None
    failpoints.enable(made(secret).test_failpoints, "referrals")
    failpoints.arm(tmp_path, "referrals", "relay.sent", Action.RAISE)
    failpoints.hit("relay.sent")
    assert failpoints.armed(tmp_path)


@pytest.mark.parametrize(
    "production",
    [
        ("kafka_ca_file", "kafka_bootstrap"),
        ("kafka_ca_file",),
        ("database_ca_file", "database_host"),
        ("database_ca_file",),
    ],
)
def test_no_production_system_can_turn_them_on(secret: Path, tmp_path: Path, production: tuple[str, ...]) -> None:
    values = {
        "kafka_ca_file": secret,
        "kafka_bootstrap": "kafka.example:9092",
        "database_ca_file": secret,
        "database_host": "postgres.example",
    }
    settings = {name: values[name] for name in production}
    assert made(secret, **settings).test_failpoints is None
    with pytest.raises(ValueError, match="unset RUTA_TEST_FAILPOINTS"):
        made(secret, **settings, test_failpoints=tmp_path)
