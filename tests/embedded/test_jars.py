"""Kafka's jars are what the lock file names, or they are not used."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.embedded import jars
from deploy.embedded.errors import StackError

GOOD = b"what the lock file means"
JAR = jars.Jar("org.example", "thing", "1.0", hashlib.sha256(GOOD).hexdigest())


class Repository:
    """In place of jgo's context: every artifact has the same content; the first downloads fail half way."""

    def __init__(self, content: bytes, failures: int) -> None:
        self.content = content
        self.failures = failures
        self.downloads = 0
        self.folder = Path()

    @property
    def cached_path(self) -> Path:
        return self.folder / "downloaded.jar"

    def at(self, folder: Path) -> "Repository":
        self.folder = folder
        return self

    def project(self, group: str, artifact: str) -> Any:
        return SimpleNamespace(at_version=lambda version: SimpleNamespace(artifact=lambda: self))

    def resolve(self) -> Path:
        self.downloads += 1
        if self.downloads <= self.failures:
            self.cached_path.write_bytes(GOOD[:3])
            raise ConnectionError("cut off")
        if not self.cached_path.exists():
            self.cached_path.write_bytes(self.content)
        return self.cached_path


def use(monkeypatch: pytest.MonkeyPatch, content: bytes, failures: int = 0) -> Repository:
    repository = Repository(content, failures)
    monkeypatch.setattr(jars, "_maven", repository.at)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return repository


def test_fetched_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    repository = use(monkeypatch, GOOD)
    seen: list[tuple[int, int]] = []
    assert jars.ensure(tmp_path, (JAR,), lambda *now: seen.append(now)) == (tmp_path / "thing-1.0.jar",)
    assert jars.ensure(tmp_path, (JAR,), lambda *now: seen.append(now)) == (tmp_path / "thing-1.0.jar",)
    assert seen == [(1, 1)]
    assert repository.downloads == 1


def test_wrong_content_is_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, b"something else")
    with pytest.raises(StackError, match="instead of"):
        jars.ensure(tmp_path, (JAR,))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, GOOD)
    (tmp_path / JAR.file_name).write_bytes(b"damaged")
    jars.ensure(tmp_path, (JAR,))
    assert (tmp_path / JAR.file_name).read_bytes() == GOOD


def test_no_network_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, GOOD, failures=99)
    with pytest.raises(StackError, match="connect to the internet"):
        jars.ensure(tmp_path, (JAR,))


def test_a_download_that_was_cut_off_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, GOOD, failures=1)
    jars.ensure(tmp_path, (JAR,))
    assert (tmp_path / JAR.file_name).read_bytes() == GOOD


def test_the_lock_file_names_the_broker_and_its_log_bridge() -> None:
    names = {jar.artifact: jar for jar in jars.locked()}
    assert names["kafka_2.13"].version == jars.VERSION
    assert "log4j-slf4j-impl" in names
    assert all(len(jar.sha256) == 64 for jar in names.values())
    assert len({jar.file_name for jar in names.values()}) == len(jars.locked())
