"""`ruta compose`: what containers need before they start."""

from pathlib import Path

from deploy.compose import images
from deploy.compose.external import External
from deploy.compose.prepare import FOLDER, prepare
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports


def run_prepare(
    folder: Path | None, base_port: int, directory: Path | None, external: External | None, origin: str | None
) -> None:
    """Make passwords, keys and settings, and print how to go on. Raises StackError."""
    root = (folder or FOLDER / "state").absolute()
    try:
        made = prepare(root, Ports.based_on(base_port), directory, external, origin)
    except ValueError as problem:
        raise StackError(str(problem)) from problem
    except OSError as problem:
        raise StackError(f"{problem.filename or root}: {problem.strerror}.") from problem
    files = ("compose.yaml", "external.yaml") if external else ("compose.yaml",)
    options = " ".join(f"-f {FOLDER / name}" for name in files)
    print(f"Passwords, keys and settings are in {root}. Start everything with:\n")
    print(f"docker compose --env-file {made.environment_file} {options} up --build --detach")


def external_servers(
    kafka: str | None, kafka_ca: Path | None, database: str | None, database_ca: Path | None
) -> External | None:
    """Servers that run elsewhere, None where none is named. Raises StackError when only a part is."""
    if kafka and kafka_ca and database and database_ca:
        return External(kafka, kafka_ca, database, database_ca)
    if kafka or kafka_ca or database or database_ca:
        raise StackError("Servers elsewhere need all four: --kafka, --kafka-ca, --database and --database-ca.")
    return None


def run_images() -> None:
    """Make the base images and print the variables that make compose use them. Raises StackError."""
    images.build()
    print("\n".join(f"export {variable}={name}" for variable, name in images.NAMES.items()))
