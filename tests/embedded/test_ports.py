"""Ports: fixed for `up`, free for tests, and a clear sentence when one is taken."""

import os
import socket
from pathlib import Path

import pytest

from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports, holder
from deploy.embedded.stack import Stack

pytestmark = pytest.mark.anyio


def test_the_default_base() -> None:
    ports = Ports.based_on()
    assert (ports.referrals, ports.kafka) == (19001, 19092)
    assert ports.http == {"referrals": 19001, "notifications": 19002, "audit": 19003}


def test_every_worker_has_a_port_of_its_own() -> None:
    http = Ports.based_on(workers=3).http
    assert list(http) == ["referrals", "referrals-2", "referrals-3", "notifications", "audit"]
    assert len(set(http.values())) == len(http)


@pytest.mark.parametrize("base", [0, 1023, 65500])
def test_an_unusable_base_is_refused(base: int) -> None:
    with pytest.raises(StackError, match="base port"):
        Ports.based_on(base)


def test_free_ports_are_below_those_of_outgoing_connections() -> None:
    assert Ports.free().kafka_controller < 32768


async def test_a_taken_port_is_named_with_its_holder(
    session_folder: Path, directory_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.embedded.stack._PORTS_FREE_WITHIN", 0.1)
    ports = Ports.free()
    with socket.create_server(("127.0.0.1", ports.smtp)):
        assert f"(process {os.getpid()})" in holder(ports.smtp)
        with pytest.raises(StackError, match=rf"Port {ports.smtp} \(for smtp\) is held by .*process {os.getpid()}"):
            async with Stack(session_folder / "unused", ports, directory_file=directory_file):
                pass


async def test_a_full_disk_is_one_sentence(
    session_folder: Path, directory_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.embedded.stack._FREE_BYTES_FIRST", 10**18)
    with pytest.raises(StackError, match="make room"):
        async with Stack(session_folder / "full", Ports.free(), directory_file=directory_file):
            pass
