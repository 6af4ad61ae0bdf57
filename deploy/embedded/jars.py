"""Jars: fetched once from Maven Central, each checked against the committed SHA-256, kept in the user's cache.

`kafka.lock` holds one `group:artifact:version sha256` per line. Maintainers make it anew, after changing VERSION,
with `python -m deploy.embedded.jars lock`.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from deploy.embedded.errors import StackError
from deploy.embedded.threads import abandonable

VERSION = "4.3.1"
LOCK_FILE = Path(__file__).with_name("kafka.lock")
_ROOT = f"org.apache.kafka:kafka_2.13:{VERSION}"
_FETCHING = ".fetching-"
_THREADS = 8
_ATTEMPTS = 3
_TIMEOUT = 60  # seconds for one answer
_ABANDONED_AFTER = 86_400  # seconds after which nobody fetches into a folder any more


@dataclass(frozen=True)
class Jar:
    """One line of the lock file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def locked(lock_file: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """The jars of a lock file in its order; by default Kafka's class path."""
    lines = lock_file.read_text(encoding="ascii").splitlines()
    return tuple(_parse(line) for line in lines if line and not line.startswith("#"))


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/ruta/jars`, by default `~/.cache/ruta/jars`."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "ruta" / "jars"
    except RuntimeError as problem:
        raise StackError("There is no home folder to keep downloaded files in: set HOME.") from problem


def ensure(
    folder: Path, jars: tuple[Jar, ...], progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Path, ...]:
    """The paths of `jars` in `folder`, fetching those that are missing or damaged.

    `progress` is called with (fetched so far, to fetch). Every file is hashed at every start (44 MB, under a tenth
    of a second). Blocking. Raises StackError without network, and when what arrived is not what the lock file names;
    nothing of a wrong file is kept.
    """
    missing = tuple(jar for jar in jars if _sha256(folder / jar.file_name) != jar.sha256)
    if missing:
        _fetch_all(folder, missing, progress)
    return tuple(folder / jar.file_name for jar in jars)


async def fetched(report: Callable[[str], None]) -> tuple[Path, ...]:
    """Kafka's class path, as `ensure`, beside whatever else happens; `report` is told how far it is."""
    cancelled = threading.Event()

    def progress(done: int, total: int) -> None:
        if cancelled.is_set():  # a thread cannot be cancelled, so it asks
            raise StackError("Fetching Kafka was interrupted.")
        if done % 10 == 0 or done == total:
            report(f"fetched {done} of {total} files")

    try:
        return await abandonable(lambda: ensure(cache_folder(), locked(), progress))
    finally:
        cancelled.set()


def _fetch_all(folder: Path, jars: tuple[Jar, ...], progress: Callable[[int, int], None]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{_FETCHING}*"):  # left by a start that was interrupted
            if time.time() - old.stat().st_mtime > _ABANDONED_AFTER:
                shutil.rmtree(old, ignore_errors=True)
        downloads = Path(tempfile.mkdtemp(dir=folder, prefix=_FETCHING))
    except OSError as problem:
        raise StackError(f"Downloaded files cannot be kept in {folder} ({problem.strerror}).") from problem
    left, results = deque(jars), SimpleQueue[Exception | None]()

    def work() -> None:
        while True:
            try:
                jar = left.popleft()
            except IndexError:
                return
            try:
                _fetch(context, jar, folder)
            except Exception as problem:
                results.put(problem)
            else:
                results.put(None)

    try:
        context = _maven(downloads)
        for _ in range(min(_THREADS, len(jars))):
            # Not a pool's threads: the end of the program waits for those, however long a download stalls.
            threading.Thread(target=work, daemon=True).start()
        for done in range(1, len(jars) + 1):
            if (failure := results.get()) is not None:
                raise failure
            progress(done, len(jars))
    finally:
        left.clear()
        shutil.rmtree(downloads, ignore_errors=True)


def _fetch(context: Any, jar: Jar, folder: Path) -> None:
    path = _download(context, jar)
    found = _sha256(path)
    # jgo only warns when a checksum does not match; this is the check that counts.
    if found != jar.sha256:
        raise StackError(
            f"What was downloaded as {jar} has the SHA-256 {found} instead of {jar.sha256}: it was thrown away; "
            "try again, and if it stays so do not trust this network."
        )
    path.replace(folder / jar.file_name)


def _download(context: Any, jar: Jar) -> Path:
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return Path(artifact.resolve())
        except Exception as problem:  # jgo lets requests' errors through and adds RuntimeError of its own
            if attempt == _ATTEMPTS:
                raise StackError(
                    f"{jar.file_name} could not be downloaded from Maven Central ("
                    f"{type(problem).__name__}): connect to the internet once, then run this again."
                ) from problem
            artifact.cached_path.unlink(missing_ok=True)  # jgo would take half a file for a whole one
            time.sleep(attempt)
    raise AssertionError("unreachable")


def _maven(repository: Path) -> Any:
    from jgo.maven import MavenContext, PythonResolver  # 0.2 s to import, needed on the first start only

    return MavenContext(repo_cache=repository, resolver=PythonResolver(), timeout=_TIMEOUT)


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _parse(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def _make_lock() -> None:
    """Write the lock file from what Maven Central says now: Kafka's runtime closure and its logging back end."""
    with tempfile.TemporaryDirectory() as repository:
        context = _maven(Path(repository))
        kafka = context.create_dependency(_ROOT)
        kafka.scope = "compile"  # of a root; without it jgo does not follow its dependencies
        closure = [kafka.artifact, *_runtime(context.resolver.resolve([kafka])[1])]
        logging = next(artifact for artifact in closure if artifact.artifactId == "log4j-core")
        # Kafka's jars log through slf4j 1.7 and bring log4j-core, but not the bridge between the two.
        bridge = context.project("org.apache.logging.log4j", "log4j-slf4j-impl").at_version(logging.version)
        lines = sorted(
            f"{part.groupId}:{part.artifactId}:{part.version} {_sha256(Path(part.resolve()))}"
            for part in [*closure, bridge.artifact()]
        )
    head = "# Made by `python -m deploy.embedded.jars lock`: Kafka's runtime class path, coordinate and SHA-256.\n"
    LOCK_FILE.write_text(head + "\n".join(lines) + "\n", encoding="ascii")


def _runtime(dependencies: Iterable[Any]) -> list[Any]:
    return [dependency.artifact for dependency in dependencies if dependency.scope in ("compile", "runtime")]


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: python -m deploy.embedded.jars lock")
    _make_lock()
