"""An institution can use the SDK without the services, and read the contracts with pydantic alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import contracts

PACKAGE = Path(contracts.__file__).parent

IMPORT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ImportError(name + " is absent")
sys.meta_path.insert(0, Absent())
import importlib
for module in {modules}:
    importlib.import_module(module)
print(sys.modules["contracts"].__file__)
"""

SERVER_SIDE = {
    "services",
    "deploy",
    "asyncpg",
    "faststream",
    "confluent_kafka",
    "fastapi",
    "typer",
    "pydantic_settings",
}
SDK_EXTRA = {"aiokafka", "joserfc", "cryptography"}
BASE = [
    "applied",
    "asyncapi",
    "codec",
    "directory",
    "examples",
    "facts",
    "fhir",
    "generate",
    "labels",
    "moments",
    "reasons",
    "receipts",
    "schemas",
    "topics",
]


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (["contracts.sdk", "contracts.keys"], SERVER_SIDE),
        ([f"contracts.{name}" for name in BASE], SERVER_SIDE | SDK_EXTRA),
    ],
    ids=["sdk", "base"],
)
def test_it_imports_alone(tmp_path: Path, modules: list[str], absent: set[str]) -> None:
    shutil.copytree(PACKAGE, tmp_path / "contracts", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(absent=absent, modules=modules)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "contracts" / "__init__.py")
