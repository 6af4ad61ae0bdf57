"""The signing key's file."""

from pathlib import Path

import pytest

from services.audit import keys, note


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "key"
    made = keys.ensure(file, "log.example/audit")
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys.ensure(file, "log.example/audit").verifier.vkey == made.verifier.vkey
    with pytest.raises(FileExistsError):
        keys.make(file, "log.example/audit")


def test_a_key_belongs_to_one_log(tmp_path: Path) -> None:
    keys.make(tmp_path / "key", "log.example/audit")
    with pytest.raises(note.Unacceptable, match="another log"):
        keys.load(tmp_path / "key", "other.example/audit")


def test_a_broken_key_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    file = tmp_path / "key"
    secret = keys.make(file, "log.example/audit").text
    file.write_text(secret[:-3])
    with pytest.raises(note.Unacceptable) as error:
        keys.load(file, "log.example/audit")
    assert secret[-40:-10] not in str(error.value)
