"""`ruta compose`: what containers need before they start."""

from pathlib import Path

from deploy.compose import images
from deploy.compose.prepare import FOLDER, prepare
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports


def run_prepare(folder: Path | None, base_port: int, directory: Path | None) -> None:
    """Make passwords, keys and settings, and print how to go on. Raises StackError."""
    root = (folder or FOLDER / "state").absolute()
    try:
        made = prepare(root, Ports.based_on(base_port), directory)
    except ValueError as problem:
        raise StackError(str(problem)) from problem
    except OSError as problem:
        raise StackError(
            f"{root} cannot be written ({problem.strerror}): choose another folder with --state."
        ) from None
    print(f"Passwords, keys and settings are in {root}. Start everything with:\n")
    print(f"docker compose --env-file {made.environment_file} -f {FOLDER / 'compose.yaml'} up --build --detach")


def run_images() -> None:
    """Make the base images and print the variables that make compose use them. Raises StackError."""
    images.build()
    print("\n".join(f"export {variable}={name}" for variable, name in images.NAMES.items()))
