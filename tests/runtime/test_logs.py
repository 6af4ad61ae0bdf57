"""A log line holds what is allowed and no text of an exception: those repeat what was sent."""

import json
import logging
from collections.abc import Iterator

import pytest

from services.runtime import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The process's loggers as they were."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def last(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_only_allowed_fields_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    own = logs.configure("test")
    own.info("batch", extra={"records": 3, "person": "Yuleisy"})
    line = last(capsys)
    assert (line["message"], line["records"], line["service"]) == ("batch", 3, "test")
    assert "Yuleisy" not in json.dumps(line)


def test_an_exception_is_its_type_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    own = logs.configure("test")
    try:
        raise ValueError("Yuleisy")
    except ValueError as error:
        own.critical("failed", exc_info=ExceptionGroup("Yuleisy", [error]))
    line = last(capsys)
    assert str(line["error"]).startswith("builtins.ValueError at test_logs.py:")
    assert "Yuleisy" not in json.dumps(line)


def test_others_are_repeated_by_the_first_line_of_their_template_only(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("test")
    logging.getLogger("somebody.else").error("cannot send %s\nTraceback: Yuleisy", "Yuleisy")
    assert last(capsys)["message"] == "cannot send %s"
