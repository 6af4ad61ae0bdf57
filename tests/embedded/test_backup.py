"""A backup and a restore replace what there was before only when they are whole."""

import subprocess
from pathlib import Path

import pytest

from deploy import commands_backup
from deploy.commands_backup import BASE, WAL
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.postgres import Postgres
from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT, open_state


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A base backup in name only, with a segment that is whole and one that was being written."""
    folder = tmp_path / "backup"
    for name, content in {
        "base/PG_VERSION": "18",
        "base/postgresql.auto.conf": "# of the server\n",
        "base/global/1": "table",
        "wal/000000010000000000000001": "whole",
        "wal/000000010000000000000002.partial": "begun",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.fixture
def postgres(tmp_path: Path) -> Postgres:
    """A stopped server with data, and a port on which nobody listens."""
    made = Postgres(open_state(tmp_path / "state", None), Ports.free().postgres, None)
    (made.state.postgres / "data").mkdir(parents=True)
    (made.state.postgres / "data" / "old").touch()
    return made


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.anyio
async def test_a_base_backup_takes_the_place_of_the_one_before(stack: Stack, backup: Path) -> None:
    running = Postgres(stack.state, stack.ports.postgres, None)
    commands_backup.base(running, backup)
    assert (backup / BASE / "backup_manifest").exists()
    assert {path.name for path in backup.iterdir()} == {BASE, WAL}


def test_a_base_backup_that_fails_leaves_the_one_before(postgres: Postgres, backup: Path) -> None:
    before = tree(backup / BASE)
    with pytest.raises(StackError, match="pg_basebackup failed"):
        commands_backup.base(postgres, backup)
    assert tree(backup / BASE) == before


def test_a_restore_that_is_cut_off_leaves_the_data_and_can_be_done_again(postgres: Postgres, backup: Path) -> None:
    data = postgres.state.postgres / "data"
    (backup / WAL / "unreadable").mkdir()
    with pytest.raises(OSError, match="unreadable"):
        postgres.put_back(backup / BASE, backup / WAL)
    assert tree(data) == {"old": ""}
    (backup / WAL / "unreadable").rmdir()
    old = postgres.put_back(backup / BASE, backup / WAL)
    assert tree(old) == {"old": ""}
    assert tree(data)["restored-wal/000000010000000000000002"] == "begun"
    assert "restore_command" in tree(data)["postgresql.auto.conf"]
    assert (data / "recovery.signal").exists()
    assert {path.name for path in postgres.state.postgres.iterdir()} == {"data", "initialised", old.name}


def test_a_container_is_restored_to_the_same(postgres: Postgres, backup: Path, tmp_path: Path) -> None:
    postgres.put_back(backup / BASE, backup / WAL)
    volume = tmp_path / "volume"
    (volume / "data").mkdir(parents=True)
    script = ["sh", str(CHECKOUT / "deploy" / "compose" / "restore.sh"), str(volume)]
    cut_off = subprocess.run(script, input=b"half a backup", capture_output=True, check=False)
    assert cut_off.returncode != 0
    assert tree(volume / "data") == {}
    packed = subprocess.run(["tar", "-C", str(backup), "-c", BASE, WAL], capture_output=True, check=True).stdout
    subprocess.run(script, input=packed, check=True)
    data = postgres.state.postgres / "data"
    assert tree(volume / "data") == tree(data)
    modes = [{path.relative_to(one): path.stat().st_mode for path in one.rglob("*")} for one in (volume / "data", data)]
    assert modes[0] == modes[1]
    assert (volume / "initialised").exists()
