"""The directory of a running service follows its file, and survives a broken one."""

import os
from pathlib import Path

import pytest

from contracts.directory import SEED
from services.runtime.members import Members, reachable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    copy = tmp_path / "directory.toml"
    copy.write_bytes(SEED.read_bytes())
    return copy


def change(file: Path, text: str) -> None:
    before = file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=(before + 1_000_000, before + 1_000_000))


def test_a_change_is_seen_without_a_restart(file: Path) -> None:
    members = Members(file)
    assert "imebu" in members.current()
    change(file, file.read_text().replace('code = "imebu"', 'code = "imebu-nuevo"'))
    assert "imebu-nuevo" in members.current()


def test_a_broken_file_leaves_the_last_directory_in_force(file: Path) -> None:
    members = Members(file)
    before = members.current()
    change(file, "[[institutions")
    assert members.current() == before
    file.unlink()
    assert members.current() == before


def test_without_any_directory_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="directory"):
        Members(tmp_path / "directory.toml").current()


def test_only_members_with_provisioned_topics_can_be_reached(file: Path) -> None:
    members = Members(file)
    assert set(reachable(members.current(), {"ruta.out.imebu.v1"})) == {"imebu"}
