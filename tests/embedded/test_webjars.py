"""Browser assets are what the lock file names, and nothing else lies beside them."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from deploy.embedded import jars, webjars
from deploy.embedded.errors import StackError
from deploy.embedded.jars import Jar


def packed(folder: Path, jar: Jar, content: bytes) -> Jar:
    """A WebJar in the cache, and the line that locks it."""
    with zipfile.ZipFile(folder / jar.file_name, "w") as archive:
        for name in webjars.FILES[jar.artifact]:
            archive.writestr(f"META-INF/resources/webjars/{jar.artifact}/{jar.version}/{name}", content)
    found = hashlib.sha256((folder / jar.file_name).read_bytes()).hexdigest()
    return Jar(jar.group, jar.artifact, jar.version, found)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    locked = [packed(folder, jar, b"script") for jar in jars.locked(webjars.LOCK_FILE)]
    lock = tmp_path / "web.lock"
    lock.write_text("".join(f"{jar} {jar.sha256}\n" for jar in locked))
    monkeypatch.setattr(webjars, "LOCK_FILE", lock)
    return folder


def test_unpacked_and_old_ones_go(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "old.js").write_text("of another version")
    assert webjars.ensure(cache, folder) == folder
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"htmx.min.js": "script", "sse.js": "script"}


def test_a_changed_jar_is_not_unpacked(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise StackError("connect to the internet")

    monkeypatch.setattr(jars, "_fetch_all", unreachable)
    changed = next(cache.iterdir())
    changed.write_bytes(changed.read_bytes() + b"!")
    with pytest.raises(StackError):
        webjars.ensure(cache, tmp_path / "web")
    assert list((tmp_path / "web").iterdir()) == []


def test_every_locked_webjar_is_used() -> None:
    assert {jar.artifact for jar in jars.locked(webjars.LOCK_FILE)} == webjars.FILES.keys()
