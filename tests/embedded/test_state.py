"""One stack per state folder, private secrets, honest descriptions."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from deploy.embedded import postgres
from deploy.embedded.account import needed_account
from deploy.embedded.errors import StackError
from deploy.embedded.state import State, default_root, open_state, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_private_and_stay(tmp_path: Path) -> None:
    state = open_state(tmp_path / "state", None)
    first = state.secret("kafka/alfa")
    assert state.secret("kafka/alfa") == first
    assert state.secret("kafka/beta") != first
    assert mode(state.secret_file("kafka/alfa")) == 0o600
    assert mode(state.secrets) == 0o700


def test_a_second_holder_is_told_who_runs(tmp_path: Path) -> None:
    state = open_state(tmp_path, None)
    with (
        state.exclusively(),
        pytest.raises(StackError, match=rf"already runs on .* \(process {os.getpid()}\)"),
        State(tmp_path).exclusively(),
    ):
        pass
    with State(tmp_path).exclusively():
        pass


def test_a_description_counts_only_while_its_stack_runs(tmp_path: Path) -> None:
    state = open_state(tmp_path, None)
    with pytest.raises(StackError, match="does not run"):
        state.running()
    with state.exclusively():
        with pytest.raises(StackError, match="just starting"):
            State(tmp_path).running()
        state.write_running({"kafka": "somewhere"})
        assert State(tmp_path).running() == {"kafka": "somewhere"}
        assert mode(tmp_path / "stack.json") == 0o600
    with pytest.raises(StackError, match="does not run"):  # as after kill -9: the file is there, the lock is not
        state.running()


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUTA_STATE", str(tmp_path / "mine"))
    assert default_root() == tmp_path / "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no account to drop to")
def test_root_sees_what_its_account_cannot_reach(tmp_path: Path, session_folder: Path) -> None:
    account = needed_account()
    assert account is not None
    tmp_path.chmod(0o700)
    shutil.copy("/usr/bin/env", tmp_path / "program")
    assert not account.can_run(tmp_path / "program")
    assert account.can_run(Path("/usr/bin/env"))
    with pytest.raises(StackError, match="its account cannot enter"):
        open_state(tmp_path / "state", account)
    assert open_state(session_folder / "reachable", account).root.exists()


def test_an_unusable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="cannot be used"):
        open_state(tmp_path / "file" / "state", None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root copies the binaries")
def test_copied_binaries_run_as_the_account(session_folder: Path) -> None:
    account = needed_account()
    assert account is not None
    before = os.umask(0o077)
    try:
        postgres.copy_binaries(session_folder / "copy" / "postgresql")
    finally:
        os.umask(before)
    for program in ("postgres", "initdb"):
        assert account.can_run(session_folder / "copy" / "postgresql" / postgres.BINARIES / program)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "stack.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "stack.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["stack.json"]
