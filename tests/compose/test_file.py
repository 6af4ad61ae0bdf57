"""The compose file is valid, gives every container only what it needs, and agrees with `./ruta up`."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contracts.directory import SEED, load
from deploy import commands_backup, commands_up
from deploy.compose.prepare import FOLDER, Prepared, prepare
from deploy.embedded.addresses import Addresses
from deploy.embedded.environment import service_environment, status_environment
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.state import open_state
from deploy.keys import audit_origin
from deploy.status.settings import Settings as StatusSettings
from services.audit.settings import Settings as AuditSettings
from services.notifications.settings import Settings as NotificationsSettings
from services.runtime.settings import PageSettings, Settings
from tests.compose import reading
from tests.support.engine import compose_command

SETTINGS: Mapping[str, type[PageSettings]] = {
    "referrals": Settings,
    "notifications": NotificationsSettings,
    "audit": AuditSettings,
    "status": StatusSettings,
}
OF_THE_IMAGE = {"RUTA_WEB_ASSETS"}
HAVE_DEFAULTS = {"RUTA_INSTANCE"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    # Under a careful operator's umask: what containers read must be readable all the same.
    before = os.umask(0o077)
    try:
        return prepare(tmp_path_factory.mktemp("compose") / "state", Ports.based_on(26000))
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def document(prepared: Prepared) -> Any:
    return reading.document(reading.values(prepared.environment_file))


def validated(file: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_file_is_what_the_compose_specification_asks_for() -> None:
    found = validated(reading.FILE)
    assert found.returncode == 0, found.stdout


def test_the_validation_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(reading.FILE.read_text("utf-8").replace("read_only: true", "readonly: true"), "utf-8")
    assert "readonly" in validated(wrong).stdout


def test_compose_itself_takes_the_file(prepared: Prepared) -> None:
    command = compose_command()
    if command is None:
        pytest.skip("there is neither docker compose nor docker-compose")
    arguments = [*command, "--env-file", str(prepared.environment_file), "-f", str(reading.FILE), "config", "--quiet"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_starts_that_was_not_prepared() -> None:
    with pytest.raises(KeyError):
        reading.document({})


@pytest.mark.parametrize("name", [*reading.OURS, "status"])
def test_services_are_told_what_they_are_told_by_up(name: str, prepared: Prepared, document: Any) -> None:
    addresses = Addresses.of(prepared.ports)
    if name == "status":
        expected = status_environment(prepared.state, prepared.ports, addresses)
    else:
        expected = service_environment(
            name, state=prepared.state, ports=prepared.ports, addresses=addresses, directory_file=SEED
        )
    told = {key: str(value) for key, value in document["services"][name]["environment"].items()}
    assert told.keys() == expected.keys() - OF_THE_IMAGE - HAVE_DEFAULTS
    files = {key for key in told if key.endswith("_FILE")}
    assert {key: told[key] for key in told.keys() - files} == {key: expected[key] for key in told.keys() - files}


@pytest.mark.parametrize("name", [*reading.OURS, "status"])
def test_services_take_their_settings(
    name: str, prepared: Prepared, document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {f"/run/secrets/{key}": secret["file"] for key, secret in document["secrets"].items()}
    inside = secrets | {"/etc/ruta/directory/institutions.toml": str(prepared.directory_file)}
    for variable in [key for key in os.environ if key.startswith("RUTA_")]:
        monkeypatch.delenv(variable)
    for variable, value in document["services"][name]["environment"].items():
        monkeypatch.setenv(variable, inside.get(str(value), str(value)))
    settings = SETTINGS[name]()
    assert settings.http_host == "127.0.0.1"
    assert settings.http_port == {**prepared.ports.http, "status": prepared.ports.status}[name]


def test_every_container_is_closed(document: Any) -> None:
    for name, container in document["services"].items():
        assert container["read_only"] is True, name
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert container["network_mode"] == "host", name
        assert not container.keys() & {"privileged", "ports", "cap_add", "pid", "ipc", "devices"}, name
        assert "docker.sock" not in str(container), name
        # Images of our own say themselves who they run as; the servers' images would start as root.
        assert container.get("user") in ({"appuser", "postgres"} if name in ("kafka", "postgres") else {None}), name


def test_every_container_says_whether_it_is_well(document: Any) -> None:
    for name, container in document["services"].items():
        if name in ("kafka", "postgres", "mail"):
            assert container["healthcheck"]["test"], name
        elif name == "provision":
            assert container["healthcheck"] == {"disable": True}
        else:
            assert "healthcheck" not in container, "the image's own asks whether it makes progress"
    assert "HEALTHCHECK" in (FOLDER / "Dockerfile").read_text("utf-8")


def test_services_wait_for_what_they_need(document: Any) -> None:
    services = document["services"]
    for name in reading.OURS:
        assert services[name]["depends_on"] == {"provision": {"condition": "service_completed_successfully"}}
    healthy = {"condition": "service_healthy"}
    assert services["provision"]["depends_on"] == {"kafka": healthy, "postgres": healthy}


@pytest.mark.parametrize("name", reading.OURS)
def test_a_service_gets_its_own_secrets_and_no_other(name: str, document: Any) -> None:
    service = document["services"][name]
    named = {str(value) for value in service["environment"].values() if str(value).startswith("/run/secrets/")}
    assert named == {f"/run/secrets/{secret}" for secret in service["secrets"]}
    for secret in service["secrets"]:
        file = Path(document["secrets"][secret]["file"])
        assert name in file.name, "named after who may use it"
        assert file.is_file()
    assert not any("secrets" in volume for volume in service["volumes"])


def test_all_secrets_exist_and_no_container_gets_the_sealing_keys(prepared: Prepared, document: Any) -> None:
    for secret in document["secrets"].values():
        assert Path(secret["file"]).read_text("utf-8").strip()
    sealing = prepared.state.secrets / "sealing"
    mounted = [Path(secret["file"]) for secret in document["secrets"].values()]
    for container in document["services"].values():
        mounted += [Path(volume.split(":")[0]) for volume in container.get("volumes", ()) if volume.startswith("/")]
    assert sealing.is_dir()
    assert not any(path == sealing or path in sealing.parents or sealing in path.parents for path in mounted)


def test_the_prepared_folder_is_closed_to_others(prepared: Prepared) -> None:
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in prepared.state.root.rglob("*")}
    assert stat.S_IMODE(prepared.state.root.stat().st_mode) == 0o700
    assert {mode for path, mode in modes.items() if path.suffix == ".jwk"} == {0o600}
    writable = {path.name for path, mode in modes.items() if mode & 0o022}
    assert writable == {"mail"}


def test_containers_can_read_what_they_are_given(prepared: Prepared, document: Any) -> None:
    given = [Path(secret["file"]) for secret in document["secrets"].values()]
    for container in document["services"].values():
        given += [FOLDER / volume.split(":")[0] for volume in container.get("volumes", ()) if volume[0] in "./"]
    assert FOLDER / "kafka.sh" in given
    assert prepared.directory_file.parent in given
    for path in given:
        for one in (path, *path.rglob("*")):
            mode = stat.S_IMODE(one.stat().st_mode)
            assert mode & 0o004, one
            assert mode & 0o001 or not one.is_dir(), one


def test_files_of_a_closed_checkout_are_opened_for_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in FOLDER.iterdir():
        if file.is_file():
            (tmp_path / file.name).touch(0o600)
    monkeypatch.setattr("deploy.compose.prepare.FOLDER", tmp_path)
    prepare(tmp_path / "state", Ports.based_on(26000))
    mounted = re.findall(r"- \./(\S+?):", reading.FILE.read_text("utf-8"))
    assert mounted
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in mounted} == {0o644}


def test_passwords_are_made_once_and_stand_only_in_secrets(prepared: Prepared) -> None:
    root = prepared.state.root
    before = {path: path.read_bytes() for path in (root / "secrets").rglob("*") if path.is_file()}
    prepare(root, prepared.ports)
    assert {path: path.read_bytes() for path in before} == before
    passwords = {
        content.decode() for path, content in before.items() if path.parent.name in ("kafka", "database") and content
    }
    assert len(passwords) > len(load(SEED).institutions), "each has its own"
    for path in root.rglob("*"):
        if path.is_file() and path not in before:
            text = path.read_text("utf-8")
            assert not any(password in text for password in passwords), path.name
    assert not any(password in reading.FILE.read_text("utf-8") for password in passwords)


def test_a_state_of_containers_is_theirs_alone(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = prepared.state
    modes = {path: path.stat().st_mode for path in state.root.rglob("*")}
    monkeypatch.setenv("RUTA_STATE", str(state.root))
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "PG_VERSION").touch()
    with pytest.raises(StackError, match="state of containers"):
        commands_backup.restore(tmp_path)
    with pytest.raises(StackError, match="state of containers"):
        commands_up.run(27000, demo=False, workers=1)
    assert {path: path.stat().st_mode for path in state.root.rglob("*")} == modes
    assert state.running()["kind"] == "containers"


def test_a_state_of_containers_with_a_lock_is_read_all_the_same(tmp_path: Path) -> None:
    """Earlier versions let `./ruta restore` leave one there."""
    made = prepare(tmp_path / "state", Ports.based_on(26000))
    (made.state.root / "lock").touch()
    assert made.state.running()["kafka"] == made.addresses.kafka
    with pytest.raises(StackError, match="state of containers"):
        open_state(made.state.root, None)


def test_the_log_is_named_once(tmp_path: Path) -> None:
    root, ports = tmp_path / "state", Ports.based_on(26000)
    with pytest.raises(ValueError, match="named like a URL"):
        prepare(root, ports, origin="https://Registro")
    assert not root.exists()
    made = prepare(root, ports, origin="registro.mesa.example/ruta")
    prepare(root, ports)
    assert audit_origin(made.state) == "registro.mesa.example/ruta"
    with pytest.raises(ValueError, match="another log"):
        prepare(root, ports, origin="otro.mesa.example")
