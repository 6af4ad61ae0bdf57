"""The `ruta` script, with stand-ins for Python, apt-get and flock: when it makes the environment, and what it says."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.embedded.state import CHECKOUT

TOOLS = ("sh", "dirname", "readlink", "sha256sum", "cat", "id", "rm", "rmdir", "mkdir", "cp", "grep", "tail", "sleep",
         "env")  # fmt: skip

# Answers what the script asks a Python, makes an "environment" with itself as the interpreter, counts installations.
PYTHON = """#!/bin/sh
[ -z "${PYTHONHOME:-}" ] || exit 98
case "$*" in
  *"exit(not"*) exit "${STUB_UNSUITABLE:-0}" ;;
  *"import ensurepip"*) exit "${STUB_NO_VENV:-0}" ;;
  *'"python%d.%d-venv"'*) echo python3.12-venv ;;
  "--version") echo Python 3.12.0 ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip install "*)
    echo once >>"$STUB_COUNT"
    env >"$STUB_ENVIRONMENT"
    while [ -e "${STUB_HOLD:-/nowhere}" ]; do sleep 0.05; done
    [ -z "${STUB_PIP_SAYS:-}" ] || { echo "$STUB_PIP_SAYS"; exit 1; } ;;
  "-P -m deploy "*) echo "$PWD" "$@" ;;
  *) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A folder with the script and a lock file, and a PATH with nothing but what a small machine has."""

    folder: Path
    environment: dict[str, str]

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.folder / "checkout" / "ruta"), *arguments],
            env=self.environment | extra,
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, **extra: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        process = self.start(*arguments, **extra)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    @property
    def installations(self) -> int:
        count = self.folder / "count"
        return len(count.read_text().splitlines()) if count.exists() else 0


@pytest.fixture(params=["flock", "mkdir"])
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (*TOOLS, *(["flock"] if request.param == "flock" else [])):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    for name, text in (("python-stub", PYTHON), ("apt-get", '#!/bin/sh\necho "$@" >>"$STUB_APT"\nexit 1\n')):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copy(CHECKOUT / "ruta", folder / "ruta")
    (folder / "requirements.lock").write_text("one==1.0\n")
    environment = {
        "PATH": str(tools),
        "RUTA_PYTHON": str(tools / "python-stub"),
        "STUB_COUNT": str(tmp_path / "count"),
        "STUB_APT": str(tmp_path / "apt"),
        "STUB_ENVIRONMENT": str(tmp_path / "environment"),
    }
    return Checkout(tmp_path, environment)


def test_made_once_then_quiet_from_any_folder(checkout: Checkout) -> None:
    code, output, errors = checkout.run("up", "a b")
    assert (code, output) == (0, f"{checkout.folder} -P -m deploy up a b\n")
    assert "installing the packages" in errors
    assert checkout.run("up") == (0, f"{checkout.folder} -P -m deploy up\n", "")
    assert checkout.installations == 1


def test_what_is_set_for_other_projects_does_not_reach_the_environment(checkout: Checkout) -> None:
    foreign = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")
    index = {"PIP_INDEX_URL": "https://packages.example/simple", "PIP_CERT": "/etc/ssl/own.pem"}
    assert checkout.run("up", **dict.fromkeys(foreign, "1"), **index)[0] == 0
    seen = dict(line.split("=", 1) for line in (checkout.folder / "environment").read_text().splitlines())
    assert not seen.keys() & set(foreign)
    assert seen.items() >= index.items()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to somebody else")
def test_the_environment_of_another_user_is_left_alone(checkout: Checkout) -> None:
    checkout.run("up")
    made = checkout.folder / "checkout" / ".venv"
    (checkout.folder / "checkout" / "requirements.lock").write_text("one==2.0\n")
    os.chown(made, 65534, 65534)
    code, output, errors = checkout.run("up")
    assert (code, output) == (1, "")
    assert "another user's" in errors
    assert len(errors.splitlines()) == 1
    assert (made / "bin" / "python").exists()


def test_made_anew_when_the_lock_changes(checkout: Checkout) -> None:
    checkout.run("up")
    (checkout.folder / "checkout" / "requirements.lock").write_text("one==2.0\n")
    assert checkout.run("up")[0] == 0
    assert checkout.installations == 2


def test_made_anew_when_the_interpreter_is_gone(checkout: Checkout) -> None:
    checkout.run("up")
    (checkout.folder / "checkout" / ".venv" / "bin" / "python").unlink()
    assert checkout.run("up")[0] == 0
    assert checkout.installations == 2


def test_a_half_finished_environment_is_made_anew(checkout: Checkout) -> None:
    assert checkout.run("up", STUB_PIP_SAYS="disk quota exceeded")[0] == 1
    assert checkout.run("up")[0] == 0
    assert checkout.installations == 2


def test_two_at_once_make_one_environment(checkout: Checkout) -> None:
    hold = checkout.folder / "hold"
    hold.touch()
    first = checkout.start("up", STUB_HOLD=str(hold))
    while not checkout.installations:
        assert first.poll() is None
        time.sleep(0.05)
    second = checkout.start("up")
    assert second.stderr is not None
    said = second.stderr.readline()
    hold.unlink()
    for process in (first, second):
        process.communicate(timeout=60)
    assert checkout.installations == 1
    if Path(checkout.environment["PATH"], "flock").exists():
        assert (first.returncode, second.returncode) == (0, 0)
        assert "waiting for another ./ruta" in said
    else:  # without flock the second one says what goes on instead of waiting
        assert (first.returncode, second.returncode) == (0, 1)
        assert "another ./ruta is making the environment" in said
    assert checkout.run("up")[0] == 0


def test_no_network_is_one_sentence(checkout: Checkout) -> None:
    code, _, errors = checkout.run("up", STUB_PIP_SAYS="Temporary failure in name resolution")
    assert code == 1
    assert "connect to the internet and run ./ruta again" in errors


def test_an_unsuitable_python_is_one_sentence(checkout: Checkout) -> None:
    code, _, errors = checkout.run("up", STUB_UNSUITABLE="1")
    assert code == 1
    assert errors.strip().endswith("is not a Python from 3.11 to 3.13.")


def test_a_missing_venv_module_is_installed_by_root_and_named_to_others(checkout: Checkout) -> None:
    code, _, errors = checkout.run("up", STUB_NO_VENV="1")
    assert code == 1
    assert "python3.12-venv" in errors
    asked = checkout.folder / "apt"
    if os.geteuid() == 0:
        assert "install -y -qq --no-install-recommends python3.12-venv" in asked.read_text()
    else:
        assert not asked.exists()
        assert "sudo apt-get install python3.12-venv" in errors


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_every_posix_shell_reads_it(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", str(CHECKOUT / "ruta")], check=True)
